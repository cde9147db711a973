import Basics
import Columnar
import Datasets
import Foundation

/// A file of entity rows: join keys, the time each row asks for, and any columns besides.
public struct EntityFile: Sendable, Equatable {
    public var path: String
    public var format: TableDefinition.FileFormat
    /// What errors call it.
    public var name: String

    /// - Parameter name: what errors call it; nil takes the file's own.
    public init(path: String, format: TableDefinition.FileFormat, name: String? = nil) {
        self.path = path
        self.format = format
        self.name = name ?? "the entity file \((path as NSString).lastPathComponent)"
    }

    /// The format by the file's ending: `.csv`, `.json`, `.jsonl` or `.ndjson`, else Parquet.
    public init(path: String) {
        let ending = (path as NSString).pathExtension.lowercased()
        self.init(path: path, format: Self.formats[ending] ?? .parquet)
    }

    static let formats: [String: TableDefinition.FileFormat] = [
        "csv": .csv, "json": .json, "jsonl": .json, "ndjson": .json, "parquet": .parquet,
    ]
}

/// Entity rows as they were found, ready for a plan.
struct EntityRows {
    /// A table of SQL with the file's columns, ``HistoryPlan/row`` and ``HistoryPlan/moment``.
    var relation: String
    /// The file's columns with their types, in order.
    var columns: [(name: String, type: String)]
    var time: String
    var count: Int64
    var bounds: ClosedRange<Timestamp>
    /// Join keys that hold whole numbers as floating point.
    var wholeNumbers: Set<String>

    /// Whether so many rows of a view are many more, so that looking for those of the entities asked for pays.
    func isFew(beside rows: Int64) -> Bool { count < rows / 8 }
}

/// What kind of values a type of SQL holds: keys compare within one kind only.
enum KeyKind: String {
    case integer, real, text, boolean, time, other

    init(type: String) {
        switch type {
        case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
            "UHUGEINT":
            self = .integer
        case "FLOAT", "DOUBLE": self = .real
        case "VARCHAR", "UUID": self = .text
        case "BOOLEAN": self = .boolean
        case "DATE": self = .time
        default:
            self =
                type.hasPrefix("TIMESTAMP")
                ? .time : type.hasPrefix("ENUM") ? .text : type.hasPrefix("DECIMAL") ? .real : .other
        }
    }
}

/// Reads a file of entity rows far enough to know that it can be joined.
struct EntityReader {
    let file: EntityFile
    let time: String?
    /// The kind that each join key must have, by the name the file gives it.
    let keys: [String: KeyKind]
    let connection: ColumnarConnection
    /// A file that rows may be kept in while they are worked on.
    let staging: String

    private var place: String { file.name }

    func rows() throws -> EntityRows {
        guard FileManager.default.isReadableFile(atPath: file.path) else {
            throw DatasetsFailure.missingFile(file.path)
        }
        let source = reader(nil)
        var columns = try describe(source)
        for reserved in [HistoryPlan.row, HistoryPlan.moment] where columns.contains(where: { $0.name == reserved }) {
            throw FeaturesFailure.request(
                "\(place) has a column '\(reserved)', a name of the join's own", remedy: "Rename it.")
        }
        let time = try timeColumn(columns)
        for (key, kind) in keys.sorted(by: { $0.key < $1.key }) { try check(key, kind, columns) }
        var table = source
        if file.format != .parquet {
            table = "read_parquet(\(SQLText.literal(staging)))"
            try connection.writeParquet(
                query: "SELECT * FROM \(reader(retyped(columns, time)))", to: staging, context: place)
            columns = try describe(table)
        }
        table = "\(table.dropLast()), file_row_number = true)"
        let list = columns.map { SQLText.identifier($0.name) }.joined(separator: ", ")
        let type = columns.first { $0.name == time }?.type ?? ""
        let moment =
            type == "VARCHAR"
            ? "CAST(CAST(\(SQLText.identifier(time)) AS TIMESTAMPTZ) AS TIMESTAMP)"
            : "CAST(\(SQLText.identifier(time)) AS TIMESTAMP)"
        let relation = """
            (SELECT \(list), file_row_number AS \(HistoryPlan.row), \(moment) AS \(HistoryPlan.moment) FROM \(table))
            """
        return try measured(relation, columns, time)
    }

    private func describe(_ table: String) throws -> [(name: String, type: String)] {
        let found: Table
        do { found = try connection.query("DESCRIBE SELECT * FROM \(table)", context: place) } catch let failure
            as ColumnarFailure where failure.code == .dataLoss
        {
            // They come from a caller: nothing of ours is lost.
            throw FeaturesFailure.request("\(place) is cut short, or no Parquet file", remedy: "Write it again.")
        }
        return zip(try found.strings("column_name"), try found.strings("column_type")).compactMap { name, type in
            guard let name, let type else { return nil }
            return (name, type)
        }
    }

    /// - Parameter types: what the columns are read as; nil has them found out.
    private func reader(_ types: [(name: String, type: String)]?) -> String {
        let path = SQLText.literal(file.path)
        let list = types.map { types in
            "{\(types.map { "\(SQLText.literal($0.name)): \(SQLText.literal($0.type))" }.joined(separator: ", "))}"
        }
        switch file.format {
        case .parquet: return "read_parquet(\(path))"
        case .csv:
            return "read_csv(\(path), header = true, sample_size = -1\(list.map { ", types = \($0)" } ?? ""))"
        case .json:
            return "read_json(\(path), sample_size = -1\(list.map { ", columns = \($0)" } ?? ""))"
        }
    }

