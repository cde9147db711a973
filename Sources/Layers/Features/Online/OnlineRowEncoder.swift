import Basics
import KeyValue

/// Writes rows as an ``OnlineLayout`` tells, one after another into one buffer.
///
/// Features are set in ascending order; those that are not set are null. NaN is null.
struct OnlineRowEncoder {
    let layout: OnlineLayout
    private(set) var bytes: [UInt8]
    private let blank: [UInt8]
    /// Slots of the texts and lists whose end is still to be written.
    private let variable: [Int]
    private var written = 0

    init(_ layout: OnlineLayout) {
        self.layout = layout
        var blank = [UInt8](repeating: 0, count: layout.headerCount)
        withUnsafeBytes(of: layout.tag.littleEndian) { blank.replaceSubrange(16..<20, with: $0) }
        for index in layout.slots.indices { blank[OnlineLayout.nullsOffset + index >> 3] |= 1 << UInt8(index & 7) }
        self.blank = blank
        variable = layout.slots.filter(\.isVariable).map(\.offset)
        bytes = blank
    }

    /// Begins a row in which everything is null.
    mutating func begin(eventTime: Int64, createdTime: Int64) {
        bytes.removeAll(keepingCapacity: true)
        bytes.append(contentsOf: blank)
        written = 0
        let stamp = KeyValueStamp(eventTime, createdTime)
        bytes.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: stamp.high.bigEndian, as: UInt64.self)
            bytes.storeBytes(of: stamp.low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
    }

    /// The end of the row: all of it lies in ``bytes`` then.
    mutating func finish() { closeVariables(before: .max) }

    /// Sets an integer or a timestamp.
    mutating func set(_ index: Int, integer: Int64) { put(index, integer.littleEndian) }

    mutating func set(_ index: Int, double: Double) {
        if !double.isNaN { put(index, double.bitPattern.littleEndian) }
    }

    mutating func set(_ index: Int, float: Float) {
        if !float.isNaN { put(index, float.bitPattern.littleEndian) }
    }

    mutating func set(_ index: Int, boolean: Bool) { put(index, boolean ? UInt8(1) : 0) }

    mutating func set(_ index: Int, text: UnsafeRawBufferPointer) {
        open(index)
        bytes.append(contentsOf: text)
        close(index)
    }

    /// Sets a list whose elements `element` gives by position, nil for null.
    mutating func set(_ index: Int, listOf count: Int, _ element: (Int) -> OnlineCell) {
        open(index)
        append(UInt32(clamping: count).littleEndian)
        let nulls = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: (count + 7) / 8))
        let type = layout.slots[index].type.scalar
        for position in 0..<count where !append(element(position), type) {
            bytes[nulls + position >> 3] |= 1 << UInt8(position & 7)
        }
        close(index)
    }

    /// Sets a value of the feature's own type; others are null.
    mutating func set(_ index: Int, _ value: FeatureValue) {
        let type = layout.slots[index].type
        switch value {
        case .list(let elements):
            guard type.isList else { return }
            // Texts are kept alive here while their bytes are copied.
            let texts = elements.map { element in
                if case .string(let text) = element { Array(text.utf8) } else { [UInt8]() }
            }
            let all = texts.flatMap { $0 }
            all.withUnsafeBytes { all in
                var starts: [Int] = []
                var start = 0
                for text in texts {
                    starts.append(start)
                    start += text.count
                }
                set(index, listOf: elements.count) { position in
                    let range = starts[position]..<starts[position] + texts[position].count
                    return Self.cell(elements[position], UnsafeRawBufferPointer(rebasing: all[range]))
                }
            }
        case .scalar(let value):
            guard !type.isList else { return }
            switch (type.scalar, value) {
            case (.integer, .integer(let number)): set(index, integer: number)
            case (.timestamp, .timestamp(let moment)): set(index, integer: moment.microseconds)
            case (.double, .double(let number)): set(index, double: number)
            case (.float, .double(let number)): set(index, float: Float(number))
            case (.boolean, .boolean(let flag)): set(index, boolean: flag)
            case (.string, .string(let text)): Array(text.utf8).withUnsafeBytes { set(index, text: $0) }
            default: break
            }
        }
    }

    private static func cell(_ value: ScalarValue, _ text: UnsafeRawBufferPointer) -> OnlineCell {
        switch value {
        case .null: .null
        case .integer(let number): .integer(number)
        case .double(let number): .double(number)
        case .string: .text(text)
        case .boolean(let flag): .boolean(flag)
        case .timestamp(let moment): .timestamp(moment.microseconds)
        }
    }

    /// - Returns: false for null, whose place is filled all the same.
    private mutating func append(_ cell: OnlineCell, _ type: ScalarType) -> Bool {
        switch (type, cell) {
        case (.integer, .integer(let number)): append(number.littleEndian)
        case (.timestamp, .timestamp(let moment)): append(moment.littleEndian)
        case (.double, .double(let number)) where !number.isNaN: append(number.bitPattern.littleEndian)
        case (.float, .float(let number)) where !number.isNaN: append(number.bitPattern.littleEndian)
        case (.float, .double(let number)) where !number.isNaN: append(Float(number).bitPattern.littleEndian)
        case (.boolean, .boolean(let flag)): bytes.append(flag ? 1 : 0)
        case (.string, .text(let text)):
            append(UInt32(clamping: text.count).littleEndian)
            bytes.append(contentsOf: text)
        default:
            bytes.append(contentsOf: repeatElement(0, count: OnlineLayout.width(type)))
            return false
        }
        return true
    }

    private mutating func append<Value: BitwiseCopyable>(_ value: Value) {
        withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
    }

    private mutating func put<Value: BitwiseCopyable>(_ index: Int, _ value: Value) {
        let offset = layout.slots[index].offset
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: value, toByteOffset: offset, as: Value.self) }
        present(index)
    }

    private mutating func present(_ index: Int) {
        bytes[OnlineLayout.nullsOffset + index >> 3] &= ~(1 << UInt8(index & 7))
    }

    private mutating func open(_ index: Int) { closeVariables(before: layout.slots[index].offset) }

    private mutating func close(_ index: Int) {
        closeVariables(before: layout.slots[index].offset + 1)
        present(index)
    }

    /// Writes where the texts and lists of the slots before an offset end: at the present end.
    private mutating func closeVariables(before offset: Int) {
        let end = UInt32(clamping: bytes.count - layout.headerCount).littleEndian
        while written < variable.count, variable[written] < offset {
            let slot = variable[written]
            bytes.withUnsafeMutableBytes { $0.storeBytes(of: end, toByteOffset: slot, as: UInt32.self) }
            written += 1
        }
    }
}
