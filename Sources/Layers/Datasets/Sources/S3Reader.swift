import Basics
import Foundation
import ObjectStorage
import Synchronization

/// Reads files of an object store by way of copies on this machine, which go when the ingest is over.
final class S3Reader: TableReader {
    private let tools: ReaderTools
    private let origin: FileOrigin
    private let remote: RemoteFiles
    private let found = Mutex<[S3File]>([])
    private let copies = Mutex<[(path: String, name: String)]>([])

    /// - Throws: `StoreURLFailure`, `SecretFailure`, `StorageFailure.noCredentials`.
    init(_ tools: ReaderTools, _ origin: FileOrigin) throws {
        self.tools = tools
        self.origin = origin
        remote = try RemoteFiles(
            origin, environment: tools.environment, time: tools.time, random: tools.random)
    }

    func look() async throws -> SourceState {
        let listed = try await remote.find()
        found.withLock { $0 = listed }
        let sources = listed.map {
            DatasetVersion.SourceFile(path: remote.name(of: $0), bytes: $0.bytes, tag: $0.tag)
        }
        return SourceState(
            identity: Digest(of: try JSON.canonical(sources)),
            lineage: DatasetVersion.Lineage(kind: "s3", place: remote.place, files: sources))
    }

    func open(_ state: SourceState, in folder: String) async throws -> RawRows {
        var lineage = state.lineage
        var local: [(path: String, name: String)] = []
        for (index, file) in found.withLock({ $0 }).enumerated() {
            let (path, digests) = try await remote.copy(file, number: index, into: folder)
            if lineage.files.indices.contains(index) { lineage.files[index].digest = digests.sha256 }
            local.append((path, remote.name(of: file)))
        }
        if let expected = tools.table.sha256, let digest = lineage.files.first?.digest,
            digest != expected || lineage.fileCount != 1
        {
            throw DatasetsFailure.wrongHash(file: remote.place, expected: expected, found: digest)
        }
        copies.withLock { $0 = local }
        return RawRows(query: try await query.sql(), lineage: lineage)
    }

    func hold() async throws {
        let before = found.withLock { $0 }
        guard try await remote.list() == before else { throw DatasetsFailure.changedWhileRead(path: remote.place) }
    }

    var query: FileQuery { FileQuery(tools: tools, origin: origin, files: copies.withLock { $0 }) }
}
