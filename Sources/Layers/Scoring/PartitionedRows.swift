import Basics
import Columnar

/// The rows of a table in Parquet files, in one order, from which any range can be read.
struct PartitionedRows: Sendable {
    struct File: Sendable {
        let path: String
        let rows: Int64
    }

    let files: [File]
    let columns: [TableColumn]
    let rowCount: Int64

    /// What a row's place is called in queries.
    static let place = "place in the input"

    init(files: [File], columns: [TableColumn]) {
        self.files = files
        self.columns = columns
        rowCount = files.reduce(0) { $0 + $1.rows }
    }

    /// Looks at files that have the columns.
    static func of(
        _ paths: [String], columns: [TableColumn], _ engine: ColumnarEngine
    ) async throws -> PartitionedRows {
        var files: [File] = []
        for path in paths {
            let found = try await engine.query(
                "SELECT num_rows FROM parquet_file_metadata([\(SQLText.literal(path))])", context: path)
            files.append(File(path: path, rows: try found.integers("num_rows").first.flatMap { $0 } ?? 0))
        }
        return PartitionedRows(files: files, columns: columns)
    }

    /// A query of rows with their places.
    /// - Parameters:
    ///   - range: places in the order of the files, from 0.
    ///   - expressions: what is read beside the place, as SQL.
    func select(_ range: Range<Int64>, _ expressions: [String]) -> String {
        var parts: [String] = []
        var start: Int64 = 0
        for file in files {
            let end = start + file.rows
            if start < range.upperBound, end > range.lowerBound, file.rows > 0 {
                let from = max(range.lowerBound, start) - start
                let to = min(range.upperBound, end) - start
                parts.append(part(file, base: start, from: from, to: to, expressions))
            }
            start = end
        }
        // No rows, but the same columns.
        if parts.isEmpty, let file = files.first { parts = [part(file, base: 0, from: 0, to: 0, expressions)] }
        return parts.joined(separator: " UNION ALL ")
    }

    private func part(_ file: File, base: Int64, from: Int64, to: Int64, _ expressions: [String]) -> String {
        let place = "file_row_number + \(base) AS \(SQLText.identifier(Self.place))"
        // The whole of a file needs no comparison of each row.
        let bounds = from == 0 && to == file.rows ? "" : " WHERE file_row_number >= \(from) AND file_row_number < \(to)"
        let source = "read_parquet([\(SQLText.literal(file.path.readAsItStands))], file_row_number = true, "
        return "SELECT \(([place] + expressions).joined(separator: ", ")) FROM "
            + "\(source)hive_partitioning = false)\(bounds)"
    }
}

extension String {
    /// A path that the engine takes by the letter: it would take these for wildcards.
    var readAsItStands: String {
        reduce(into: "") { $0 += "*?[".contains($1) ? "[\($1)]" : String($1) }
    }
}
