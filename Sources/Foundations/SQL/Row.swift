import Basics

/// One row of a result, read by column name. A missing column or another type than asked for is an error that says so.
public struct Row: Sendable {
    /// The column names of a statement, shared by its rows.
    final class Layout: Sendable {
        let names: [String]

        init(_ names: [String]) { self.names = names }
    }

    let layout: Layout
    /// The values in the order of the columns.
    public let values: [SQLValue]

    /// The names of the columns, in order.
    public var columns: [String] { layout.names }

    /// The value of a column, whatever its type.
    public func value(_ name: String) throws -> SQLValue {
        // Rows are narrow, so comparing names beats hashing one.
        guard let index = layout.names.firstIndex(of: name), index < values.count else {
            throw SQLFailure.missingColumn(name: name, available: layout.names)
        }
        return values[index]
    }

    public func string(_ name: String) throws -> String { try required(name, "text", optionalString(name)) }
    public func integer(_ name: String) throws -> Int64 { try required(name, "an integer", optionalInteger(name)) }
    public func int(_ name: String) throws -> Int { Int(try integer(name)) }
    public func double(_ name: String) throws -> Double { try required(name, "a number", optionalDouble(name)) }
    public func bytes(_ name: String) throws -> [UInt8] { try required(name, "bytes", optionalBytes(name)) }
    public func bool(_ name: String) throws -> Bool { try integer(name) != 0 }
    /// A moment stored as microseconds.
    public func timestamp(_ name: String) throws -> Timestamp { Timestamp(microseconds: try integer(name)) }
    public func digest(_ name: String) throws -> Digest { try required(name, "a digest", optionalDigest(name)) }

    public func optionalString(_ name: String) throws -> String? {
        switch try value(name) {
        case .null: nil
        case .text(let text): text
        case let other: throw SQLFailure.columnType(name: name, wanted: "text", found: other.kind)
        }
    }

    public func optionalInteger(_ name: String) throws -> Int64? {
        switch try value(name) {
        case .null: nil
        case .integer(let number): number
        case let other: throw SQLFailure.columnType(name: name, wanted: "an integer", found: other.kind)
        }
    }

    /// The number as a double, for integers too.
    public func optionalDouble(_ name: String) throws -> Double? {
        switch try value(name) {
        case .null: nil
        case .double(let number): number
        case .integer(let number): Double(number)
        case let other: throw SQLFailure.columnType(name: name, wanted: "a number", found: other.kind)
        }
    }

    public func optionalBytes(_ name: String) throws -> [UInt8]? {
        switch try value(name) {
        case .null: nil
        case .blob(let bytes): bytes
        case let other: throw SQLFailure.columnType(name: name, wanted: "bytes", found: other.kind)
        }
    }

    public func optionalTimestamp(_ name: String) throws -> Timestamp? {
        try optionalInteger(name).map(Timestamp.init(microseconds:))
    }

    public func optionalDigest(_ name: String) throws -> Digest? {
        guard let text = try optionalString(name) else { return nil }
        guard let digest = Digest(text) else {
            throw SQLFailure.columnType(name: name, wanted: "a digest", found: "other text")
        }
        return digest
    }

    private func required<Value>(_ name: String, _ wanted: String, _ value: Value?) throws -> Value {
        guard let value else { throw SQLFailure.columnType(name: name, wanted: wanted, found: "null") }
        return value
    }
}
