import Basics
import ObjectStorage
import SQL

/// An object store from which a ``Collector`` removes what nothing names: what is stored or read is safe from it for the
/// whole time of grace, in which the one who asked for it names it.
public struct CollectedObjectStore: ObjectStore {
    private let base: any ObjectStore
    private let condemned: Condemned
    private let leases: Leases
    private let tries: Int

    /// - Parameters:
    ///   - database: one that ``Collector/migrations`` were applied to.
    ///   - holder: names this process among those that share the database.
    ///   - tries: how often a doomed object is looked for, 20 ms apart.
    public init(
        _ base: any ObjectStore, database: Database, time: any TimeSource, holder: String, tries: Int = 500
    ) {
        self.base = base
        self.tries = tries
        condemned = Condemned(database: database)
        leases = Leases(database, time: time, holder: holder)
    }

    public func put(_ bytes: [UInt8]) async throws -> Digest {
        let digest = try await base.put(bytes)
        return try await claim(digest) ? digest : try await base.put(bytes)
    }

    public func put(file path: String) async throws -> Digest {
        let digest = try await base.put(file: path)
        return try await claim(digest) ? digest : try await base.put(file: path)
    }

    public func intake() async throws -> any ObjectIntake {
        SparedIntake(base: try await base.intake(), condemned: condemned)
    }

    public func reader(_ digest: Digest) async throws -> ObjectReader {
        try await claim(digest)
        return try await base.reader(digest)
    }

    public func get(_ digest: Digest) async throws -> [UInt8] {
        try await claim(digest)
        return try await base.get(digest)
    }

    public func localPath(_ digest: Digest) async throws -> String {
        try await claim(digest)
        return try await base.localPath(digest)
    }

    public func contains(_ digest: Digest) async throws -> Bool {
        guard try await condemned.spare(digest) else { return false }
        return try await base.contains(digest)
    }

    public func size(_ digest: Digest) async throws -> Int64 { try await base.size(digest) }
    public func delete(_ digest: Digest) async throws { try await base.delete(digest) }
    public func list() async throws -> [Digest] { try await base.list() }
    public func check() async throws -> StoreReport { try await base.check() }
    public func close() async { await base.close() }

    /// Takes an object off the collector's list. One that is doomed is waited for until it is gone; where the collector
    /// that doomed it was killed, it is pardoned.
    /// - Returns: whether it was not doomed; else it may be gone.
    /// - Throws: ``UpkeepFailure/beingRemoved(_:)``.
    @discardableResult
    private func claim(_ digest: Digest) async throws -> Bool {
        if try await condemned.spare(digest) { return true }
        for _ in 0..<tries {
            if let lease = try await leases.acquire(Collector.leaseName, for: 10) {
                // Nobody collects now, so nobody would remove it. Its bytes are left alone: something may name them.
                try await condemned.forget([digest], under: lease)
                try await leases.release(lease)
            } else {
                try await Task.sleep(for: .milliseconds(20))
            }
            if try await condemned.spare(digest) { return false }
        }
        throw UpkeepFailure.beingRemoved(digest)
    }
}

/// An object that comes piece by piece and is spared from the collector once it is whole.
private struct SparedIntake: ObjectIntake {
    let base: any ObjectIntake
    let condemned: Condemned

    func write(_ bytes: [UInt8]) async throws { try await base.write(bytes) }

    func finish() async throws -> (digest: Digest, size: Int64) {
        let stored = try await base.finish()
        // Its bytes are not at hand to be stored a second time; who sends them has to.
        guard try await condemned.spare(stored.digest) else { throw UpkeepFailure.beingRemoved(stored.digest) }
        return stored
    }
}
