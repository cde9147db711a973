import Basics
import Columnar

/// The query that reads local files of one format, after a look at the schema of each.
struct FileQuery: Sendable {
    let tools: ReaderTools
    let origin: FileOrigin
    /// Paths on this machine, and what they are called in messages.
    let files: [(path: String, name: String)]

    /// - Throws: ``DatasetsFailure/missingColumns(place:columns:found:)``,
    ///   ``DatasetsFailure/changedType(place:column:declared:found:)``, ``DatasetsFailure/badHeader(file:reason:)``, or
    ///   the engine's failure for a file that is not whole.
    func sql() async throws -> String {
        let partitions = partitionColumns
        switch origin.format {
        case .parquet:
            for file in files {
                let found = try await tools.describe("SELECT * FROM read_parquet(\(ReaderTools.list([file.path])))")
                try tools.check(found, of: file.name, optional: partitions)
            }
            let options = "union_by_name = true, \(hive(partitions))"
            return select("read_parquet(\(ReaderTools.list(files.map(\.path))), \(options))")
        case .csv: return try await csv(partitions)
        case .json:
            let columns = tools.table.columns.filter { !partitions.contains($0.name) }
                .map { "\(SQLText.literal($0.name)): \(SQLText.literal($0.type.sqlType))" }.joined(separator: ", ")
            return select(
                "read_json(\(ReaderTools.list(files.map(\.path))), columns = {\(columns)}, \(hive(partitions)))")
        }
    }

    /// Refuses JSON in which a declared column stands nowhere: its rows would all be null.
    /// - Parameter empty: the columns in which there was no value at all.
    func refuseAbsent(_ empty: [String]) async throws {
        guard origin.format == .json else { return }
        let columns = empty.filter { !partitionColumns.contains($0) }
        guard !columns.isEmpty else { return }
        let tests = columns.enumerated().map { index, name in
            "count(*) FILTER (WHERE list_contains(json_keys(json), \(SQLText.literal(name)))) AS c\(index)"
        }
        let keys = try await tools.engine.query(
            "SELECT \(tests.joined(separator: ", ")) FROM read_json_objects("
                + "\(ReaderTools.list(files.map(\.path))), format = 'auto')", context: tools.context)
        var missing: [String] = []
        for (index, name) in columns.enumerated() where try keys.count("c\(index)") == 0 { missing.append(name) }
        guard missing.isEmpty else {
            throw DatasetsFailure.missingColumns(
                place: files.count == 1 ? files.first?.name ?? "" : origin.path, columns: missing, found: [])
        }
    }

    /// Declared columns that the folders of every file tell, as in `year=2013/part-0.parquet`.
    private var partitionColumns: Set<String> {
        let told = files.map { file in
            Set(
                file.name.split(separator: "/").dropLast().compactMap {
                    $0.split(separator: "=").first.map(String.init)
                })
        }
        return Set(tools.table.columns.map(\.name)).filter { name in
            files.allSatisfy { $0.name.contains("\(name)=") } && told.allSatisfy { $0.contains(name) }
        }
    }

    private func hive(_ partitions: Set<String>) -> String {
        partitions.isEmpty
            ? "hive_partitioning = false" : "hive_partitioning = true, hive_types_autocast = false"
    }

    private func select(_ source: String) -> String { "SELECT \(tools.keptColumns) FROM \(source)" }

    private func csv(_ partitions: Set<String>) async throws -> String {
        // Files in a row with the same header are read together.
        var groups: [(header: CSVHeader, paths: [String])] = []
        for file in files {
            let header = try await header(of: file)
            let missing = tools.table.columns.map(\.name).filter {
                !header.names.contains($0) && !partitions.contains($0)
            }
            guard missing.isEmpty else {
                throw DatasetsFailure.missingColumns(place: file.name, columns: missing, found: header.names)
            }
            if let last = groups.last, last.header == header {
                groups[groups.endIndex - 1].paths.append(file.path)
            } else {
                groups.append((header, [file.path]))
            }
        }
        let types = Dictionary(tools.table.columns.map { ($0.name, $0.type.sqlType) }) { first, _ in first }
        let nulls = ([""] + tools.table.nulls).map(SQLText.literal).joined(separator: ", ")
        return groups.map { group in
            let columns = group.header.names.map {
                "\(SQLText.literal($0)): \(SQLText.literal(types[$0] ?? "VARCHAR"))"
            }.joined(separator: ", ")
            return select(
                """
                read_csv(\(ReaderTools.list(group.paths)), auto_detect = false, header = true, \
                delim = \(SQLText.literal(origin.delimiter)), quote = '"', escape = '"', nullstr = [\(nulls)], \
                columns = {\(columns)}, strict_mode = true, parallel = false, \(hive(partitions)))
                """)
        }.joined(separator: " UNION ALL ")
    }

    /// The names in a file's first line, whatever it is packed with.
    private func header(of file: (path: String, name: String)) async throws -> CSVHeader {
        let lines = try await tools.engine.query(
            """
            SELECT line FROM read_csv(\(ReaderTools.list([file.path])), auto_detect = false, header = false, \
            delim = '\u{1}', quote = '', escape = '', columns = {'line': 'VARCHAR'}, strict_mode = false, \
            null_padding = true, ignore_errors = true, parallel = false, hive_partitioning = false) LIMIT 1
            """, context: tools.context)
        return try CSVHeader(
            try lines.strings("line").first.flatMap { $0 } ?? "", delimiter: origin.delimiter.first ?? ",",
            file: file.name)
    }
}
