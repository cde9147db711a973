import Basics
import KeyValue

/// Reads of many entities from many views in one look-up, made ready once for a list of features.
///
/// A reader stays as it was made: after the definitions change, ask the feature store for another.
public final class OnlineReader: Sendable {
    /// One column of the result.
    public struct Output: Sendable, Hashable {
        /// The view, or what a service calls it.
        public let view: String
        public let feature: String
        public let type: FeatureType
        /// Which look-up it comes from.
        let part: Int
        /// Its position in the view.
        let position: Int

        /// `view__feature`.
        public var fullName: String { "\(view)__\(feature)" }
    }

    /// A join key that the caller gives.
    public struct Key: Sendable, Hashable {
        public let name: String
        /// The type of its values, where it is known.
        public let type: ScalarType?
    }

    /// In the order asked for.
    public let outputs: [Output]
    public let joinKeys: [Key]
    /// Fields of the request that the service passes on.
    public let request: [Feature]
    /// Entities of one read at most.
    public static let entitiesMax = 10_000

    let parts: [OnlinePart]
    private let store: any KeyValueStore
    private let table: KeyValueTable

    init(
        outputs: [Output], joinKeys: [Key], request: [Feature], parts: [OnlinePart], store: any KeyValueStore,
        table: KeyValueTable
    ) {
        self.outputs = outputs
        self.joinKeys = joinKeys
        self.request = request
        self.parts = parts
        self.store = store
        self.table = table
    }

    /// Whether a read never waits for a network; if not, reads belong on a thread that may block.
    public var isLocal: Bool { store.isLocal }

    /// Reads all views of all entities in one look-up, and lends the rows to `body`.
    ///
    /// - Parameters:
    ///   - entities: their join keys in the order of ``joinKeys``.
    ///   - moment: as of when, in microseconds since 1970.
    /// - Throws: ``FeaturesFailure/request(_:remedy:)``, `KeyValueFailure`, and what `body` throws.
    public func read<Result>(
        _ entities: OnlineKeys, at moment: Int64, _ body: (OnlineBatch) throws -> Result
    ) throws -> Result {
        guard entities.keysPerEntity == joinKeys.count, entities.ends.count == entities.count * joinKeys.count else {
            throw FeaturesFailure.request(
                "entities were given with other join keys than \(joinKeys.map(\.name).joined(separator: ", "))",
                remedy: "Give a value for each.")
        }
        let count = entities.count
        guard count <= Self.entitiesMax else { throw Self.tooMany(count) }
        return try withUnsafeTemporaryAllocation(
            of: UnsafeRawBufferPointer.self, capacity: max(1, count * parts.count)
        ) { rows in
            let empty = UnsafeRawBufferPointer(start: nil, count: 0)
            rows.initialize(repeating: empty)
            guard count > 0, !parts.isEmpty else { return try body(OnlineBatch(self, count, moment, rows)) }
            return try withKeys(entities) { keys in
                try store.read { transaction in
                    guard !store.isLocal else {
                        // The memory of a local store stays until the read ends.
                        try transaction.withValues(keys, in: table) { index, value in rows[index] = value ?? empty }
                        return try body(OnlineBatch(self, count, moment, rows))
                    }
                    var copies: [UInt8] = []
                    var ranges = [Range<Int>](repeating: 0..<0, count: keys.count)
                    try transaction.withValues(keys, in: table) { index, value in
                        guard let value else { return }
                        ranges[index] = copies.count..<copies.count + value.count
                        copies.append(contentsOf: value)
                    }
                    return try copies.withUnsafeBytes { copies in
                        for index in ranges.indices {
                            rows[index] = UnsafeRawBufferPointer(rebasing: copies[ranges[index]])
                        }
                        return try body(OnlineBatch(self, count, moment, rows))
                    }
                }
            }
        }
    }

