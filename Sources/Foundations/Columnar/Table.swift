import Basics

/// One column in memory: a plain vector of its type, and which of its values are null.
public struct Column: Sendable {
    /// The values; where one is null its place holds something of no meaning.
    public enum Values: Sendable {
        case bool([Bool])
        case integer([Int64])
        case double([Double])
        case string([String])
        /// Microseconds since 1970, UTC.
        case timestamp([Int64])
    }

    public internal(set) var values: Values
    /// True where a value is there; nil where all are.
    public internal(set) var validity: [Bool]?

    func isValid(_ row: Int) -> Bool { validity.map { $0[row] } ?? true }
}

/// The rows of a result, by column.
public struct Table: Sendable {
    public let names: [String]
    public let columns: [Column]
    public let rowCount: Int

    /// The first column of a name, or nil.
    public func column(_ name: String) -> Column? {
        names.firstIndex(of: name).map { columns[$0] }
    }

    /// A numeric or boolean column as doubles, NaN for null; a column that is not there or of another kind is all NaN.
    public func doubles(_ name: String) -> [Double] {
        guard let column = column(name) else { return [Double](repeating: .nan, count: rowCount) }
        let values: [Double]
        switch column.values {
        case .double(let numbers): values = numbers
        case .integer(let numbers): values = numbers.map { Double($0) }
        case .bool(let flags): values = flags.map { $0 ? 1 : 0 }
        case .string, .timestamp: return [Double](repeating: .nan, count: rowCount)
        }
        guard let validity = column.validity else { return values }
        return zip(values, validity).map { $1 ? $0 : .nan }
    }

    /// An integer column, zero for null; a column that is not there or of another kind is empty.
    public func integers(_ name: String) -> [Int64] {
        guard let column = column(name), case .integer(let values) = column.values else { return [] }
        guard let validity = column.validity else { return values }
        return zip(values, validity).map { $1 ? $0 : 0 }
    }

    /// A text column, nil for null; a column that is not there or of another kind is all nil.
    public func strings(_ name: String) -> [String?] {
        guard let column = column(name), case .string(let values) = column.values else {
            return [String?](repeating: nil, count: rowCount)
        }
        guard let validity = column.validity else { return values }
        return zip(values, validity).map { $1 ? $0 : nil }
    }

    /// A column of times, nil for null; a column that is not there or of another kind is all nil.
    public func timestamps(_ name: String) -> [Timestamp?] {
        guard let column = column(name), case .timestamp(let values) = column.values else {
            return [Timestamp?](repeating: nil, count: rowCount)
        }
        return values.indices.map { column.isValid($0) ? Timestamp(microseconds: values[$0]) : nil }
    }

    /// A column of whole numbers or texts as texts, as join keys are written.
    public func texts(_ name: String) -> [String?] {
        guard let column = column(name), case .integer(let values) = column.values else { return strings(name) }
        return values.indices.map { column.isValid($0) ? "\(values[$0])" : nil }
    }

    /// A join key's value as a literal of SQL; nil where it is null.
    public func literal(_ name: String, row: Int) -> String? {
        guard let column = column(name), row < rowCount, column.isValid(row) else { return nil }
        switch column.values {
        case .integer(let values): return "\(values[row])"
        case .string(let values): return SQLText.literal(values[row])
        default: return nil
        }
    }
}
