import Basics

/// One answer of an endpoint, as it is kept: what was asked, by whom it was answered, from which features, how fast.
///
/// On disk: little-endian, in this order: format (1 byte, 1), arm, outcome, length of the id (1 byte), event time and
/// recording time (8 bytes each, microseconds), model version (8), output (8), nanoseconds for the features and for the
/// inference (4 each), nanoseconds for reading the request (4), number of features (4), the id's bytes, the features (8 bytes each, NaN for null).
public struct PredictionRecord: Sendable, Equatable {
    public var id: String
    public var eventTime: Timestamp
    public var recorded: Timestamp
    public var version: Int64
    public var arm: Arm
    public var outcome: Outcome
    public var output: Double
    public var ingestNanoseconds: UInt32
    public var featureNanoseconds: UInt32
    public var inferenceNanoseconds: UInt32
    public var features: [Double]

    /// How the answer came about.
    public enum Outcome: UInt8, Sendable, Codable {
        case answered = 0
        /// The canary failed and the stable version answered in its place; `version` is the one that answered.
        case fallback = 1
    }

    static let headerBytes = 52
    static let idBytesMax = 255
    static let featuresMax = 4096

    /// Bytes a record takes.
    static func size(id: Int, features: Int) -> Int { headerBytes + id + 8 * features }

    /// Reads a record; nil where the bytes are not one.
    public init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.headerBytes, bytes[0] == 1, let arm = Arm(rawValue: bytes[1]),
            let outcome = Outcome(rawValue: bytes[2])
        else { return nil }
        let idCount = Int(bytes[3])
        func load<Value: FixedWidthInteger>(_ offset: Int, _ type: Value.Type) -> Value {
            Value(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
        }
        let count = Int(load(48, UInt32.self))
        guard count <= Self.featuresMax, bytes.count == Self.size(id: idCount, features: count) else { return nil }
        self.arm = arm
        self.outcome = outcome
        eventTime = Timestamp(microseconds: load(4, Int64.self))
        recorded = Timestamp(microseconds: load(12, Int64.self))
        version = load(20, Int64.self)
        output = Double(bitPattern: load(28, UInt64.self))
        featureNanoseconds = load(36, UInt32.self)
        inferenceNanoseconds = load(40, UInt32.self)
        ingestNanoseconds = load(44, UInt32.self)
        id = String(decoding: bytes[Self.headerBytes..<Self.headerBytes + idCount], as: UTF8.self)
        features = (0..<count).map {
            Double(bitPattern: load(Self.headerBytes + idCount + 8 * $0, UInt64.self))
        }
    }

    /// Writes a record into `buffer`, which must hold `size(id:features:)` bytes; returns the bytes used.
    static func encode(
        into buffer: UnsafeMutableRawBufferPointer, id: UnsafeRawBufferPointer, eventTime: Int64, recorded: Int64,
        version: Int64, arm: Arm, outcome: Outcome, output: Double, ingestNanoseconds: UInt32,
        featureNanoseconds: UInt32, inferenceNanoseconds: UInt32, features: UnsafeBufferPointer<Double>
    ) -> Int {
        buffer[0] = 1
        buffer[1] = arm.rawValue
        buffer[2] = outcome.rawValue
        buffer[3] = UInt8(truncatingIfNeeded: id.count)
        buffer.storeBytes(of: eventTime.littleEndian, toByteOffset: 4, as: Int64.self)
        buffer.storeBytes(of: recorded.littleEndian, toByteOffset: 12, as: Int64.self)
        buffer.storeBytes(of: version.littleEndian, toByteOffset: 20, as: Int64.self)
        buffer.storeBytes(of: output.bitPattern.littleEndian, toByteOffset: 28, as: UInt64.self)
        buffer.storeBytes(of: featureNanoseconds.littleEndian, toByteOffset: 36, as: UInt32.self)
        buffer.storeBytes(of: inferenceNanoseconds.littleEndian, toByteOffset: 40, as: UInt32.self)
        buffer.storeBytes(of: ingestNanoseconds.littleEndian, toByteOffset: 44, as: UInt32.self)
        buffer.storeBytes(of: UInt32(features.count).littleEndian, toByteOffset: 48, as: UInt32.self)
        let idEnd = headerBytes + id.count
        UnsafeMutableRawBufferPointer(rebasing: buffer[headerBytes..<idEnd]).copyMemory(from: id)
        UnsafeMutableRawBufferPointer(rebasing: buffer[idEnd..<idEnd + 8 * features.count])
            .copyMemory(from: UnsafeRawBufferPointer(features))
        return idEnd + 8 * features.count
    }
}

/// What turned out to be true of a prediction, known when `time` says.
///
/// On disk: format (1 byte, 1), length of the id (1 byte), value (8 bytes), time (8 bytes, microseconds), the id.
public struct LabelRecord: Sendable, Equatable, Codable {
    public var id: String
    public var value: Double
    public var time: Timestamp

    public init(id: String, value: Double, time: Timestamp) {
        self.id = id
        self.value = value
        self.time = time
    }

    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= 18, bytes[0] == 1, bytes.count == 18 + Int(bytes[1]) else { return nil }
        value = Double(bitPattern: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt64.self)))
        time = Timestamp(microseconds: Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: 10, as: Int64.self)))
        id = String(decoding: bytes[18...], as: UTF8.self)
    }

    func encoded() -> [UInt8] {
        let name = Array(id.utf8.prefix(255))
        var bytes: [UInt8] = [1, UInt8(name.count)]
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: time.microseconds.littleEndian) { bytes.append(contentsOf: $0) }
        return bytes + name
    }
}
