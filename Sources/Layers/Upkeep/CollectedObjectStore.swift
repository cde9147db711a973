import Basics
import ObjectStorage
import SQL

/// An object store from which a ``Collector`` removes what nothing names: what is stored or read is safe from it for the
/// whole time of grace, in which the one who asked for it names it.
public struct CollectedObjectStore: ObjectStore {
    private let base: any ObjectStore
    private let condemned: Condemned
    /// How long a doomed object is waited for, in tries of 20 ms.
    private static let triesMax = 500

    /// - Parameter database: one that ``Collector/migrations`` were applied to.
    public init(_ base: any ObjectStore, database: Database) {
        self.base = base
        condemned = Condemned(database: database)
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

    /// Waits until the collector has removed an object that it doomed before it was asked for.
    private func waitForEnd(of digest: Digest) async throws {
        for _ in 0..<Self.triesMax {
            if try await condemned.spare(digest) { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw UpkeepFailure.beingRemoved(digest)
    }
}
