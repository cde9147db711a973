import Basics
import Foundation
import Synchronization

/// Reads files of this machine.
final class FileReader: TableReader {
    private let tools: ReaderTools
    private let origin: FileOrigin
    private let found = Mutex<[LocalFiles.Found]>([])

    init(_ tools: ReaderTools, _ origin: FileOrigin) {
        self.tools = tools
        self.origin = origin
    }

    func look() async throws -> SourceState {
        let (tools, origin) = (tools, origin)
        let path = tools.absolute(origin.path)
        let (files, lineage, identity) = try await BlockingThread(name: "datasets.files").run {
            let files = try LocalFiles(format: origin.format).find(path)
            let dvc = try DVCFile.beside(path)
            var sources: [DatasetVersion.SourceFile] = []
            var sums: [MD5] = []
            for file in files {
                let digests = try FileDigests(file.path, md5: dvc != nil)
                try file.mark.hold(file.path)
                sources.append(.init(path: tools.told(file.path), bytes: digests.bytes, digest: digests.sha256))
                if let sum = digests.md5 { sums.append(sum) }
            }
            if let expected = tools.table.sha256 {
                let digest = sources.count == 1 ? sources.first?.digest : nil
                guard let digest, digest == expected else {
                    throw DatasetsFailure.wrongHash(
                        file: path, expected: expected, found: try digest ?? Self.identity(sources))
                }
            }
            try dvc?.hold(path, file: files.count == 1 && files.first?.path == path ? sums.first : nil)
            let lineage = DatasetVersion.Lineage(
                kind: "files", place: tools.told(path), dvc: dvc?.output.hash, files: sources)
            return (files, lineage, try Self.identity(sources))
        }
        found.withLock { $0 = files }
        return SourceState(identity: identity, lineage: lineage)
    }

    func open(_ state: SourceState, in folder: String) async throws -> RawRows {
        let query = query
        return RawRows(query: try await query.sql(), lineage: state.lineage)
    }

    func hold() async throws {
        let files = found.withLock { $0 }
        try await BlockingThread(name: "datasets.files").run {
            for file in files { try file.mark.hold(file.path) }
        }
    }

    /// The query over the files that were found.
    var query: FileQuery {
        FileQuery(
            tools: tools, origin: origin, files: found.withLock { $0 }.map { ($0.path, tools.told($0.path)) })
    }

    /// One file's own digest, or that of the list of several.
    static func identity(_ files: [DatasetVersion.SourceFile]) throws -> Digest {
        if files.count == 1, let only = files.first?.digest { return only }
        return Digest(of: try JSON.canonical(files))
    }
}
