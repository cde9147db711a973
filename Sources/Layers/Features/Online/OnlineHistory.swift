import Basics
import Columnar
import KeyValue

/// A view's history as it is read for the online store: which columns hold what.
struct OnlineHistory: Sendable {
    let view: FeatureView
    let digest: Digest
    let prefix: [UInt8]
    let layout: OnlineLayout
    /// Types of the join keys, nil for those whose texts do not tell.
    let keyTypes: [ScalarType?]
    private let path: String
    private let keys: [Key]
    private let created: String?
    /// The column with the moment from which a row may be used.
    let knowable: String
    /// Whether that moment may be later than the event time.
    let hasLateRows: Bool

    static let knowableColumn = "__knowable"

    /// A join key as keys of the online store hold it.
    private struct Key {
        let expression: String
        let type: ScalarType?
        /// What orders rows as their keys in the store are, which hold each value's length and then its text. Only numbers
        /// below zero come in another order.
        let order: [String]

        init(_ name: String, _ sqlType: String) {
            let column = SQLText.identifier(name)
            let text = "CAST(\(column) AS VARCHAR)"
            let whole = "CAST(CAST(\(column) AS BIGINT) AS VARCHAR)"
            let isWhole = "\(column) = floor(\(column)) AND abs(\(column)) < 9e18"
            let found: (expression: String, type: ScalarType?) =
                switch sqlType {
                case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER":
                    ("CAST(\(column) AS BIGINT)", .integer)
                case "UBIGINT", "HUGEINT", "UHUGEINT": (text, .integer)
                case "BOOLEAN": (column, .boolean)
                case "VARCHAR": (column, .string)
                case "FLOAT", "DOUBLE": ("CASE WHEN \(isWhole) THEN \(whole) ELSE \(text) END", nil)
                case "DATE": ("CAST(\(column) AS TIMESTAMP)", .timestamp)
                default: sqlType.hasPrefix("TIMESTAMP") ? ("CAST(\(column) AS TIMESTAMP)", .timestamp) : (text, nil)
                }
            (expression, type) = found
            switch type {
            case .integer, .timestamp, .boolean: order = [column]
            case .string, .double, .float, nil: order = ["strlen(\(expression))", expression]
            }
        }
    }

    init(
        _ view: FeatureView, definition: Digest, history: Digest, path: String, on connection: ColumnarConnection
    ) throws {
        let columns = try connection.query(
            "DESCRIBE SELECT * FROM read_parquet(\(SQLText.literal(path)))", context: "features/\(view.name)")
        var types: [String: String] = [:]
        for (name, type) in zip(try columns.strings("column_name"), try columns.strings("column_type")) {
            if let name, let type { types[name] = type }
        }
        self.view = view
        self.path = path
        digest = history
        prefix = OnlineKey.prefix(definition)
        layout = OnlineLayout(view.features)
        keys = view.joinKeys.map { Key($0, types[$0] ?? "") }
        keyTypes = keys.map(\.type)
        created = view.createdTime.flatMap { types[$0] == nil ? nil : $0 }
        hasLateRows = types[Self.knowableColumn] != nil
        knowable = hasLateRows ? Self.knowableColumn : view.eventTime
    }

    private var file: String { "read_parquet(\(SQLText.literal(path)), file_row_number = true)" }

    private static let rowNumber = "file_row_number"

    /// The columns that ``OnlineRowReader`` reads.
    private var columns: String {
        func time(_ name: String) -> String { "CAST(\(SQLText.identifier(name)) AS TIMESTAMP)" }
        let fixed = [
            Self.rowNumber, time(knowable), time(view.eventTime), created.map(time) ?? "CAST(NULL AS TIMESTAMP)",
        ]
        let features = view.features.map { "CAST(\(SQLText.identifier($0.name)) AS \($0.type.sqlType))" }
        return (fixed + keys.map(\.expression) + features).joined(separator: ", ")
    }

    /// A moment as SQL; beyond what the engine's moments reach it stands for their ends.
    private static func moment(_ microseconds: Int64) -> String {
        "make_timestamp(\(min(max(microseconds, -(1 << 62)), 1 << 62)))"
    }

    private func conditions(from: Int64? = nil, after: Int64?, through: Int64) -> String {
        let column = SQLText.identifier(knowable)
        var conditions = ["\(column) <= \(Self.moment(through))"]
        if let after { conditions.append("\(column) > \(Self.moment(after))") }
        if let from { conditions.append("\(SQLText.identifier(view.eventTime)) >= \(Self.moment(from))") }
        return conditions.joined(separator: " AND ")
    }

    /// SQL that makes a temporary table of the positions of the newest row of each entity.
    ///
    /// A history holds per entity only rows that are newer than all that could be known before, so the last one that could
    /// be known is the newest. Only keys and times are read here; the rows themselves are read once, in order.
    func newestRows(as table: String, _ pending: OnlineMark.Pending) -> String {
        let keys = view.joinKeys.map(SQLText.identifier)
        let known = keys.map { "\($0) IS NOT NULL" }.joined(separator: " AND ")
        return """
            CREATE OR REPLACE TEMP TABLE \(table) AS
            SELECT arg_max(\(Self.rowNumber), \(SQLText.identifier(knowable))) AS position FROM \(file)
            WHERE \(conditions(from: pending.from, after: pending.after, through: pending.through)) AND \(known)
            GROUP BY \(keys.joined(separator: ", "))
            """
    }

