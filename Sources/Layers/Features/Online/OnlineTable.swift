import Basics
import Columnar

/// Entities of a bulk read: values by column, of join keys and of fields that come with the request.
public struct OnlineEntities: Sendable {
    /// In the order in which they are given back.
    public let columns: [(name: String, values: [ScalarValue])]
    public let count: Int

    /// - Throws: ``FeaturesFailure/request(_:remedy:)`` where columns have different lengths.
    public init(_ columns: [(name: String, values: [ScalarValue])]) throws {
        count = columns.first?.values.count ?? 0
        for (name, values) in columns where values.count != count {
            throw FeaturesFailure.request(
                "'\(name)' has \(values.count) values, and '\(columns.first?.name ?? "")' has \(count)",
                remedy: "Give each column as many values as there are entities.")
        }
        self.columns = columns
    }

    /// Values by column.
    public var values: [String: [ScalarValue]] {
        Dictionary(columns.map { ($0.name, $0.values) }) { first, _ in first }
    }

    func slice(_ range: Range<Int>) -> [String: [ScalarValue]] { values.mapValues { Array($0[range]) } }
}

/// Bulk reads as Arrow streams.
extension FeatureStore {
    /// How many entities one bulk read may ask for.
    public static let bulkEntitiesMax = 1_000_000

    /// The entities of an Arrow stream, of which only the columns that a reader takes are read.
    /// - Throws: `ColumnarFailure` for a stream that is none, ``FeaturesFailure`` for columns that are missing.
    public func onlineEntities(arrow stream: [UInt8], for reader: OnlineReader) async throws -> OnlineEntities {
        let names = reader.joinKeys.map(\.name) + reader.neededRequest.map { reader.request[$0].name }
        guard !names.isEmpty else { return try OnlineEntities([]) }
        let limits = ArrowStream.Limits(rows: Int64(Self.bulkEntitiesMax), memoryBytes: 256 << 20)
        let table = try await engine.run { connection in
            try stream.withUnsafeBytes { bytes in
                try connection.withArrow(bytes, limits: limits) { relation in
                    let given = try connection.query("DESCRIBE SELECT * FROM \(relation)").strings("column_name")
                    let known = given.compactMap(\.self)
                    if let missing = names.first(where: { !known.contains($0) }) {
                        throw FeaturesFailure.request(
                            "the entities have no column '\(missing)'",
                            remedy: NearestWord.of(missing, among: known).map { "Did you mean '\($0)'?" }
                                ?? "Their columns are: \(known.joined(separator: ", ")).")
                    }
                    let list = names.map(SQLText.identifier).joined(separator: ", ")
                    return try connection.query("SELECT \(list) FROM \(relation)", context: "the entities")
                }
            }
        }
        return try OnlineEntities(
            zip(table.names, table.columns).map { name, column in
                (name: name, values: (0..<column.count).map { ScalarValue(column[$0]) })
            })
    }

