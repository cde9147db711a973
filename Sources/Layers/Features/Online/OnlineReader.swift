import Basics
import KeyValue

/// Reads of many entities from many views in one look-up, made ready once for a list of features.
///
/// A reader stays as it was made: after the definitions change, ask the feature store for another.
public final class OnlineReader: Sendable {
    /// One column of the result.
    public struct Output: Sendable, Hashable {
        /// The view or transform, or what a service calls it.
        public let view: String
        public let feature: String
        public let type: FeatureType
        /// Which look-up it comes from, from 0: outputs of one look-up share their row. Those of a transform have a number
        /// of their own, beyond the look-ups.
        public let part: Int
        /// Its position in the view or the transform.
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
    /// Fields that come with the request: those that a service names, or that transforms need.
    public let request: [Feature]
    /// Places in ``request`` of those that transforms need, in order.
    public let neededRequest: [Int]
    /// Entities of one read at most.
    public static let entitiesMax = 10_000

    let parts: [OnlinePart]
    let transforms: OnlineTransforms
    private let store: any KeyValueStore
    private let table: KeyValueTable

    init(
        outputs: [Output], joinKeys: [Key], request: [Feature], parts: [OnlinePart], transforms: OnlineTransforms,
        store: any KeyValueStore, table: KeyValueTable
    ) {
        self.outputs = outputs
        self.joinKeys = joinKeys
        self.request = request
        self.parts = parts
        self.transforms = transforms
        neededRequest = Set(transforms.computed.flatMap { $0.requested.map(\.request) }).sorted()
        self.store = store
        self.table = table
    }

    /// Whether a read never waits for a network; if not, reads belong on a thread that may block.
    public var isLocal: Bool { store.isLocal }

    /// Reads all views of all entities in one look-up, computes the transforms, and lends the rows to `body`.
    ///
    /// - Parameters:
    ///   - entities: their join keys in the order of ``joinKeys``.
    ///   - request: what came with the request, as ``requestValues(_:entities:)`` gives it.
    ///   - moment: as of when, in microseconds since 1970.
    /// - Throws: ``FeaturesFailure/request(_:remedy:)``, `KeyValueFailure`, and what `body` throws.
    public func read<Result>(
        _ entities: OnlineKeys, request: OnlineRequestValues = .none, at moment: Int64,
        _ body: (OnlineBatch) throws -> Result
    ) throws -> Result {
        guard entities.keysPerEntity == joinKeys.count, entities.ends.count == entities.count * joinKeys.count else {
            throw FeaturesFailure.request(
                "entities were given with other join keys than \(joinKeys.map(\.name).joined(separator: ", "))",
                remedy: "Give a value for each.")
        }
        let count = joinKeys.isEmpty ? request.count : entities.count
        guard count <= Self.entitiesMax else { throw Self.tooMany(count) }
        try check(request, count)
        return try OnlineRows.withRoom(count * parts.count) { found in
            let rows = found.bytes
            let empty = UnsafeRawBufferPointer(start: nil, count: 0)
            guard count > 0, !parts.isEmpty else { return try body(OnlineBatch(self, count, request, moment, found)) }
            return try withKeys(entities) { keys in
                try store.read { transaction in
                    guard !store.isLocal else {
                        // The memory of a local store stays until the read ends.
                        try transaction.withValues(keys, in: table) { index, value in rows[index] = value ?? empty }
                        return try body(OnlineBatch(self, count, request, moment, found))
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
                        return try body(OnlineBatch(self, count, request, moment, found))
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
