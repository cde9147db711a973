import Basics
import KeyValue

/// A value of a feature as it lies in a row, without a copy; valid as long as the row's memory.
public enum OnlineCell {
    case null
    case integer(Int64)
    case double(Double)
    case float(Float)
    case boolean(Bool)
    /// Microseconds since 1970.
    case timestamp(Int64)
    /// UTF-8.
    case text(UnsafeRawBufferPointer)
    case list(OnlineList)

    /// A copy of the value.
    public var value: FeatureValue {
        switch self {
        case .null: .null
        case .integer(let number): .scalar(.integer(number))
        case .double(let number): .scalar(.double(number))
        case .float(let number): .scalar(.double(Double(number)))
        case .boolean(let flag): .scalar(.boolean(flag))
        case .timestamp(let moment): .scalar(.timestamp(Timestamp(microseconds: moment)))
        case .text(let bytes): .scalar(.string(String(decoding: bytes, as: UTF8.self)))
        case .list(let list): .list(list.values)
        }
    }

    /// The value as a model takes it: NaN for what is null or no number.
    public var number: Double {
        switch self {
        case .integer(let number): Double(number)
        case .double(let number): number
        case .float(let number): Double(number)
        case .boolean(let flag): flag ? 1 : 0
        case .timestamp(let moment): Double(moment)
        case .null, .text, .list: .nan
        }
    }
}

/// One value of a feature.
public enum FeatureValue: Sendable, Hashable {
    case scalar(ScalarValue)
    /// Null elements are `ScalarValue.null`.
    case list([ScalarValue])

    public static let null = FeatureValue.scalar(.null)
}

/// A row of the online store, read in place. Bytes that are no row of the layout give no values.
struct OnlineRow {
    let bytes: UnsafeRawBufferPointer
    let layout: OnlineLayout
    let eventTime: Int64
    let createdTime: Int64

    /// - Returns: nil where the bytes are no row of the layout.
    init?(_ bytes: UnsafeRawBufferPointer, _ layout: OnlineLayout) {
        guard let times = Self.times(of: bytes, layout) else { return nil }
        self.bytes = bytes
        self.layout = layout
        (eventTime, createdTime) = times
    }

    /// Event time and created time; nil where the bytes are no row of the layout.
    static func times(of bytes: UnsafeRawBufferPointer, _ layout: borrowing OnlineLayout) -> (Int64, Int64)? {
        guard bytes.count >= layout.headerCount, let stamp = KeyValueStamp(of: bytes),
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: OnlineLayout.stampCount, as: UInt32.self))
                == layout.tag
        else { return nil }
        return stamp.numbers
    }

    func isNull(_ index: Int) -> Bool { bytes[OnlineLayout.nullsOffset + index >> 3] >> UInt8(index & 7) & 1 == 1 }

    /// The value of a feature, by its position in the view.
    func cell(_ index: Int) -> OnlineCell {
        guard !isNull(index) else { return .null }
        let slot = layout.slots[index]
        if slot.isVariable { return Self.variable(bytes, slot, headerCount: layout.headerCount) }
        return Self.fixed(bytes, slot.offset, slot.type.scalar)
    }

    /// The value of a number's feature; NaN for null.
    func number(_ index: Int) -> Double {
        guard !isNull(index) else { return .nan }
        let slot = layout.slots[index]
        if slot.type.scalar == .double, !slot.type.isList {
            return Double(
                bitPattern: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: slot.offset, as: UInt64.self)))
        }
        return slot.isVariable ? .nan : Self.fixed(bytes, slot.offset, slot.type.scalar).number
    }

    /// A text or list; null where the bytes do not hold it.
    static func variable(
        _ bytes: UnsafeRawBufferPointer, _ slot: OnlineLayout.Slot, headerCount: Int
    ) -> OnlineCell {
        func end(_ offset: Int) -> Int {
            Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
        }
        let first = headerCount + (slot.before.map(end) ?? 0)
        let last = headerCount + end(slot.offset)
        guard first <= last, last <= bytes.count else { return .null }
        let content = UnsafeRawBufferPointer(rebasing: bytes[first..<last])
        return slot.type.isList ? OnlineList(content, slot.type.scalar).map { .list($0) } ?? .null : .text(content)
    }

    /// A value of fixed length; the bytes must hold it.
    static func fixed(_ bytes: UnsafeRawBufferPointer, _ offset: Int, _ type: ScalarType) -> OnlineCell {
        switch type {
        case .integer: .integer(Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int64.self)))
        case .timestamp: .timestamp(Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int64.self)))
        case .double:
            .double(
                Double(bitPattern: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))))
        case .float:
            .float(
                Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))))
        case .boolean: .boolean(bytes[offset] != 0)
        case .string: .null
        }
    }
}

/// A list in a row: the number of elements (4 bytes), a bit per element that is set where it is null, and the elements;
/// texts with their length in 4 bytes before each.
public struct OnlineList: Sequence {
    public let type: ScalarType
    public let count: Int
    private let bytes: UnsafeRawBufferPointer
    private let start: Int

    /// - Returns: nil where the bytes hold fewer elements than they tell.
    init?(_ bytes: UnsafeRawBufferPointer, _ type: ScalarType) {
        guard bytes.count >= 4 else { return nil }
        count = Int(UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)))
        start = 4 + (count + 7) / 8
        // The smallest element takes a byte, so the product can not overflow once the number itself is possible.
        guard count <= bytes.count, start + count * OnlineLayout.width(type) <= bytes.count else { return nil }
        self.bytes = bytes
        self.type = type
    }

    /// Copies of the elements.
    public var values: [ScalarValue] {
        map { cell in if case .scalar(let value) = cell.value { value } else { .null } }
    }

    public func makeIterator() -> Iterator { Iterator(list: self, offset: start) }

    public struct Iterator: IteratorProtocol {
        let list: OnlineList
        var index = 0
        var offset: Int

        init(list: OnlineList, offset: Int) {
            self.list = list
            self.offset = offset
        }

        public mutating func next() -> OnlineCell? {
            guard index < list.count else { return nil }
            let isNull = list.bytes[4 + index >> 3] >> UInt8(index & 7) & 1 == 1
            index += 1
            guard list.type == .string else {
                let cell = OnlineRow.fixed(list.bytes, offset, list.type)
                offset += OnlineLayout.width(list.type)
                return isNull ? .null : cell
            }
            guard offset + 4 <= list.bytes.count else { return .null }
            let length = Int(UInt32(littleEndian: list.bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
            offset += 4
            guard length <= list.bytes.count - offset else {
                offset = list.bytes.count
                return .null
            }
            defer { offset += length }
            return isNull ? .null : .text(UnsafeRawBufferPointer(rebasing: list.bytes[offset..<offset + length]))
        }
    }
}