    /// Reads any number of entities as an Arrow stream, a batch for each 10,000.
    ///
    /// Its columns are those of the entities, then `view__feature` for each output; with `details` each is followed by
    /// `view__feature__status` and `view__feature__event_time`. Moments are microseconds in UTC, without a zone.
    ///
    /// - Parameters:
    ///   - moment: as of when, for all of them.
    ///   - sink: takes the bytes of the stream in order.
    public func readOnline(
        _ reader: OnlineReader, _ entities: OnlineEntities, at moment: Timestamp, details: Bool,
        to sink: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws {
        let kinds = entities.columns.map { column in
            reader.joinKeys.first { $0.name == column.name }?.type
                ?? reader.request.first { $0.name == column.name }?.type.scalar ?? ScalarType(of: column.values)
        }
        let template =
            zip(entities.columns, kinds).map { ArrowColumn($0.name, .init($1)) }
            + reader.outputs.flatMap { Self.columns($0, details: details) }
        let bytes = ByteQueue()
        let writer = try ArrowWriter(columns: template) { bytes.append($0) }
        var start = 0
        while start < entities.count {
            let range = start..<min(entities.count, start + OnlineReader.entitiesMax)
            let values = entities.slice(range)
            let keys = try reader.keys(values)
            let request = try reader.requestValues(values, entities: range.count)
            let found = try await readingOnline(reader) {
                try reader.read(keys, request: request, at: moment.microseconds) { batch in
                    reader.outputs.indices.flatMap { Self.columns(batch, $0, details: details) }
                }
            }
            let own = zip(entities.columns, kinds).map { column, kind in
                var made = ArrowColumn(column.name, .init(kind))
                for value in column.values[range] { made.append(value) }
                return made
            }
            try writer.write(own + found)
            try await sink(bytes.take())
            start = range.upperBound
        }
        try writer.finish()
        try await sink(bytes.take())
    }

    private static func columns(_ output: OnlineReader.Output, details: Bool) -> [ArrowColumn] {
        let kind = ArrowColumn.Kind(output.type.scalar)
        let name = output.fullName
        let value = ArrowColumn(name, output.type.isList ? .list(kind) : kind)
        return details
            ? [value, ArrowColumn("\(name)__status", .text), ArrowColumn("\(name)__event_time", .timestamp)] : [value]
    }

    private static func columns(_ batch: OnlineBatch, _ output: Int, details: Bool) -> [ArrowColumn] {
        var made = columns(batch.reader.outputs[output], details: details)
        batch.forEach(output) { value in
            made[0].append(value.cell)
            guard details else { return }
            made[1].append(value.status.name)
            if let time = value.eventTime { made[2].append(time) } else { made[2].appendNull() }
        }
        return made
    }
}

extension OnlineReader {
    /// Refuses entities of a bulk read whose keys or request values are missing or of another type.
    public func check(_ entities: OnlineEntities) throws {
        guard entities.count <= FeatureStore.bulkEntitiesMax else {
            throw FeaturesFailure.request(
                "\(entities.count) entities were asked for in one bulk read, and \(FeatureStore.bulkEntitiesMax) is the most",
                remedy: "Split the call.")
        }
        for start in stride(from: 0, through: max(0, entities.count - 1), by: Self.entitiesMax) {
            let range = start..<min(entities.count, start + Self.entitiesMax)
            let values = entities.slice(range)
            _ = try keys(values)
            _ = try requestValues(values, entities: range.count)
        }
    }
}

/// Bytes between a writer and who takes them.
private final class ByteQueue {
    private var bytes: [UInt8] = []

    func append(_ more: UnsafeRawBufferPointer) { bytes.append(contentsOf: more) }

    func take() -> [UInt8] {
        defer { bytes = [] }
        return bytes
    }
}

extension OnlineStatus {
    /// As it stands in answers, such as `PRESENT`.
    public var name: String {
        switch self {
        case .present: "PRESENT"
        case .nullValue: "NULL_VALUE"
        case .notFound: "NOT_FOUND"
        case .outsideMaxAge: "OUTSIDE_MAX_AGE"
        }
    }
}

extension ScalarType {
    /// The type that values of unknown origin have: that of the first that is not null, else text.
    init(of values: [ScalarValue]) {
        switch values.first(where: { $0 != .null }) {
        case .integer: self = .integer
        case .double: self = .double
        case .boolean: self = .boolean
        case .timestamp: self = .timestamp
        case .string, .null, nil: self = .string
        }
    }
}

extension ScalarValue {
    init(_ value: ColumnarValue) {
        switch value {
        case .null: self = .null
        case .bool(let flag): self = .boolean(flag)
        case .integer(let number): self = .integer(number)
        case .double(let number): self = .double(number)
        case .string(let text): self = .string(text)
        case .timestamp(let moment): self = .timestamp(moment)
        }
    }
}

extension ArrowColumn.Kind {
    init(_ type: ScalarType) {
        switch type {
        case .integer: self = .integer
        case .double: self = .double
        case .float: self = .float
        case .string: self = .text
        case .boolean: self = .boolean
        case .timestamp: self = .timestamp
        }
    }
}

extension ArrowColumn {
    /// Adds a value as it lies in the online store.
    mutating func append(_ cell: OnlineCell) {
        switch cell {
        case .null: appendNull()
        case .integer(let number): append(number)
        case .double(let number): append(number)
        case .float(let number): append(Double(number))
        case .boolean(let flag): append(flag)
        case .timestamp(let moment): append(moment)
        case .text(let text): append(utf8: text)
        case .list(let list): appendList { elements in for element in list { elements.append(element) } }
        }
    }

    /// Adds a value of a column of its type; in a column of texts numbers are written out, as keys of either are equal.
    mutating func append(_ value: ScalarValue) {
        switch value {
        case .null: appendNull()
        case .integer(let number): if kind == .text { append("\(number)") } else { append(number) }
        case .double(let number):
            if kind == .integer, let whole = Int64(exactly: number) { append(whole) } else { append(number) }
        case .boolean(let flag): append(flag)
        case .timestamp(let moment): append(moment.microseconds)
        case .string(let text):
            if kind == .integer, let number = Int64(text) {
                append(number)
            } else if kind == .timestamp, let moment = Timestamp(text) {
                append(moment.microseconds)
            } else {
                append(text)
            }
        }
    }
}
