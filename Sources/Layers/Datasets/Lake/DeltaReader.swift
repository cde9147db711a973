import Basics
import Foundation
import Synchronization

/// Reads a Delta table of this machine as of a version or time.
final class DeltaReader: TableReader {
    private let tools: ReaderTools
    private let origin: LakeOrigin
    private let found = Mutex<[LakeFile]>([])

    init(_ tools: ReaderTools, _ origin: LakeOrigin) {
        self.tools = tools
        self.origin = origin
    }

    func look() async throws -> SourceState {
        let folder = tools.absolute(origin.path).droppingSlashes
        let snapshot = try await DeltaLog(folder: folder, engine: tools.engine).snapshot(origin.moment)
        try tools.check(snapshot.columns, of: folder)
        found.withLock { $0 = snapshot.files }
        let sources = snapshot.files.map {
            DatasetVersion.SourceFile(path: tools.told($0.path), bytes: $0.bytes)
        }
        // The files of a Delta table never change, so their names stand for their content.
        let content = snapshot.files.map { file in
            "\(tools.told(file.path)) \(file.bytes) \(file.constants.sorted { $0.key < $1.key })"
        }
        return SourceState(
            identity: Digest(of: try JSON.canonical(content)),
            lineage: DatasetVersion.Lineage(
                kind: "delta", place: tools.told(folder), tableVersion: snapshot.version, files: sources))
    }

    func open(_ state: SourceState, in folder: String) async throws -> RawRows {
        let files = found.withLock { $0 }
        let lineage = try await LakeFile.digested(files, state.lineage)
        return RawRows(query: try await LakeQuery(tools: tools, files: files).sql(), lineage: lineage)
    }

    func hold() async throws {}
}

extension LakeFile {
    /// Lineage with the digests of the files it names, after a look whether all of them are there and whole.
    static func digested(_ files: [LakeFile], _ lineage: DatasetVersion.Lineage) async throws -> DatasetVersion.Lineage
    {
        try await BlockingThread(name: "datasets.files").run {
            var lineage = lineage
            for (index, file) in files.enumerated() {
                guard let mark = try FileMark(file.path) else {
                    throw DatasetsFailure.brokenLog(place: lineage.place, reason: "its file \(file.path) is gone")
                }
                guard file.bytes < 0 || mark.bytes == file.bytes else {
                    throw DatasetsFailure.brokenLog(
                        place: lineage.place,
                        reason: "its file \(file.path) has \(mark.bytes) bytes where \(file.bytes) are told")
                }
                if lineage.files.indices.contains(index) {
                    lineage.files[index].digest = try FileDigests(file.path).sha256
                }
            }
            return lineage
        }
    }
}
