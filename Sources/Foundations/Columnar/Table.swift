import Basics

/// Named columns of equal length.
public struct Table: Sendable {
    /// The columns' names, in order, each once.
    public let names: [String]
    /// The columns, in the order of `names`.
    public let columns: [Column]
    public let rowCount: Int
    private let positions: [String: Int]

    /// - Throws: `ColumnarFailure` where lengths differ or a name occurs twice.
    public init(_ members: [(name: String, column: Column)]) throws {
        rowCount = members.first?.column.count ?? 0
        var positions: [String: Int] = [:]
        for (index, member) in members.enumerated() {
            guard member.column.count == rowCount else {
                throw ColumnarFailure(
                    .invalidArgument,
                    "column '\(member.name)' has \(member.column.count) rows where the table has \(rowCount)")
            }
            guard positions.updateValue(index, forKey: member.name) == nil else {
                throw ColumnarFailure(
                    .invalidArgument, "two columns are named '\(member.name)'", remedy: "Rename one with AS.")
            }
        }
        self.positions = positions
        names = members.map(\.name)
        columns = members.map(\.column)
    }

    /// Whether there is a column of this exact name.
    public func has(_ name: String) -> Bool { positions[name] != nil }

    /// - Throws: `ColumnarFailure` where there is no such column.
    public func column(_ name: String) throws -> Column {
        guard let index = positions[name] else {
            throw ColumnarFailure(
                .notFound, "the table has no column '\(name)'",
                remedy: "Its columns are: \(names.joined(separator: ", ")).")
        }
        return columns[index]
    }

    /// The column as doubles, NaN where a row is null; booleans are 0 and 1, integers the nearest double.
    /// - Throws: `ColumnarFailure` where there is no such column or it holds texts or times.
    public func doubles(_ name: String) throws -> [Double] {
        let column = try column(name)
        func widened<Value>(_ array: [Value], _ convert: (Value) -> Double) -> [Double] {
            guard let validity = column.validity else { return array.map(convert) }
            return zip(array, validity).map { $1 ? convert($0) : .nan }
        }
        switch column.values {
        case .doubles(let array): return column.validity == nil ? array : widened(array) { $0 }
        case .float32s(let array): return widened(array) { Double($0) }
        case .int32s(let array): return widened(array) { Double($0) }
        case .int64s(let array): return widened(array) { Double($0) }
        case .bools(let array): return widened(array) { $0 ? 1 : 0 }
        case .strings, .timestamps: throw mismatch(name, column, "numbers", "DOUBLE")
        }
    }

    /// The column as integers, nil where a row is null.
    /// - Throws: `ColumnarFailure` where there is no such column or it holds something else.
    public func integers(_ name: String) throws -> [Int64?] {
        let column = try column(name)
        switch column.values {
        case .int64s(let array): return column.optional(array) { $0 }
        case .int32s(let array): return column.optional(array) { Int64($0) }
        default: throw mismatch(name, column, "integers", "BIGINT")
        }
    }

    /// The column as texts, nil where a row is null.
    /// - Throws: `ColumnarFailure` where there is no such column or it holds something else.
    public func strings(_ name: String) throws -> [String?] {
        let column = try column(name)
        guard case .strings(let vector) = column.values else { throw mismatch(name, column, "texts", "VARCHAR") }
        return (0..<vector.count).map { column.isValid($0) ? vector[$0] : nil }
    }

    /// The column as moments, nil where a row is null.
    /// - Throws: `ColumnarFailure` where there is no such column or it holds something else.
    public func timestamps(_ name: String) throws -> [Timestamp?] {
        let column = try column(name)
        guard case .timestamps(let array) = column.values else { throw mismatch(name, column, "times", "TIMESTAMP") }
        return column.optional(array) { Timestamp(microseconds: $0) }
    }

    /// The column as booleans, nil where a row is null.
    /// - Throws: `ColumnarFailure` where there is no such column or it holds something else.
    public func bools(_ name: String) throws -> [Bool?] {
        let column = try column(name)
        guard case .bools(let array) = column.values else { throw mismatch(name, column, "booleans", "BOOLEAN") }
        return column.optional(array) { $0 }
    }

    /// One cell; null for a row outside of the table. For single cells only: loops take a whole column.
    /// - Throws: `ColumnarFailure` where there is no such column.
    public func value(_ name: String, _ row: Int = 0) throws -> ColumnarValue { try column(name)[row] }

    private func mismatch(_ name: String, _ column: Column, _ wanted: String, _ type: String) -> ColumnarFailure {
        ColumnarFailure(
            .invalidArgument, "column '\(name)' holds \(column.typeName), not \(wanted)",
            remedy: "Write CAST(\(SQLText.identifier(name)) AS \(type)) in the query.")
    }
}

extension Column {
    fileprivate func optional<Value, Result>(_ array: [Value], _ convert: (Value) -> Result) -> [Result?] {
        guard let validity else { return array.map(convert) }
        return zip(array, validity).map { $1 ? convert($0) : nil }
    }
}
