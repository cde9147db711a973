import Aggregations
import Basics
import Columnar
import Datasets

/// Computes the history of a view of windows: the events of its source, sorted by entity and moment of publishing, go
/// through the same code as those of a stream, and each moment at which a value may change gives a row.
///
/// Memory holds what the engine needs to sort, some thousands of events, and the state of one entity.
struct WindowHistory: Sendable {
    let features: FeatureStore
    let view: FeatureView
    let source: EventsDefinition
    /// The engine's table with the events of the source.
    let table: String

    init(features: FeatureStore, view: FeatureView, source: EventsDefinition, table: String? = nil) {
        self.features = features
        self.view = view
        self.source = source
        self.table = table ?? source.name
    }

    struct Outcome<Content: Sendable>: Sendable {
        /// What came of the rows.
        var content: Content
        /// Events without a join key.
        var keyless: Int64
        var counts: HistoryBuilder.Counts
    }

    /// How many rows are handed to the engine at once.
    private static let batchRows = 50_000

    private var context: String { "features/\(view.name)" }
    private var keys: [String] { view.joinKeys.map(SQLText.identifier) }

    /// The column of a stream's table with the order of arrival; the rows of a query's result are in that order.
    static let sequence = "__sequence"

    /// Computes the rows, and lets them be used while they are there.
    ///
    /// - Parameter use: takes a query of the rows, in order of moment and join keys.
    func compute<Content: Sendable>(_ use: (String) async throws -> Content) async throws -> Outcome<Content> {
        let number = features.scratchNumber()
        let (keyTable, rowTable) = ("window_keys_\(number)", "window_rows_\(number)")
        let engine = features.engine
        do {
            let (counts, keyless) = try await BlockingThread(name: "features.windows").run {
                try write(from: engine.connect(), to: engine.connect(), keyTable, rowTable)
            }
            let list =
                keys.map { "k.\($0)" } + ["r.moment AS \(SQLText.identifier(view.eventTime))"]
                + view.features.enumerated().map { index, feature in
                    "\(WindowRows.expression("r.\(WindowRows.columnName(index))", of: feature.type)) AS "
                        + SQLText.identifier(feature.name)
                }
            let order = (["r.moment"] + keys.map { "k.\($0)" }).joined(separator: ", ")
            let content = try await use(
                "SELECT \(list.joined(separator: ", ")) FROM \(rowTable) AS r JOIN \(keyTable) AS k "
                    + "ON r.entity = k.entity ORDER BY \(order)")
            try await drop(keyTable, rowTable)
            return Outcome(content: content, keyless: keyless, counts: counts)
        } catch {
            try? await drop(keyTable, rowTable)
            throw error
        }
    }

    private func drop(_ tables: String...) async throws {
        for table in tables { try await features.engine.execute("DROP TABLE IF EXISTS \(table)", context: context) }
    }

    private func write(
        from reader: ColumnarConnection, to writer: ColumnarConnection, _ keyTable: String, _ rowTable: String
    ) throws -> (HistoryBuilder.Counts, Int64) {
        let events = SQLText.identifier(table)
        let eventTime = SQLText.identifier(source.eventTime)
        let known = keys.map { "\($0) IS NOT NULL" }.joined(separator: " AND ")
        let found = try reader.query(
            """
            SELECT count(*) FILTER (\(eventTime) IS NULL) AS timeless, count(*) FILTER (NOT (\(known))) AS keyless
            FROM \(events)
            """, context: context)
        guard try found.count("timeless") == 0 else {
            throw FeaturesFailure.badView(view: view.name, problem: "\(source.eventTime) is null in some events")
        }
        let plan = try view.windowPlan(
            columnTypes: try columnTypes(reader), latenessSeconds: source.stream?.latenessSeconds)
        try reader.execute(
            """
            CREATE TABLE \(keyTable) AS SELECT row_number() OVER () - 1 AS entity, k.*
            FROM (SELECT DISTINCT \(keys.joined(separator: ", ")) FROM \(events) WHERE \(known)) AS k
            """, context: context)
        try writer.execute(
            "CREATE TABLE \(rowTable) (\(WindowRows.tableColumns(view.features)))", context: context)
        var builder = HistoryBuilder(plan: plan)
        var rows = WindowRows(view.features)
        func emit(_ key: [UInt8], _ row: WindowRow) throws {
            try rows.append(entity: Self.number(key), row)
            guard rows.count >= Self.batchRows else { return }
            try writer.append(try rows.table(), to: rowTable)
            rows.removeAll()
        }
        var entity: Int64 = -1
        var key: [UInt8] = []
        try reader.chunks(query(plan, events, keyTable), context: context) { chunk in
            guard chunk.columns.count == 4 + plan.columns.count,
                let entities = chunk.columns[0].values(as: Int64.self),
                let happened = chunk.columns[1].values(as: Int64.self),
                let available = chunk.columns[2].values(as: Int64.self),
                let sequences = chunk.columns[3].values(as: Int64.self)
            else { throw FeaturesFailure.badView(view: view.name, problem: "its source gives other columns") }
            let columns = Array(chunk.columns[4...])
            for row in 0..<chunk.rowCount {
                if entities[row] != entity || key.isEmpty {
                    entity = entities[row]
                    key = Self.bytes(entity)
                }
                try builder.add(
                    key: key,
                    WindowEvent(
                        eventTime: happened[row], availableTime: available[row], sequence: sequences[row],
                        values: columns.map { Self.value($0, row) }),
                    emit: emit)
            }
        }
        try builder.finish(emit: emit)
        if rows.count > 0 { try writer.append(try rows.table(), to: rowTable) }
        return (builder.counts, try found.count("keyless"))
    }

