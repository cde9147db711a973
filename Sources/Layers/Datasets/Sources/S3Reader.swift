import Basics
import Foundation
import ObjectStorage
import Synchronization

/// Reads files of an object store by way of copies on this machine, which go when the ingest is over.
final class S3Reader: TableReader {
    private let tools: ReaderTools
    private let origin: FileOrigin
    private let files: S3Files
    private let pattern: PathPattern
    private let found = Mutex<[S3File]>([])
    private let copies = Mutex<[(path: String, name: String)]>([])

    /// - Throws: `StoreURLFailure`, `SecretFailure`, `StorageFailure.noCredentials`.
    init(_ tools: ReaderTools, _ origin: FileOrigin) throws {
        self.tools = tools
        self.origin = origin
        // A wildcard is no part of an address: only what stands before it is.
        let parts = origin.path.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = parts.first.map(String.init) ?? ""
        let names = path.dropFirst("s3://".count).split(separator: "/", omittingEmptySubsequences: true)
        let bucket = names.first.map(String.init) ?? ""
        let settings = parts.count == 2 ? "?\(parts[1])" : ""
        files = try S3Files(
            StoreURL("s3://\(bucket)\(settings)", secrets: SecretSource(environment: tools.environment)),
            environment: tools.environment, time: tools.time, random: tools.random)
        pattern = PathPattern(names.dropFirst().joined(separator: "/"))
    }

    private var place: String { "\(files.place)/\((pattern.base + pattern.parts).joined(separator: "/"))" }

    func look() async throws -> SourceState {
        let listed = try await list()
        guard !listed.isEmpty else {
            throw DatasetsFailure.noFiles(
                path: place,
                reason: pattern.isPlain
                    ? "no key ends in \(origin.format.endings.joined(separator: ", "))" : "no key matches")
        }
        found.withLock { $0 = listed }
        let sources = listed.map {
            DatasetVersion.SourceFile(path: "\(files.place)/\($0.key)", bytes: $0.bytes, tag: $0.tag)
        }
        return SourceState(
            identity: Digest(of: try JSON.canonical(sources)),
            lineage: DatasetVersion.Lineage(kind: "s3", place: place, files: sources))
    }

    func open(_ state: SourceState, in folder: String) async throws -> RawRows {
        var lineage = state.lineage
        var local: [(path: String, name: String)] = []
        let ending = origin.format.endings.first ?? ""
        for (index, file) in found.withLock({ $0 }).enumerated() {
            // The key's own ending tells how the file is packed.
            let name = file.key.split(separator: "/").last.map(String.init) ?? ""
            let path = "\(folder)/\(index)-\(origin.format.names(name) ? name : name + ending)"
            try await files.download(file.key, to: path)
            let digests = try await BlockingThread(name: "datasets.files").run { try FileDigests(path) }
            guard file.bytes < 0 || digests.bytes == file.bytes else {
                throw DatasetsFailure.changedWhileRead(path: "\(files.place)/\(file.key)")
            }
            if lineage.files.indices.contains(index) { lineage.files[index].digest = digests.sha256 }
            local.append((path, "\(files.place)/\(file.key)"))
        }
        if let expected = tools.table.sha256, let digest = lineage.files.first?.digest,
            digest != expected || lineage.fileCount != 1
        {
            throw DatasetsFailure.wrongHash(file: place, expected: expected, found: digest)
        }
        copies.withLock { $0 = local }
        return RawRows(query: try await query.sql(), lineage: lineage)
    }

    func hold() async throws {
        let before = found.withLock { $0 }
        guard try await list() == before else { throw DatasetsFailure.changedWhileRead(path: place) }
    }

    var query: FileQuery { FileQuery(tools: tools, origin: origin, files: copies.withLock { $0 }) }

    private func list() async throws -> [S3File] {
        let base = pattern.base.joined(separator: "/")
        let listed = try await files.list(under: base)
        if pattern.isPlain, let only = listed.first(where: { $0.key == base }) { return [only] }
        let prefix = base.isEmpty ? "" : base + "/"
        return listed.filter { file in
            guard file.key.hasPrefix(prefix), !file.key.hasSuffix("/") else { return false }
            let names = file.key.dropFirst(prefix.count).split(separator: "/").map(String.init)
            guard pattern.isPlain else { return pattern.matches(names[...]) }
            return !names.contains(where: PathPattern.isHidden) && origin.format.names(names.last ?? "")
        }.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    }
}
