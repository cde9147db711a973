import Basics
import ObjectStorage
import SQL

/// Which files lay at a location, each with its digest: what it names does not change with the names of the files.
public struct ArtifactManifest: Sendable, Codable, Equatable {
    /// A URI.
    public var location: String
    /// By path below the location; empty where the files are not kept here.
    public var files: [String: File]

    public init(location: String, files: [String: File]) {
        self.location = location
        self.files = files
    }

    public struct File: Sendable, Codable, Equatable {
        public var digest: Digest
        public var bytes: Int64

        public init(digest: Digest, bytes: Int64) {
            self.digest = digest
            self.bytes = bytes
        }
    }
}

extension ExperimentStore {
    /// The tables of what artifacts may not be changed any more.
    static let pinMigrations = [
        Migration(
            room: "artifact_pins", version: 1,
            sql: """
                CREATE TABLE artifact_pins (path TEXT NOT NULL, holder TEXT NOT NULL, PRIMARY KEY (path, holder));
                CREATE INDEX artifact_pins_by_holder ON artifact_pins (holder);
                """),
        Migration(
            room: "artifact_pins", version: 2,
            sql: "ALTER TABLE artifact_pins ADD COLUMN awaits INTEGER NOT NULL DEFAULT 0;"),
    ]

    /// What lies at a location now.
    /// - Throws: ``ExperimentsFailure/artifactPath(_:)``.
    public func manifest(of location: String) async throws -> ArtifactManifest {
        try await database.read { try Self.manifest(of: location, in: $0) }
    }

    /// Keeps a manifest as one object.
    public func keep(_ manifest: ArtifactManifest) async throws -> Digest {
        try await objects.put(try JSON.canonical(manifest))
    }

    /// Sees to it that what a manifest names stays as it is, until it is unpinned: no file at its location can be changed,
    /// removed or added, also where there is none yet. Locations elsewhere are not ours to keep.
    /// - Parameters:
    ///   - holder: who needs it, such as `model/delays/3`.
    ///   - isAwaiting: whether its files may still be brought once, because there are none and they were left where they lay.
    /// - Throws: ``ExperimentsFailure/artifactsChanged(_:)`` where it is no longer what the manifest says.
    public static func pin(
        _ manifest: ArtifactManifest, by holder: String, isAwaiting: Bool = false, in transaction: Transaction
    ) throws {
        guard let root = try ArtifactPath(location: manifest.location) else { return }
        guard try Self.manifest(of: manifest.location, in: transaction) == manifest else {
            throw ExperimentsFailure.artifactsChanged(manifest.location)
        }
        try transaction.execute(
            "INSERT INTO artifact_pins (path, holder, awaits) VALUES (?, ?, ?)",
            [.text(root.description), .text(holder), .init(isAwaiting && manifest.files.isEmpty)])
    }

    /// The holders that await files, among those whose names begin with `prefix` and a slash.
    public static func awaiting(below prefix: String, in transaction: Transaction) throws -> [String] {
        try transaction.query(
            "SELECT DISTINCT holder FROM artifact_pins WHERE awaits = 1 AND holder >= ? AND holder < ? ORDER BY holder",
            [.text("\(prefix)/"), .text("\(prefix)0")]
        ).map { try $0.string("holder") }
    }

    /// Ends that a holder awaits files: those that came are what it needs.
    /// - Throws: ``ExperimentsFailure/artifactsChanged(_:)`` where they are no longer what the manifest says.
    public static func settle(_ manifest: ArtifactManifest, by holder: String, in transaction: Transaction) throws {
        try unpin(by: holder, in: transaction)
        try pin(manifest, by: holder, in: transaction)
    }

    /// Lets go of what a holder needed.
    public static func unpin(by holder: String, in transaction: Transaction) throws {
        try transaction.execute("DELETE FROM artifact_pins WHERE holder = ?", [.text(holder)])
    }

    /// Gives what holders needed, whose names begin alike, to others.
    public static func repin(from old: String, to new: String, in transaction: Transaction) throws {
        for row in try transaction.query(
            "SELECT path, holder FROM artifact_pins WHERE holder >= ? AND holder < ?",
            [.text("\(old)/"), .text("\(old)0")])
        {
            let holder = try row.string("holder")
            try transaction.execute(
                "UPDATE artifact_pins SET holder = ? WHERE path = ? AND holder = ?",
                [.text(new + holder.dropFirst(old.count)), .text(try row.string("path")), .text(holder)])
        }
    }

    /// Refuses to change what is pinned: the path itself, a folder it lies in, or, for a folder, anything below it.
    /// - Parameter isArrival: whether it is a file that whoever pinned the folder may still await.
    /// - Throws: ``ExperimentsFailure/artifactPinned(_:holder:)``.
    static func refusePinned(
        _ path: ArtifactPath, isArrival: Bool = false, in transaction: Transaction
    ) throws {
        let above = path.parents + [path.description]
        let pin = try transaction.first(
            """
            SELECT holder FROM artifact_pins WHERE awaits <= ? AND path IN (\(SearchStatement.marks(above.count)))
            UNION ALL SELECT holder FROM artifact_pins WHERE awaits <= ? AND path > ? AND path < ? LIMIT 1
            """,
            [.init(!isArrival)] + above.map { .text($0) } + [.init(!isArrival)] + Self.range(below: path))
        if let pin { throw ExperimentsFailure.artifactPinned(path.description, holder: try pin.string("holder")) }
    }

    private static func manifest(of location: String, in transaction: Transaction) throws -> ArtifactManifest {
        var files: [String: ArtifactManifest.File] = [:]
        if let root = try ArtifactPath(location: location) {
            for file in try Self.files(below: root, in: transaction) {
                files[file.path] = ArtifactManifest.File(digest: file.digest, bytes: file.bytes)
            }
        }
        return ArtifactManifest(location: location, files: files)
    }
}

extension ExperimentStore {
    /// The text of a file of a manifest; nil where there is none of the path, or it has more bytes than the limit.
    /// - Throws: the object store's failure where its bytes are gone or damaged.
    public func file(_ path: String, of manifest: ArtifactManifest, limit: Int64) async throws -> String? {
        guard let file = manifest.files[path], file.bytes <= limit else { return nil }
        return String(decoding: try await objects.get(file.digest), as: UTF8.self)
    }
}
