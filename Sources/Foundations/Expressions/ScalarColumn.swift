import Basics

/// The values of one input or output for many rows.
public struct ScalarColumn: Sendable, Equatable {
    /// One array of plain values.
    public enum Values: Sendable, Equatable {
        case integers([Int64])
        case doubles([Double])
        case floats([Float])
        /// UTF-8 end to end: row `i` lies from `offsets[i]` to `offsets[i + 1]`.
        case strings(bytes: [UInt8], offsets: [Int])
        case booleans([Bool])
        /// Microseconds since 1970, UTC.
        case timestamps([Int64])
    }

    public let values: Values
    /// Whether each row has a value; nil where all have.
    public let validity: [Bool]?
    /// The number of rows.
    public let count: Int

    /// - Parameter validity: one flag per row, or nil where every row has a value.
    /// - Throws: `wrongRow` where the lengths do not fit, or offsets lie outside the bytes.
    public init(_ values: Values, validity: [Bool]? = nil) throws(ExpressionFailure) {
        let count: Int
        switch values {
        case .integers(let array), .timestamps(let array): count = array.count
        case .doubles(let array): count = array.count
        case .floats(let array): count = array.count
        case .booleans(let array): count = array.count
        case .strings(let bytes, let offsets):
            count = offsets.count - 1
            let ascending = zip(offsets, offsets.dropFirst()).allSatisfy { $0 <= $1 }
            guard let first = offsets.first, let last = offsets.last, first >= 0, last <= bytes.count, ascending else {
                throw .wrongRow("the offsets of a column of strings do not fit its \(bytes.count) bytes")
            }
        }
        if let validity, validity.count != count {
            throw .wrongRow("a column of \(count) values has \(validity.count) validity flags")
        }
        self.init(values, validity, count)
    }

    init(_ values: Values, _ validity: [Bool]?, _ count: Int) {
        self.values = values
        self.validity = validity
        self.count = count
    }

    /// A column of strings.
    public init(strings: [String?]) {
        var builder = ScalarColumnBuilder(.string, capacity: strings.count)
        for text in strings {
            if var text { text.withUTF8 { builder.append(UnsafeRawBufferPointer($0)) } } else { builder.appendNull() }
        }
        self = builder.column()
    }

    /// The value of a row, null where there is no such row.
    public subscript(row: Int) -> ScalarValue {
        guard row >= 0, row < count, validity?[row] ?? true else { return .null }
        switch values {
        case .integers(let array): return .integer(array[row])
        case .doubles(let array): return array[row].isFinite ? .double(array[row]) : .null
        case .floats(let array): return array[row].isFinite ? .double(Double(array[row])) : .null
        case .strings(let bytes, let offsets):
            return .string(String(decoding: bytes[offsets[row]..<offsets[row + 1]], as: UTF8.self))
        case .booleans(let array): return .boolean(array[row])
        case .timestamps(let array): return .timestamp(Timestamp(microseconds: array[row]))
        }
    }
}

/// Grows a column row by row.
struct ScalarColumnBuilder {
    private var integers: [Int64] = []
    private var doubles: [Double] = []
    private var floats: [Float] = []
    private var booleans: [Bool] = []
    private var bytes: [UInt8] = []
    private var offsets: [Int] = [0]
    private var validity: [Bool] = []
    private var nulls = 0
    private let type: ScalarType

    init(_ type: ScalarType, capacity: Int) {
        self.type = type
        validity.reserveCapacity(capacity)
        switch type {
        case .integer, .timestamp: integers.reserveCapacity(capacity)
        case .double: doubles.reserveCapacity(capacity)
        case .float: floats.reserveCapacity(capacity)
        case .string: offsets.reserveCapacity(capacity + 1)
        case .boolean: booleans.reserveCapacity(capacity)
        }
    }

    mutating func appendNull() {
        nulls += 1
        validity.append(false)
        switch type {
        case .integer, .timestamp: integers.append(0)
        case .double: doubles.append(.nan)
        case .float: floats.append(.nan)
        case .string: offsets.append(bytes.count)
        case .boolean: booleans.append(false)
        }
    }

    mutating func append(_ text: UnsafeRawBufferPointer) {
        bytes.append(contentsOf: text)
        offsets.append(bytes.count)
        validity.append(true)
    }

    /// Appends an output of a frame that has run.
    mutating func append(_ output: Int, of frame: ScalarFrame) {
        let register = frame.program.outputRegisters[output]
        guard frame.registers.null(register) == 0 else { return appendNull() }
        switch type {
        case .integer, .timestamp: integers.append(frame.registers.integer(register))
        case .double: doubles.append(frame.registers.double(register))
        case .float: floats.append(Float(frame.registers.double(register)))
        case .boolean: booleans.append(frame.registers.boolean(register))
        case .string: return append(frame.text(register))
        }
        validity.append(true)
    }

    func column() -> ScalarColumn {
        let values: ScalarColumn.Values =
            switch type {
            case .integer: .integers(integers)
            case .timestamp: .timestamps(integers)
            case .double: .doubles(doubles)
            case .float: .floats(floats)
            case .string: .strings(bytes: bytes, offsets: offsets)
            case .boolean: .booleans(booleans)
            }
        return ScalarColumn(values, nulls == 0 ? nil : validity, validity.count)
    }
}
