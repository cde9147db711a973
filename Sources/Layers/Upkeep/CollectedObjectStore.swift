import Basics
import ObjectStorage
import SQL

/// An object store from which a ``Collector`` removes what nothing names: what is stored or read is safe from it for the
/// whole time of grace, in which the one who asked for it names it.
public struct CollectedObjectStore: ObjectStore {
    private let base: any ObjectStore
    private let condemned: Condemned
    private let leases: Leases
    /// How long a doomed object is waited for, in tries of 20 ms.
    private static let triesMax = 500

    /// - Parameters:
    ///   - database: one that ``Collector/migrations`` were applied to.
    ///   - holder: names this process among those that share the database.
    public init(_ base: any ObjectStore, database: Database, time: any TimeSource, holder: String) {
        self.base = base
        condemned = Condemned(database: database)
        leases = Leases(database, time: time, holder: holder)
    }

    public func put(_ bytes: [UInt8]) async throws -> Digest {
        let digest = try await base.put(bytes)
        if try await condemned.spare(digest) { return digest }
        try await waitForEnd(of: digest)
        return try await base.put(bytes)
    }

    public func put(file path: String) async throws -> Digest {
        let digest = try await base.put(file: path)
        if try await condemned.spare(digest) { return digest }
        try await waitForEnd(of: digest)
        return try await base.put(file: path)
    }

    public func intake() async throws -> any ObjectIntake {
        SparedIntake(base: try await base.intake(), condemned: condemned)
    }

    public func reader(_ digest: Digest) async throws -> ObjectReader {
        _ = try await condemned.spare(digest)
        return try await base.reader(digest)
    }

    public func get(_ digest: Digest) async throws -> [UInt8] {
        _ = try await condemned.spare(digest)
        return try await base.get(digest)
    }

    public func localPath(_ digest: Digest) async throws -> String {
        _ = try await condemned.spare(digest)
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

    /// Waits until the collector has removed an object that it doomed before it was asked for; where the collector was
    /// killed, its work on this one is done here.
    private func waitForEnd(of digest: Digest) async throws {
        for _ in 0..<Self.triesMax {
            if try await condemned.spare(digest) { return }
            if let lease = try await leases.acquire(Collector.leaseName, for: 10) {
                try await base.delete(digest)
                if leases.isFresh(lease) { try await condemned.forget([digest], under: lease) }
                try await leases.release(lease)
            } else {
                try await Task.sleep(for: .milliseconds(20))
            }
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