    /// Texts take the kind that is needed of them: a key `007` stays a text, and a time keeps its zone.
    private func retyped(_ columns: [(name: String, type: String)], _ time: String) -> [(name: String, type: String)] {
        columns.map { column in
            if column.name == time { return (column.name, "TIMESTAMP WITH TIME ZONE") }
            if file.format == .csv, keys[column.name] == .text { return (column.name, "VARCHAR") }
            return column
        }
    }

    private func timeColumn(_ columns: [(name: String, type: String)]) throws -> String {
        let names = columns.map(\.name)
        if let time {
            guard names.contains(time) else { throw missing("time column", time, names) }
            return time
        }
        if names.contains("event_timestamp") { return "event_timestamp" }
        let stamps = columns.filter { $0.type.hasPrefix("TIMESTAMP") }.map(\.name)
        var times = stamps.isEmpty ? columns.filter { KeyKind(type: $0.type) == .time }.map(\.name) : stamps
        if times.isEmpty, file.format == .json { times = try textsOfTimes(columns) }
        guard let only = times.first, times.count == 1 else {
            throw FeaturesFailure.request(
                times.isEmpty
                    ? "\(place) has no column of times"
                    : "\(place) has several columns of times: \(times.joined(separator: ", "))",
                remedy: "Name the one to use, or call it event_timestamp.")
        }
        return only
    }

    /// JSON has no type for times: the columns in which every text is one.
    private func textsOfTimes(_ columns: [(name: String, type: String)]) throws -> [String] {
        let texts = columns.filter { $0.type == "VARCHAR" && keys[$0.name] == nil }.map(\.name)
        guard !texts.isEmpty else { return [] }
        let counts = texts.enumerated().map { index, name in
            let column = SQLText.identifier(name)
            return "count(\(column)) > 0 AND count(TRY_CAST(\(column) AS TIMESTAMPTZ)) = count(\(column)) AS t\(index)"
        }
        let found = try connection.query(
            "SELECT \(counts.joined(separator: ", ")) FROM \(reader(nil))", context: place)
        return try texts.enumerated().filter { try found.bools("t\($0.offset)").first == true }.map(\.element)
    }

    private func check(_ key: String, _ kind: KeyKind, _ columns: [(name: String, type: String)]) throws {
        guard let column = columns.first(where: { $0.name == key }) else {
            throw missing("join key", key, columns.map(\.name))
        }
        let given = KeyKind(type: column.type)
        let isRead = file.format == .csv && kind == .text
        let isWhole = kind == .integer && given == .real
        // A column without any value has no type that counts.
        let isEmpty = column.type == "\"NULL\"" || column.type == "JSON"
        guard given == kind || isRead || isWhole || isEmpty else {
            // Without rows a text file tells no types.
            guard try connection.query("SELECT 1 AS n FROM \(reader(nil)) LIMIT 1", context: place).rowCount > 0 else {
                throw hasNoRows
            }
            throw FeaturesFailure.request(
                "\(place) holds the join key '\(key)' as \(column.type), where the views have \(kind.rawValue) values",
                remedy: "Write the column in the type of the views' key.")
        }
    }

    private var hasNoRows: FeaturesFailure {
        .request("\(place) has no rows", remedy: "Give it at least one row.")
    }

    private func missing(_ kind: String, _ name: String, _ names: [String]) -> FeaturesFailure {
        let near = NearestWord.of(name, among: names)
        return .request(
            "\(place) has no \(kind) '\(name)'",
            remedy: near.map { "Did you mean '\($0)'?" } ?? "Its columns are: \(names.joined(separator: ", ")).")
    }

    /// Counts the rows and finds their bounds, refusing what no join could answer.
    private func measured(
        _ relation: String, _ columns: [(name: String, type: String)], _ time: String
    ) throws -> EntityRows {
        let whole = columns.filter { keys[$0.name] == .integer && KeyKind(type: $0.type) == .real }.map(\.name)
        let fractions = whole.enumerated().map {
            ", count(*) FILTER (TRY_CAST(\(SQLText.identifier($1)) AS BIGINT) IS DISTINCT FROM \(SQLText.identifier($1))) AS f\($0)"
        }.joined()
        let moment = HistoryPlan.moment
        let found = try connection.query(
            """
            SELECT count(*) AS n, count(*) FILTER (\(moment) IS NULL) AS timeless, min(\(moment)) AS earliest,
                   max(\(moment)) AS latest\(fractions) FROM \(relation)
            """, context: place)
        let count = try found.count("n")
        guard count > 0 else { throw hasNoRows }
        let timeless = try found.count("timeless")
        guard timeless == 0, let earliest = try found.timestamps("earliest").first.flatMap({ $0 }),
            let latest = try found.timestamps("latest").first.flatMap({ $0 }), earliest <= latest
        else {
            throw FeaturesFailure.request(
                "\(place) has \(timeless) of \(count) rows without a time in '\(time)'",
                remedy: "Give each row its time.")
        }
        for (index, key) in whole.enumerated() where try found.count("f\(index)") > 0 {
            throw FeaturesFailure.request(
                "\(place) holds fractions in the join key '\(key)', where the views have integers",
                remedy: "Write whole numbers.")
        }
        return EntityRows(
            relation: relation, columns: columns, time: time, count: count, bounds: earliest...latest,
            wholeNumbers: Set(whole))
    }
}
