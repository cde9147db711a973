import Basics
import CDuckDB

/// Gathers one result column from the vectors of successive chunks. One call per chunk; the loops are typed.
class VectorReader {
    let name: String
    private(set) var count = 0
    private(set) var validity: [Bool]?

    init(name: String) { self.name = name }

    /// Adds the first `rows` rows of a vector.
    final func read(_ vector: OpaquePointer?, rows: Int) throws {
        guard rows > 0, let data = duckdb_vector_get_data(vector) else { return }
        let valid = readValidity(vector, rows: rows)
        try readValues(UnsafeRawPointer(data), rows: rows, valid: valid)
        count += rows
    }

    /// Hands over what was gathered and starts anew.
    final func finish() -> Column {
        defer {
            count = 0
            validity = nil
        }
        return Column(trusted: takeValues(), validity: validity)
    }

    func readValues(_ data: UnsafeRawPointer, rows: Int, valid: ArraySlice<Bool>?) throws {}

    func takeValues() -> Column.Values { .bools([]) }

    /// The flags of these rows, or nil where all have a value.
    private func readValidity(_ vector: OpaquePointer?, rows: Int) -> ArraySlice<Bool>? {
        guard let mask = duckdb_vector_get_validity(vector), VectorReader.hasNull(mask, rows: rows) else {
            validity?.append(contentsOf: repeatElement(true, count: rows))
            return nil
        }
        var flags = validity ?? Array(repeating: true, count: count)
        validity = nil
        flags.reserveCapacity(flags.count + rows)
        for row in 0..<rows { flags.append(mask[row >> 6] >> UInt64(row & 63) & 1 == 1) }
        validity = flags
        return flags.suffix(rows)
    }

    private static func hasNull(_ mask: UnsafeMutablePointer<UInt64>, rows: Int) -> Bool {
        for word in 0..<(rows >> 6) where mask[word] != .max { return true }
        let rest = rows & 63
        return rest > 0 && ~mask[rows >> 6] & (1 << UInt64(rest) - 1) != 0
    }
}

/// Values that lie in the vector as we keep them: copied in bulk.
final class CopyingReader<Value: BitwiseCopyable>: VectorReader {
    private var values: [Value] = []
    private let blank: Value
    private let wrap: ([Value]) -> Column.Values

    init(name: String, blank: Value, wrap: @escaping ([Value]) -> Column.Values) {
        self.blank = blank
        self.wrap = wrap
        super.init(name: name)
    }

    override func readValues(_ data: UnsafeRawPointer, rows: Int, valid: ArraySlice<Bool>?) {
        let start = values.count
        values.append(contentsOf: UnsafeBufferPointer(start: data.assumingMemoryBound(to: Value.self), count: rows))
        guard let valid else { return }
        for (row, flag) in valid.enumerated() where !flag { values[start + row] = blank }
    }

    override func takeValues() -> Column.Values {
        defer { values = [] }
        return wrap(values)
    }
}

/// Values that are converted one by one; `convert` answers nil where the value has no exact counterpart.
final class ConvertingReader<Source: BitwiseCopyable, Value>: VectorReader {
    private var values: [Value] = []
    private let blank: Value
    private let remedy: String
    private let convert: (Source) -> Value?
    private let wrap: ([Value]) -> Column.Values

    init(
        name: String, blank: Value, remedy: String = "", wrap: @escaping ([Value]) -> Column.Values,
        convert: @escaping (Source) -> Value?
    ) {
        self.blank = blank
        self.remedy = remedy
        self.wrap = wrap
        self.convert = convert
        super.init(name: name)
    }

    override func readValues(_ data: UnsafeRawPointer, rows: Int, valid: ArraySlice<Bool>?) throws {
        let source = UnsafeBufferPointer(start: data.assumingMemoryBound(to: Source.self), count: rows)
        values.reserveCapacity(values.count + rows)
        let base = valid?.startIndex ?? 0
        for row in 0..<rows {
            if let valid, !valid[base + row] {
                values.append(blank)
                continue
            }
            guard let value = convert(source[row]) else {
                throw ColumnarFailure(
                    .invalidArgument,
                    "column '\(name)' holds a number in row \(count + row) that no 64-bit type represents exactly",
                    remedy: remedy)
            }
            values.append(value)
        }
    }

    override func takeValues() -> Column.Values {
        defer { values = [] }
        return wrap(values)
    }
}

/// Texts: 16 bytes each, of which the first 4 are the length; up to 12 bytes follow in place, longer ones by pointer.
final class TextReader: VectorReader {
    private var values = StringVector()

    override func readValues(_ data: UnsafeRawPointer, rows: Int, valid: ArraySlice<Bool>?) {
        let base = valid?.startIndex ?? 0
        for row in 0..<rows {
            let slot = data + 16 * row
            if let valid, !valid[base + row] {
                values.append(UnsafeRawBufferPointer(start: nil, count: 0))
                continue
            }
            let length = Int(slot.load(as: UInt32.self))
            let start = length <= 12 ? slot + 4 : slot.load(fromByteOffset: 8, as: UnsafeRawPointer.self)
            values.append(UnsafeRawBufferPointer(start: start, count: length))
        }
    }

    override func takeValues() -> Column.Values {
        defer { values = StringVector() }
        return .strings(values)
    }
}

/// Members of an ENUM: small integers into a dictionary of texts.
final class EnumReader<Index: BitwiseCopyable & BinaryInteger>: VectorReader {
    private var values = StringVector()
    private let dictionary: StringVector

    init(name: String, dictionary: StringVector) {
        self.dictionary = dictionary
        super.init(name: name)
    }

    override func readValues(_ data: UnsafeRawPointer, rows: Int, valid: ArraySlice<Bool>?) {
        let source = UnsafeBufferPointer(start: data.assumingMemoryBound(to: Index.self), count: rows)
        let base = valid?.startIndex ?? 0
        for row in 0..<rows {
            let index = Int(source[row])
            if valid.map({ $0[base + row] }) ?? true, index < dictionary.count {
                values.append(dictionary.utf8(at: index))
            } else {
                values.append(UnsafeRawBufferPointer(start: nil, count: 0))
            }
        }
    }

    override func takeValues() -> Column.Values {
        defer { values = StringVector() }
        return .strings(values)
    }
}