    /// Lends the keys of all look-ups: those of the first view by entity, then those of the next.
    private func withKeys<Result>(
        _ entities: OnlineKeys, _ body: (UnsafeBufferPointer<UnsafeRawBufferPointer>) throws -> Result
    ) throws -> Result {
        let values = joinKeys.count
        let count = entities.count
        let room = parts.reduce(0) {
            $0 + count * ($1.prefix.count + 2 * $1.keys.count) + entities.bytes.count * $1.keys.count
        }
        return try withUnsafeTemporaryAllocation(byteCount: room, alignment: 8) { buffer in
            try withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: count * parts.count) { keys in
                try withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: max(1, values)) { given in
                    try entities.bytes.withUnsafeBytes { bytes in
                        var start = 0
                        for (place, part) in parts.enumerated() {
                            for entity in 0..<count {
                                let first = entity * values
                                var key = UnsafeRawBufferPointer(start: nil, count: 0)
                                if !part.keys.contains(where: { entities.isNull(first + $0) }) {
                                    for value in part.keys {
                                        given[value] = UnsafeRawBufferPointer(
                                            rebasing: bytes[entities.range(first + value)])
                                    }
                                    let length = part.keyLength(UnsafeBufferPointer(given))
                                    let written = part.writeKey(
                                        UnsafeBufferPointer(given),
                                        into: UnsafeMutableRawBufferPointer(rebasing: buffer[start..<start + length]))
                                    key = UnsafeRawBufferPointer(rebasing: buffer[start..<start + written])
                                    start += written
                                }
                                keys.initializeElement(at: place * count + entity, to: key)
                            }
                        }
                        return try body(UnsafeBufferPointer(keys))
                    }
                }
            }
        }
    }
}

/// What one read found; valid in the closure that is given it. Entities and outputs are counted from 0.
public struct OnlineBatch {
    public let reader: OnlineReader
    public let entityCount: Int
    /// As of when, in microseconds since 1970.
    public let moment: Int64
    private let rows: UnsafeMutableBufferPointer<UnsafeRawBufferPointer>

    init(
        _ reader: OnlineReader, _ count: Int, _ moment: Int64,
        _ rows: UnsafeMutableBufferPointer<UnsafeRawBufferPointer>
    ) {
        self.reader = reader
        entityCount = count
        self.moment = moment
        self.rows = rows
    }

    /// One value with its status; the event time is that of its row, also where that is too old, in microseconds since
    /// 1970, and nil where there is none.
    public struct Value {
        public let status: OnlineStatus
        public let eventTime: Int64?
        /// Null unless the status is ``OnlineStatus/present``.
        public let cell: OnlineCell
    }

    /// The value of an output for an entity.
    public func value(_ output: Int, of entity: Int) -> Value {
        let column = reader.outputs[output]
        let part = reader.parts[column.part]
        return value(rows[column.part * entityCount + entity], part, column.position)
    }

    /// Hands over the values of an output in the order of the entities.
    public func forEach(_ output: Int, _ body: (Value) throws -> Void) rethrows {
        let column = reader.outputs[output]
        let part = reader.parts[column.part]
        for entity in 0..<entityCount {
            try body(value(rows[column.part * entityCount + entity], part, column.position))
        }
    }

    private func value(_ bytes: UnsafeRawBufferPointer, _ part: OnlinePart, _ position: Int) -> Value {
        guard let row = OnlineRow(bytes, part.layout) else {
            return Value(status: .notFound, eventTime: nil, cell: .null)
        }
        switch part.status(row, at: moment) {
        case .notFound, .nullValue: return Value(status: .notFound, eventTime: nil, cell: .null)
        case .outsideMaxAge: return Value(status: .outsideMaxAge, eventTime: row.eventTime, cell: .null)
        case .present:
            let cell = row.cell(position)
            if case .null = cell { return Value(status: .nullValue, eventTime: row.eventTime, cell: .null) }
            return Value(status: .present, eventTime: row.eventTime, cell: cell)
        }
    }
}
