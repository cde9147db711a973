import Basics
import CDuckDB

/// Some thousands of rows of a result as they lie in the engine; valid in the closure that is given them.
public struct ColumnarChunk {
    public let rowCount: Int
    /// In the order of the query.
    public let columns: [ChunkColumn]
}

/// One column of a ``ColumnarChunk``, or the elements of its lists.
public struct ChunkColumn {
    /// What lies at ``values(as:)``.
    public indirect enum Kind: Hashable, Sendable {
        /// One byte each, 0 or 1.
        case boolean
        /// `Int32` each.
        case int32
        /// `Int64` each.
        case int64
        /// `Float` each.
        case float
        /// `Double` each.
        case double
        /// Microseconds since 1970, `Int64` each.
        case timestamp
        /// UTF-8; see ``text(at:)``.
        case text
        /// See ``range(at:)``.
        case list(Kind)
    }

    public let kind: Kind
    public let rowCount: Int
    /// A bit per row, lowest first, which is set where there is a value; nil where all rows have one.
    public let validity: UnsafePointer<UInt64>?
    private let data: UnsafeRawPointer?
    private let vector: OpaquePointer?

    init(_ kind: Kind, _ vector: OpaquePointer?, rows: Int) {
        self.kind = kind
        self.vector = vector
        rowCount = rows
        data = duckdb_vector_get_data(vector).map { UnsafeRawPointer($0) }
        validity = duckdb_vector_get_validity(vector).map { UnsafePointer($0) }
    }

    /// Whether the row has no value.
    /// - Parameter row: in `0..<rowCount`.
    @inlinable
    public func isNull(_ row: Int) -> Bool {
        guard let validity else { return false }
        return validity[row >> 6] >> UInt64(row & 63) & 1 == 0
    }

    /// The values in a row of their own, of the type that ``kind`` tells; those of null rows are undefined.
    public func values<Value: BitwiseCopyable>(as type: Value.Type) -> UnsafePointer<Value>? {
        data?.assumingMemoryBound(to: type)
    }

    /// The text of a row that is not null, in a column of texts.
    public func text(at row: Int) -> UnsafeRawBufferPointer {
        guard let data else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        let slot = data + 16 * row
        let length = Int(slot.load(as: UInt32.self))
        let start = length <= 12 ? slot + 4 : slot.load(fromByteOffset: 8, as: UnsafeRawPointer.self)
        return UnsafeRawBufferPointer(start: start, count: length)
    }

    /// The elements of all lists of this column of lists; nil for other columns.
    public var elements: ChunkColumn? {
        guard case .list(let kind) = kind else { return nil }
        return ChunkColumn(
            kind, duckdb_list_vector_get_child(vector), rows: Int(clamping: duckdb_list_vector_get_size(vector)))
    }

    /// Where the list of a row that is not null lies in ``elements``.
    public func range(at row: Int) -> Range<Int> {
        guard let entries = values(as: (UInt64, UInt64).self) else { return 0..<0 }
        let start = Int(clamping: entries[row].0)
        return start..<start + Int(clamping: entries[row].1)
    }
}

extension ChunkColumn.Kind {
    init(_ type: OpaquePointer?, column: String) throws {
        let kind = DuckDBType.of(type)
        switch kind {
        case .boolean: self = .boolean
        case .integer: self = .int32
        case .bigint: self = .int64
        case .float: self = .float
        case .double: self = .double
        case .timestamp, .timestampWithZone: self = .timestamp
        case .varchar: self = .text
        case .list:
            var child = duckdb_list_type_child_type(type)
            defer { duckdb_destroy_logical_type(&child) }
            self = .list(try Self(child, column: column))
        default:
            throw ColumnarFailure(
                .invalidArgument,
                "column '\(column)' has the type \(kind?.sqlName ?? "of a later release"), which is not read as it lies",
                remedy: "Cast it in the query.")
        }
    }
}
