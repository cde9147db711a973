import Basics
import Columnar

/// A Parquet file that a table's log names.
struct LakeFile: Sendable, Equatable {
    /// On this machine.
    var path: String
    /// -1 where the log does not tell it.
    var bytes: Int64
    /// Columns that have one value in the whole file and are not in it, as texts.
    var constants: [String: String?]
}

/// The rows of the files of a log, of which older ones may lack columns that came later.
struct LakeQuery: Sendable {
    let tools: ReaderTools
    let files: [LakeFile]

    /// - Throws: the engine's failure for a file that is not whole,
    ///   ``DatasetsFailure/changedType(place:column:declared:found:)``.
    func sql() async throws -> String {
        guard !files.isEmpty else {
            let columns = tools.table.columns.map {
                "CAST(NULL AS \($0.type.sqlType)) AS \(SQLText.identifier($0.name))"
            }
            return "SELECT \(columns.joined(separator: ", ")) WHERE false"
        }
        var groups: [(constants: [String: String?], paths: [String])] = []
        for file in files {
            if let last = groups.last, last.constants == file.constants {
                groups[groups.endIndex - 1].paths.append(file.path)
            } else {
                groups.append((file.constants, [file.path]))
            }
        }
        var parts: [String] = []
        for group in groups {
            let source =
                "read_parquet(\(ReaderTools.list(group.paths)), union_by_name = true, hive_partitioning = false)"
            let found = try await tools.describe("SELECT * FROM \(source)")
            let names = Set(found.map(\.name))
            try tools.check(
                found.filter { group.constants[$0.name] == nil }, of: group.paths.first ?? "",
                optional: Set(tools.table.columns.map(\.name)))
            let columns = tools.table.columns.map { column in
                if let constant = group.constants[column.name] {
                    return ReaderTools.kept(constant.map(SQLText.literal) ?? "NULL", column)
                }
                return ReaderTools.kept(names.contains(column.name) ? SQLText.identifier(column.name) : "NULL", column)
            }
            parts.append("SELECT \(columns.joined(separator: ", ")) FROM \(source)")
        }
        return parts.joined(separator: " UNION ALL ")
    }
}
