import Basics
import ObjectStorage
import Records
import Registry

/// That a request was given to an arm of a split, with the probability it had of being given to it.
///
/// On disk, little-endian: format (1 byte, 1), arm, lengths of unit and prediction id (1 byte each), model version, time
/// in microseconds, probability, hash of the split's id (8 bytes each), the unit, the prediction id.
public struct ExposureRecord: Sendable, Equatable {
    /// Position of the arm in the split.
    public var arm: Int
    /// Of the arm; what answered in its place, where it failed, the prediction's own record tells.
    public var version: Int64
    public var time: Timestamp
    /// Above 0, at most 1.
    public var propensity: Double
    public var split: UInt64
    /// What stays with one arm: the value of the endpoint's `split_by` key, or the prediction's id.
    public var unit: [UInt8]
    /// The prediction's.
    public var id: String

    static let headerBytes = 36
    static let bytesMax = headerBytes + 2 * 255

    /// Reads a record; nil where the bytes are not one.
    public init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.headerBytes, bytes[0] == 1,
            bytes.count == Self.headerBytes + Int(bytes[2]) + Int(bytes[3])
        else { return nil }
        func load(_ offset: Int) -> UInt64 {
            UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        let idStart = Self.headerBytes + Int(bytes[2])
        arm = Int(bytes[1])
        version = Int64(bitPattern: load(4))
        time = Timestamp(microseconds: Int64(bitPattern: load(12)))
        propensity = Double(bitPattern: load(20))
        split = load(28)
        unit = Array(bytes[Self.headerBytes..<idStart])
        id = String(decoding: bytes[idStart...], as: UTF8.self)
        guard propensity > 0, propensity <= 1 else { return nil }
    }

    /// Writes a record into `buffer`, which must hold ``bytesMax``; returns the bytes used. A unit of more than 255 bytes is
    /// kept as its hash.
    static func encode(
        into buffer: UnsafeMutableRawBufferPointer, arm: Int, version: Int64, time: Int64, propensity: Double,
        split: UInt64, unit: UnsafeRawBufferPointer, unitHash: UInt64, id: UnsafeRawBufferPointer
    ) -> Int {
        func put(_ unit: UnsafeRawBufferPointer) -> Int {
            buffer[0] = 1
            buffer[1] = UInt8(truncatingIfNeeded: arm)
            buffer[2] = UInt8(truncatingIfNeeded: unit.count)
            buffer[3] = UInt8(truncatingIfNeeded: id.count)
            buffer.storeBytes(of: version.littleEndian, toByteOffset: 4, as: Int64.self)
            buffer.storeBytes(of: time.littleEndian, toByteOffset: 12, as: Int64.self)
            buffer.storeBytes(of: propensity.bitPattern.littleEndian, toByteOffset: 20, as: UInt64.self)
            buffer.storeBytes(of: split.littleEndian, toByteOffset: 28, as: UInt64.self)
            let idStart = headerBytes + unit.count
            UnsafeMutableRawBufferPointer(rebasing: buffer[headerBytes..<idStart]).copyMemory(from: unit)
            UnsafeMutableRawBufferPointer(rebasing: buffer[idStart..<idStart + id.count]).copyMemory(from: id)
            return idStart + id.count
        }
        return unit.count <= 255 ? put(unit) : withUnsafeBytes(of: unitHash.littleEndian) { put($0) }
    }
}

/// A stretch of the exposures of an endpoint.
public struct ExposureReader: Sendable {
    private let records: RecordReader

    init(_ records: RecordReader) { self.records = records }

    /// Hands over the exposures in the order they were kept, each with the position of the one after it. Blocks while it
    /// reads.
    public func read(_ body: (ExposureRecord, RecordPosition) throws -> Void) throws {
        try records.read { logged in
            guard let record = ExposureRecord(logged.bytes) else { return }
            try body(record, logged.next)
        }
    }
}
