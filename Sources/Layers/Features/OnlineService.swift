import Basics
import KeyValue

/// A feature service made ready for reading: which keys to look up, and where each value goes in the model's input.
///
/// Keys in the online store are the first 8 bytes of the view's digest and the join key values, each with its length
/// (2 bytes); values are the event time (8 bytes, microseconds) and the features (8 bytes each, NaN for null), all
/// little-endian. A changed view has another digest and so never reads values of the old one.
public final class OnlineService: Sendable {
    public let name: String
    /// The digest of the service with all its views.
    public let digest: Digest
    public let inputNames: [String]
    /// The first inputs come with the request.
    public let requestCount: Int
    public let requestNames: [String]
    /// Join keys the caller gives, in this order.
    public let joinKeys: [String]
    private let parts: [Part]
    private let store: any KeyValueStore
    private let table: KeyValueTable

    struct Part: Sendable {
        var prefix: [UInt8]
        /// Positions in ``joinKeys``.
        var keys: [Int]
        /// Positions in the stored values.
        var positions: [Int]
        var storedCount: Int
        var ttlMicroseconds: Int64
        /// Where its first feature goes, counted after the request's own inputs.
        var firstInput: Int
    }

    static let keyBytesMax = 480

    init(_ service: FeatureService, catalogue: Catalogue, store: any KeyValueStore, table: KeyValueTable) throws {
        name = service.name
        digest = try catalogue.digest(ofService: service.name)
        inputNames = service.inputNames
        requestNames = service.request.map(\.name)
        requestCount = service.request.count
        var joinKeys: [String] = []
        var parts: [Part] = []
        var firstInput = 0
        for selection in service.selections where !selection.isTransform {
            let view = try catalogue.view(selection.source)
            let positions = selection.features.compactMap { view.featureNames.firstIndex(of: $0) }
            let callerKeys = view.joinKeys.map(selection.callerKey)
            for key in callerKeys where !joinKeys.contains(key) { joinKeys.append(key) }
            parts.append(
                Part(
                    prefix: OnlineCodec.prefix(try catalogue.digest(ofView: view.name)),
                    keys: callerKeys.compactMap { joinKeys.firstIndex(of: $0) },
                    positions: positions,
                    storedCount: view.features.count, ttlMicroseconds: view.ttlSeconds.map { $0 * 1_000_000 } ?? .max,
                    firstInput: firstInput))
            firstInput += positions.count
        }
        self.joinKeys = joinKeys
        self.parts = parts
        self.store = store
        self.table = table
    }

    /// Reads the newest stored values as of a moment into the inputs after the request's own: all views in one look-up,
    /// which is one round trip where the store is remote.
    ///
    /// A value is null (NaN) when there is none, when it is older than the view's ttl, or when its event time lies after
    /// the moment asked for.
    ///
    /// - Parameters:
    ///   - keys: a value for each of ``joinKeys``.
    ///   - moment: microseconds since 1970.
    public func read(
        keys: UnsafeBufferPointer<UnsafeRawBufferPointer>, at moment: Int64,
        into inputs: UnsafeMutableBufferPointer<Double>
    ) throws {
        guard !parts.isEmpty else { return }
        let bytes = parts.reduce(0) { $0 + OnlineCodec.length($1, keys) }
        try withUnsafeTemporaryAllocation(byteCount: bytes, alignment: 8) { buffer in
            try withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: parts.count) { lookups in
                var start = 0
                for (index, part) in parts.enumerated() {
                    let end = start + OnlineCodec.length(part, keys)
                    let count = OnlineCodec.key(
                        part, keys, into: UnsafeMutableRawBufferPointer(rebasing: buffer[start..<end]))
                    lookups.initializeElement(
                        at: index, to: UnsafeRawBufferPointer(rebasing: buffer[start..<start + count]))
                    start = end
                }
                try store.read { transaction in
                    try transaction.withValues(UnsafeBufferPointer(lookups), in: table) { index, value in
                        Self.copy(value, parts[index], moment, inputs, requestCount + parts[index].firstInput)
                    }
                }
            }
        }
    }

    private static func copy(
        _ value: UnsafeRawBufferPointer?, _ part: Part, _ moment: Int64,
        _ inputs: UnsafeMutableBufferPointer<Double>, _ target: Int
    ) {
        if let value, value.count == 8 + 8 * part.storedCount {
            let eventTime = Int64(littleEndian: value.loadUnaligned(fromByteOffset: 0, as: Int64.self))
            let (oldest, underflow) = moment.subtractingReportingOverflow(part.ttlMicroseconds)
            if eventTime <= moment, underflow || eventTime >= oldest {
                for (offset, position) in part.positions.enumerated() {
                    let bits = UInt64(
                        littleEndian: value.loadUnaligned(fromByteOffset: 8 + 8 * position, as: UInt64.self))
                    inputs[target + offset] = Double(bitPattern: bits)
                }
                return
            }
        }
        for offset in 0..<part.positions.count { inputs[target + offset] = .nan }
    }
}

/// How keys and values look in the online store.
enum OnlineCodec {
    static func prefix(_ digest: Digest) -> [UInt8] {
        let digits = Array(digest.hex.utf8.prefix(16))
        func nibble(_ byte: UInt8) -> UInt8 { byte < 58 ? byte - 48 : byte - 87 }
        return stride(from: 0, to: 16, by: 2).map { nibble(digits[$0]) << 4 | nibble(digits[$0 + 1]) }
    }

    /// How many bytes a key takes.
    static func length(
        _ part: OnlineService.Part, _ keys: UnsafeBufferPointer<UnsafeRawBufferPointer>
    ) -> Int {
        min(OnlineService.keyBytesMax, part.keys.reduce(part.prefix.count) { $0 + 2 + keys[$1].count })
    }

    /// Writes a key and returns its length; a key that does not fit is cut, and so finds nothing.
    static func key(
        _ part: OnlineService.Part, _ keys: UnsafeBufferPointer<UnsafeRawBufferPointer>,
        into buffer: UnsafeMutableRawBufferPointer
    ) -> Int {
        var count = 0
        for byte in part.prefix {
            buffer[count] = byte
            count += 1
        }
        for index in part.keys {
            let value = keys[index]
            let length = min(value.count, max(0, buffer.count - count - 2))
            buffer[count] = UInt8(truncatingIfNeeded: length)
            buffer[count + 1] = UInt8(truncatingIfNeeded: length >> 8)
            count += 2
            for offset in 0..<length { buffer[count + offset] = value[offset] }
            count += length
            if count + 2 > buffer.count { break }
        }
        return count
    }

    static func key(prefix: [UInt8], values: [String]) -> [UInt8] {
        var key = prefix
        for value in values {
            let bytes = Array(value.utf8)
            key.append(UInt8(truncatingIfNeeded: bytes.count))
            key.append(UInt8(truncatingIfNeeded: bytes.count >> 8))
            key.append(contentsOf: bytes)
        }
        return key
    }

    static func value(eventTime: Int64, features: some Collection<Double>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 + 8 * features.count)
        withUnsafeBytes(of: eventTime.littleEndian) { bytes.append(contentsOf: $0) }
        for feature in features {
            withUnsafeBytes(of: feature.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }
}
