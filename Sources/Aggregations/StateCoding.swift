import Basics

/// Writes the parts of a state: whole numbers as variable-length bytes of 7 bits, low first; signed ones folded (zigzag).
struct StateWriter {
    private(set) var bytes: [UInt8] = []

    mutating func byte(_ value: UInt8) { bytes.append(value) }

    mutating func unsigned(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    mutating func signed(_ value: Int64) { unsigned(UInt64(bitPattern: value << 1 ^ value >> 63)) }

    mutating func count(_ value: Int) { unsigned(UInt64(max(0, value))) }

    mutating func fixed(_ value: UInt64) {
        for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift))) }
    }

    mutating func double(_ value: Double) { fixed(value.bitPattern) }

    mutating func text(_ value: String) {
        count(value.utf8.count)
        bytes.append(contentsOf: value.utf8)
    }

    /// The type is not written.
    mutating func value(_ value: ScalarValue) {
        switch value {
        case .null: break
        case .integer(let whole): signed(whole)
        case .double(let number): double(number)
        case .string(let value): text(value)
        case .boolean(let value): byte(value ? 1 : 0)
        case .timestamp(let time): signed(time.microseconds)
        }
    }
}

/// Reads what `StateWriter` wrote. Any bytes whatsoever give a value or a failure.
struct StateReader {
    private let bytes: [UInt8]
    private let tiles: ClosedRange<Int64>
    private var position = 0

    /// - Parameter tile: the width of a tile.
    init(_ bytes: [UInt8], tile: Int64) {
        self.bytes = bytes
        let farthest = WindowGrid.farthestTime / max(1, tile) + 1
        tiles = -farthest...farthest
    }

    var isAtEnd: Bool { position == bytes.count }

    mutating func byte() throws(AggregationFailure) -> UInt8 {
        guard position < bytes.count else { throw .badState("it is cut short") }
        position += 1
        return bytes[position - 1]
    }

    mutating func unsigned() throws(AggregationFailure) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            let next = try byte()
            guard shift < 63 || next <= 1 else { break }
            value |= UInt64(next & 0x7f) << shift
            if next < 0x80 { return value }
        }
        throw .badState("a number is too long")
    }

    mutating func signed() throws(AggregationFailure) -> Int64 {
        let folded = try unsigned()
        return Int64(bitPattern: folded >> 1) ^ -Int64(bitPattern: folded & 1)
    }

    /// How many things follow, each of a byte at least.
    mutating func count() throws(AggregationFailure) -> Int {
        guard let count = Int(exactly: try unsigned()), count <= bytes.count - position else {
            throw .badState("it is shorter than it says")
        }
        return count
    }

    mutating func fixed() throws(AggregationFailure) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 8) { value |= UInt64(try byte()) << shift }
        return value
    }

    mutating func double() throws(AggregationFailure) -> Double { Double(bitPattern: try fixed()) }

    mutating func text() throws(AggregationFailure) -> String {
        let length = try count()
        let slice = bytes[position..<(position + length)]
        guard let text = String(validating: slice, as: UTF8.self) else { throw .badState("a text is not UTF-8") }
        position += length
        return text
    }

    mutating func value(of type: ScalarType) throws(AggregationFailure) -> ScalarValue {
        switch type {
        case .integer: return .integer(try signed())
        case .double, .float: return .double(try double())
        case .string: return .string(try text())
        case .boolean: return .boolean(try byte() != 0)
        case .timestamp: return .timestamp(Timestamp(microseconds: try signed()))
        }
    }

    mutating func time() throws(AggregationFailure) -> Int64 {
        let time = try signed()
        guard WindowGrid.isInRange(time) else { throw .badState("a time is out of range") }
        return time
    }

    /// The number of a tile.
    mutating func tile() throws(AggregationFailure) -> Int64 {
        let number = try signed()
        guard tiles.contains(number) else { throw .badState("a tile is out of range") }
        return number
    }
}