    private func query(_ plan: WindowPlan, _ events: String, _ keyTable: String) -> String {
        func time(_ name: String) -> String { "epoch_us(CAST(e.\(SQLText.identifier(name)) AS TIMESTAMP))" }
        // Events of a table count in the order of its rows.
        let numbered = "(SELECT *, row_number() OVER () AS \(Self.sequence) FROM \(events))"
        let ordered = source.stream == nil ? numbered : events
        let columns = plan.columns.map { column in
            // Single precision widens to the same number.
            let type = column.type == .float ? ScalarType.double : column.type
            let value = "CAST(e.\(SQLText.identifier(column.name)) AS \(column.type.sqlType))"
            return type == column.type ? value : "CAST(\(value) AS \(type.sqlType))"
        }
        let list =
            ["k.entity", time(source.eventTime), time(source.availableAt), "CAST(e.\(Self.sequence) AS BIGINT)"]
            + columns
        let join = keys.map { "e.\($0) = k.\($0)" }.joined(separator: " AND ")
        return """
            SELECT \(list.joined(separator: ", ")) FROM \(ordered) AS e JOIN \(keyTable) AS k ON \(join)
            ORDER BY 1, 3, 4
            """
    }

    /// The types of the source's columns, as far as values can be of them.
    private func columnTypes(_ connection: ColumnarConnection) throws -> [String: ScalarType] {
        let found = try connection.query(
            "DESCRIBE SELECT * FROM \(SQLText.identifier(table))", context: context)
        var types: [String: ScalarType] = [:]
        for (name, type) in zip(try found.strings("column_name"), try found.strings("column_type")) {
            guard let name, let type else { continue }
            switch type {
            case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER":
                types[name] = .integer
            case "BOOLEAN": types[name] = .boolean
            case "FLOAT", "DOUBLE": types[name] = .double
            default:
                types[name] = type.hasPrefix("TIMESTAMP") ? .timestamp : type.hasPrefix("DECIMAL") ? .double : .string
            }
        }
        return types
    }

    private static func value(_ column: ChunkColumn, _ row: Int) -> ScalarValue {
        guard !column.isNull(row) else { return .null }
        switch column.kind {
        case .double: return column.values(as: Double.self).map { .double($0[row]) } ?? .null
        case .int64: return column.values(as: Int64.self).map { .integer($0[row]) } ?? .null
        case .int32: return column.values(as: Int32.self).map { .integer(Int64($0[row])) } ?? .null
        case .float: return column.values(as: Float.self).map { .double(Double($0[row])) } ?? .null
        case .boolean: return column.values(as: UInt8.self).map { .boolean($0[row] != 0) } ?? .null
        case .timestamp:
            return column.values(as: Int64.self).map { .timestamp(Timestamp(microseconds: $0[row])) } ?? .null
        case .text: return .string(String(decoding: column.text(at: row), as: UTF8.self))
        case .list: return .null
        }
    }

    private static func bytes(_ number: Int64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * Int64($0))) }
    }

    private static func number(_ bytes: [UInt8]) -> Int64 {
        bytes.reversed().reduce(0) { $0 << 8 | Int64($1) }
    }
}
