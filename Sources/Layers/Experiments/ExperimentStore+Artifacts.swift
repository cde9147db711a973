import Basics
import ObjectStorage
import SQL

extension ExperimentStore {
    /// Stores `bytes` by content and names them `path` in the run.
    /// - Throws: ``ExperimentsFailure/runDeleted(_:)``, `.unknownRun(_:)`, `.artifactPath(_:)`.
    @discardableResult
    public func attach(_ bytes: [UInt8], as path: String, to run: String) async throws -> Digest {
        let info = try await record(run).info
        guard info.stage == .active else { throw ExperimentsFailure.runDeleted(run) }
        guard let root = try ArtifactPath(location: info.location) else {
            throw ExperimentsFailure.artifactPath(info.location)
        }
        return try await putArtifact(bytes, at: root.appending(path))
    }

    /// Stores `bytes` by content and names them; a file that has the name already gives way.
    /// - Throws: ``ExperimentsFailure/invalid(_:remedy:)`` where a folder has the name, or a file the name of its folder,
    ///   ``ExperimentsFailure/artifactPinned(_:holder:)`` where a model version is made of what would change.
    @discardableResult
    public func putArtifact(_ bytes: [UInt8], at path: ArtifactPath) async throws -> Digest {
        let digest = try await objects.put(bytes)
        try await nameArtifact(digest, bytes: Int64(bytes.count), at: path)
        return digest
    }

    /// The same with bytes that come piece by piece, as many as there are; memory stays bounded. Where `next` throws
    /// nothing is stored.
    /// - Parameters:
    ///   - isArrival: whether it is a file that a model version of another store left behind, and that may come once.
    ///   - next: gives the next piece, or nil at the end.
    @discardableResult
    public func putArtifact(
        at path: ArtifactPath, isArrival: Bool = false, _ next: () async throws -> [UInt8]?
    ) async throws -> Digest {
        let (digest, size) = try await objects.intake().take(next)
        try await nameArtifact(digest, bytes: size, at: path, isArrival: isArrival)
        return digest
    }

    /// Names an object that is stored already.
    /// - Throws: as ``putArtifact(_:at:)``.
    public func nameArtifact(
        _ digest: Digest, bytes size: Int64, at path: ArtifactPath, isArrival: Bool = false
    ) async throws {
        try await database.write { transaction in
            let present = try transaction.first(
                "SELECT digest FROM artifacts WHERE path = ?", [.text(path.description)])
            if try present?.digest("digest") == digest { return }
            // What has come is not replaced.
            try Self.refusePinned(path, isArrival: isArrival && present == nil, in: transaction)
            let parents = path.parents
            let blocking = try transaction.first(
                """
                SELECT path FROM artifacts WHERE path IN (\(SearchStatement.marks(parents.count)))
                UNION ALL SELECT path FROM artifacts WHERE path > ? AND path < ? LIMIT 1
                """, parents.map { .text($0) } + Self.range(below: path))
            if let blocking = try blocking?.string("path") {
                throw ExperimentsFailure.invalid(
                    "Invalid path: '\(path)' is in the way of '\(blocking)'", remedy: "Choose another name.")
            }
            try transaction.execute(
                """
                INSERT INTO artifacts (path, digest, bytes) VALUES (?, ?, ?)
                ON CONFLICT (path) DO UPDATE SET digest = excluded.digest, bytes = excluded.bytes
                """, [.text(path.description), .text(digest.description), .integer(size)])
        }
    }

    /// The bytes of an artifact, checked against its digest.
    /// - Throws: ``ExperimentsFailure/unknownArtifact(_:)``, `.invalid(_:remedy:)` for a folder, or the store's failure.
    public func artifact(at path: ArtifactPath) async throws -> [UInt8] {
        try await objects.get(try await digest(of: path))
    }

    /// The bytes of an artifact piece by piece, checked against its digest by the last; memory stays bounded.
    /// - Throws: as ``artifact(at:)``.
    public func artifactReader(at path: ArtifactPath) async throws -> ObjectReader {
        try await objects.reader(try await digest(of: path))
    }

    private func digest(of path: ArtifactPath) async throws -> Digest {
        let row = try await database.read { transaction in
            try transaction.first("SELECT digest FROM artifacts WHERE path = ?", [.text(path.description)])
        }
        guard let row, let digest = Digest(try row.string("digest")) else {
            guard try await !artifacts(in: path).isEmpty else {
                throw ExperimentsFailure.unknownArtifact(path.description)
            }
            throw ExperimentsFailure.invalid("Invalid path: '\(path)' is a directory", remedy: nil)
        }
        return digest
    }

    /// What lies in a folder, by name; nothing where there is no such folder.
    /// - Parameter folder: nil for the root of all.
    public func artifacts(in folder: ArtifactPath?) async throws -> [ArtifactEntry] {
        try await database.read { transaction in
            let prefix = folder.map { "\($0)/" } ?? ""
            var entries: [ArtifactEntry] = []
            let filter = folder == nil ? "" : "WHERE path > ? AND path < ?"
            try transaction.forEach(
                "SELECT path, bytes FROM artifacts \(filter) ORDER BY path", folder.map(Self.range) ?? []
            ) { row in
                let rest = PathBytes.rest(of: try row.string("path"), after: prefix) ?? ""
                let parts = PathBytes.names(of: rest, maxSplits: 1)
                // Names that Swift takes for equal may differ in their bytes.
                guard let name = parts.first, entries.last?.name.utf8.elementsEqual(name.utf8) != true else { return }
                entries.append(
                    ArtifactEntry(name: name, bytes: parts.count == 1 ? try row.integer("bytes") : nil))
            }
            return entries.sorted { $0.name < $1.name }
        }
    }

    /// Removes the name of a file, or of all files below a folder; none there is no failure.
    /// - Throws: ``ExperimentsFailure/artifactPinned(_:holder:)``.
    public func deleteArtifacts(at path: ArtifactPath) async throws {
        try await database.write { try Self.deleteArtifacts(at: path, in: $0) }
    }

    static func deleteArtifacts(at path: ArtifactPath, in transaction: Transaction) throws {
        try refusePinned(path, in: transaction)
        try transaction.execute(
            "DELETE FROM artifacts WHERE path = ? OR (path > ? AND path < ?)",
            [.text(path.description)] + range(below: path))
    }

    /// The files of a run, by path.
    static func artifacts(of info: RunInfo, in transaction: Transaction) throws -> [Run.Artifact] {
        guard let root = try? ArtifactPath(location: info.location) else { return [] }
        return try files(below: root, in: transaction)
    }

    /// The files below a folder, by their paths below it.
    static func files(below root: ArtifactPath, in transaction: Transaction) throws -> [Run.Artifact] {
        let prefix = "\(root)/"
        return try transaction.query(
            "SELECT path, digest, bytes FROM artifacts WHERE path > ? AND path < ? ORDER BY path", range(below: root)
        ).map { row in
            Run.Artifact(
                path: PathBytes.rest(of: try row.string("path"), after: prefix) ?? "",
                digest: try row.digest("digest"), bytes: try row.integer("bytes"))
        }
    }

    /// The ends of the paths below a folder in the order of bytes: `0` comes after `/`.
    static func range(below folder: ArtifactPath) -> [SQLValue] {
        [.text("\(folder)/"), .text("\(folder)0")]
    }
}
