import Basics

/// A value as extremes and sets of distinct values keep it.
protocol SortableKey: Hashable, Comparable, Sendable {
    init?(_ value: ScalarValue, of type: ScalarType)
    func value(of type: ScalarType) -> ScalarValue
    func write(to writer: inout StateWriter)
    init(from reader: inout StateReader) throws(AggregationFailure)
}

/// Numbers, truth values and times, as whole numbers of the same order.
struct NumberKey: SortableKey {
    let raw: Int64

    init?(_ value: ScalarValue, of type: ScalarType) {
        switch type {
        case .double, .float:
            guard let number = value.number else { return nil }
            raw = NumberKey.turned(Int64(bitPattern: number.bitPattern))
        case .integer, .boolean, .timestamp:
            guard let whole = value.wholeNumber else { return nil }
            raw = whole
        case .string: return nil
        }
    }

    /// Binary64 sorts by its bits, except that those of negative numbers sort backwards.
    private static func turned(_ bits: Int64) -> Int64 { bits >= 0 ? bits : bits ^ .max }

    func value(of type: ScalarType) -> ScalarValue {
        switch type {
        case .double, .float: .double(Double(bitPattern: UInt64(bitPattern: NumberKey.turned(raw)))).kept(as: type)
        case .integer: .integer(raw)
        case .boolean: .boolean(raw != 0)
        case .timestamp: .timestamp(Timestamp(microseconds: raw))
        case .string: .null
        }
    }

    func write(to writer: inout StateWriter) { writer.signed(raw) }

    init(from reader: inout StateReader) throws(AggregationFailure) { raw = try reader.signed() }

    static func < (left: NumberKey, right: NumberKey) -> Bool { left.raw < right.raw }
}

/// A text, compared by its UTF-8 and not by what its characters mean.
struct TextKey: SortableKey {
    let text: String

    init?(_ value: ScalarValue, of type: ScalarType) {
        guard case .string(let text) = value, type == .string else { return nil }
        self.text = text
    }

    func value(of type: ScalarType) -> ScalarValue { .string(text) }

    func write(to writer: inout StateWriter) { writer.text(text) }

    init(from reader: inout StateReader) throws(AggregationFailure) { text = try reader.text() }

    static func == (left: TextKey, right: TextKey) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

    static func < (left: TextKey, right: TextKey) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }

    func hash(into hasher: inout Hasher) {
        let isHashed: Void? = text.utf8.withContiguousStorageIfAvailable {
            hasher.combine(bytes: UnsafeRawBufferPointer($0))
        }
        if isHashed == nil { for byte in text.utf8 { hasher.combine(byte) } }
        hasher.combine(0xff as UInt8)
    }
}