    /// SQL for the rows at the positions in a table, in the order of their keys in the store: its pages are then written one
    /// after another and once each.
    /// - Parameter skipped: how many of the first are left out.
    func rows(in table: String, skipping skipped: Int64) -> String {
        """
        SELECT \(columns) FROM \(file) WHERE \(Self.rowNumber) IN (SELECT position FROM \(table))
        ORDER BY \((keys.flatMap(\.order) + [Self.rowNumber]).joined(separator: ", ")) \(skipped > 0 ? "OFFSET \(skipped)" : "")
        """
    }

    /// SQL for all rows that became known in a stretch of time, in that order.
    /// - Parameter limit: how many at most.
    func rows(after: Int64, through: Int64, limit: Int? = nil) -> String {
        """
        SELECT \(columns) FROM \(file) WHERE \(conditions(after: after, through: through))
        ORDER BY \(SQLText.identifier(knowable)), \(Self.rowNumber) \(limit.map { "LIMIT \($0)" } ?? "")
        """
    }
}

/// Turns rows of an ``OnlineHistory`` into keys and values of the online store, straight from the engine's vectors.
struct OnlineRowReader {
    private let prefix: [UInt8]
    private let keyCount: Int
    private var encoder: OnlineRowEncoder
    private var key: [UInt8] = []
    /// Rows left out because a join key is null.
    private(set) var keyless = 0

    /// What is known of a row beside its bytes.
    struct Place {
        /// Its position in the history.
        var row: Int64
        /// Microseconds since 1970.
        var knowable: Int64
        var stamp: KeyValueStamp
    }

    init(_ history: OnlineHistory) {
        prefix = history.prefix
        keyCount = history.keyTypes.count
        encoder = OnlineRowEncoder(history.layout)
    }

    /// Hands over each row; the memory is valid until `body` returns.
    mutating func read(
        _ chunk: ColumnarChunk,
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, Place) throws -> Void
    ) throws {
        guard chunk.columns.count == 4 + keyCount + encoder.layout.slots.count,
            let rows = chunk.columns[0].values(as: Int64.self),
            let knowable = chunk.columns[1].values(as: Int64.self),
            let events = chunk.columns[2].values(as: Int64.self),
            let created = chunk.columns[3].values(as: Int64.self)
        else { return }
        let keys = chunk.columns[4..<4 + keyCount]
        let features = Array(chunk.columns[(4 + keyCount)...])
        let elements = features.map(\.elements)
        for row in 0..<chunk.rowCount {
            guard writeKey(keys, row) else {
                keyless += 1
                continue
            }
            let createdTime = chunk.columns[3].isNull(row) ? Int64.min : created[row]
            encoder.begin(eventTime: events[row], createdTime: createdTime)
            for index in features.indices where !features[index].isNull(row) {
                set(index, features[index], elements[index], row)
            }
            encoder.finish()
            let place = Place(
                row: rows[row], knowable: knowable[row], stamp: KeyValueStamp(events[row], createdTime))
            try key.withUnsafeBytes { key in
                try encoder.bytes.withUnsafeBytes { value in try body(key, value, place) }
            }
        }
    }

    private mutating func set(_ index: Int, _ column: ChunkColumn, _ elements: ChunkColumn?, _ row: Int) {
        if case .list = column.kind {
            guard let elements else { return }
            let range = column.range(at: row)
            encoder.set(index, listOf: range.count) { Self.cell(elements, range.lowerBound + $0) }
            return
        }
        switch Self.cell(column, row) {
        case .null, .list: break
        case .integer(let number), .timestamp(let number): encoder.set(index, integer: number)
        case .double(let number): encoder.set(index, double: number)
        case .float(let number): encoder.set(index, float: number)
        case .boolean(let flag): encoder.set(index, boolean: flag)
        case .text(let text): encoder.set(index, text: text)
        }
    }

    private static func cell(_ column: ChunkColumn, _ row: Int) -> OnlineCell {
        guard !column.isNull(row) else { return .null }
        switch column.kind {
        case .double: return column.values(as: Double.self).map { .double($0[row]) } ?? .null
        case .int64: return column.values(as: Int64.self).map { .integer($0[row]) } ?? .null
        case .int32: return column.values(as: Int32.self).map { .integer(Int64($0[row])) } ?? .null
        case .float: return column.values(as: Float.self).map { .float($0[row]) } ?? .null
        case .boolean: return column.values(as: UInt8.self).map { .boolean($0[row] != 0) } ?? .null
        case .timestamp: return column.values(as: Int64.self).map { .timestamp($0[row]) } ?? .null
        case .text: return .text(column.text(at: row))
        case .list: return .null
        }
    }

    /// - Returns: false where a join key is null.
    private mutating func writeKey(_ columns: ArraySlice<ChunkColumn>, _ row: Int) -> Bool {
        key.removeAll(keepingCapacity: true)
        key.append(contentsOf: prefix)
        for column in columns {
            let start = key.count
            key.append(0)
            key.append(0)
            switch Self.cell(column, row) {
            case .text(let text): key.append(contentsOf: text)
            case .integer(let number), .timestamp(let number): append(decimal: number)
            case .boolean(let flag): key.append(contentsOf: (flag ? "true" : "false").utf8)
            case .null, .double, .float, .list: return false
            }
            let length = key.count - start - 2
            key[start] = UInt8(truncatingIfNeeded: length)
            key[start + 1] = UInt8(truncatingIfNeeded: length >> 8)
        }
        if key.count > OnlineKey.bytesMax {
            key = key.withUnsafeBytes { OnlineKey.shortened($0, prefix: prefix) }
        }
        return true
    }

    private mutating func append(decimal number: Int64) {
        if number < 0 { key.append(UInt8(ascii: "-")) }
        let start = key.count
        var rest = number.magnitude
        repeat {
            key.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        key[start...].reverse()
    }
}
