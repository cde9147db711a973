import Basics
import Columnar
import Foundation
import Synchronization

/// Reads an Iceberg table of this machine as of a snapshot or time. Columns are found by their ids, as renames want it.
final class IcebergReader: TableReader {
    private let tools: ReaderTools
    private let origin: LakeOrigin
    private let found = Mutex<IcebergTable.Snapshot?>(nil)

    init(_ tools: ReaderTools, _ origin: LakeOrigin) {
        self.tools = tools
        self.origin = origin
    }

    func look() async throws -> SourceState {
        let path = tools.absolute(origin.path).droppingSlashes
        let moment = origin.moment
        let snapshot = try await BlockingThread(name: "datasets.iceberg").run {
            try IcebergTable(path: path).snapshot(moment)
        }
        try tools.check(snapshot.columns.map { ($0.name, $0.type) }, of: path)
        found.withLock { $0 = snapshot }
        let sources = snapshot.files.map {
            DatasetVersion.SourceFile(path: tools.told($0.path), bytes: $0.bytes)
        }
        // The files of an Iceberg table never change, so their names stand for their content.
        let content =
            snapshot.files.map { "\(tools.told($0.path)) \($0.bytes)" }
            + snapshot.columns.map { "\($0.id) \($0.name) \($0.type)" }
        return SourceState(
            identity: Digest(of: try JSON.canonical(content)),
            lineage: DatasetVersion.Lineage(
                kind: "iceberg", place: tools.told(path), tableVersion: snapshot.id, files: sources))
    }

    func open(_ state: SourceState, in folder: String) async throws -> RawRows {
        guard let snapshot = found.withLock({ $0 }) else {
            throw DatasetsFailure.brokenLog(place: state.lineage.place, reason: "it was not looked at")
        }
        let lineage = try await LakeFile.digested(snapshot.files, state.lineage)
        guard !snapshot.files.isEmpty else {
            return RawRows(query: try await LakeQuery(tools: tools, files: []).sql(), lineage: lineage)
        }
        let files = ReaderTools.list(snapshot.files.map(\.path))
        let declared = Set(tools.table.columns.map(\.name))
        let columns = snapshot.columns.filter { declared.contains($0.name) }
        try await refuseUnnumbered(files, snapshot, columns)
        let schema = columns.map { column in
            """
            \(column.id): {name: \(SQLText.literal(column.name)), type: \(SQLText.literal(column.type)), \
            default_value: NULL}
            """
        }
        return RawRows(
            query: """
                SELECT \(tools.keptColumns) FROM read_parquet(\(files), schema = MAP {\(schema.joined(separator: ", "))})
                """, lineage: lineage)
    }

    func hold() async throws {}

    /// Refuses files whose columns can not be found by id, or whose values of a partition stand in the manifests alone.
    private func refuseUnnumbered(
        _ files: String, _ snapshot: IcebergTable.Snapshot, _ columns: [IcebergTable.Column]
    ) async throws {
        func refuse(_ what: String) -> DatasetsFailure {
            .unsupported(
                place: tools.absolute(origin.path), what: what,
                remedy: "Rewrite the table's files, or export the table to Parquet.")
        }
        let leaves = "FROM parquet_schema(\(files)) WHERE coalesce(num_children, 0) = 0"
        let bare = try await tools.engine.query(
            "SELECT count(*) AS n \(leaves) AND field_id IS NULL", context: tools.context)
        guard try bare.count("n") == 0 else { throw refuse("files without the ids of their columns") }
        for column in columns where snapshot.identityColumns.contains(column.id) {
            let with = try await tools.engine.query(
                "SELECT count(DISTINCT file_name) AS n \(leaves) AND field_id = \(column.id)", context: tools.context)
            guard try with.count("n") == Int64(snapshot.files.count) else {
                throw refuse("files without the column '\(column.name)' that they are parted by")
            }
        }
    }
}
