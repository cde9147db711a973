import Basics
import CArrow
import CDuckDB

/// Streams of record batches in Arrow's IPC format, read and written by Apache Arrow's own library.
///
/// The library is opened at the first use (about 30 ms).
public enum ArrowStream {
    /// What a stream from outside may cost.
    public struct Limits: Sendable {
        /// Rows at most.
        public var rows: Int64
        /// Bytes at most beside the stream's own: what compressed batches and dictionaries unpack to.
        public var memoryBytes: Int64

        public init(rows: Int64 = 100_000_000, memoryBytes: Int64 = 1 << 30) {
            self.rows = rows
            self.memoryBytes = memoryBytes
        }
    }

    /// Every stream ends with this, so that one that was cut off between two batches is known from a whole one.
    private static let end: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]

    static func load() throws {
        guard let reason = mw_arrow_load() else { return }
        throw ColumnarFailure(
            .failedPrecondition, "the Arrow library can not be used: \(String(cString: reason))",
            remedy: "Run make setup, or put libmwarrow.so and libarrow.so into lib/ beside bin/.")
    }

    static func checkEnd(_ bytes: UnsafeRawBufferPointer) throws {
        guard bytes.suffix(end.count).elementsEqual(end) else {
            throw refused(
                bytes.isEmpty ? "it is empty" : "it has no end-of-stream mark: it is cut off, or another format")
        }
    }

    static func refused(_ reason: String) -> ColumnarFailure {
        ColumnarFailure(
            .invalidArgument, "the Arrow stream can not be read: \(reason)",
            remedy: "Send one whole stream in Arrow's IPC streaming format.")
    }

    /// Room for a text that the library may write.
    struct Reason {
        fileprivate let buffer: UnsafeMutableBufferPointer<CChar>

        var place: UnsafeMutablePointer<CChar>? { buffer.baseAddress }
        var text: String { String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self) }
    }

    static func withReason<Result>(_ body: (Reason) throws -> Result) rethrows -> Result {
        try withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(MW_ARROW_REASON_SIZE)) { buffer in
            buffer.initialize(repeating: 0)
            return try body(Reason(buffer: buffer))
        }
    }
}

/// Room for a structure of Arrow's C interface, of which the largest has ten words.
struct ArrowMemory {
    private var words: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) =
        (0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
}

extension ColumnarConnection {
    /// Lends the rows of an Arrow stream as a relation of SQL, which spills as any other where it is larger than memory.
    ///
    /// Every batch is checked whole before a query sees it. `body` may run queries on this connection.
    ///
    /// - Parameters:
    ///   - bytes: the whole stream; it must stay until this returns.
    ///   - body: gets the relation's name as it stands in SQL.
    /// - Throws: `ColumnarFailure` (``FailureCode/invalidArgument``) for a stream that is cut off, broken, too large or of
    ///   types that no column has; what `body` throws.
    public func withArrow<Result>(
        _ bytes: UnsafeRawBufferPointer, limits: ArrowStream.Limits = ArrowStream.Limits(),
        _ body: (_ relation: String) throws -> Result
    ) throws -> Result {
        try ArrowStream.load()
        try ArrowStream.checkEnd(bytes)
        let reader = try ArrowStream.withReason { reason in
            guard
                let reader = mw_arrow_reader_new(
                    bytes.baseAddress, bytes.count, max(0, limits.memoryBytes), max(0, limits.rows), reason.place)
            else { throw ArrowStream.refused(reason.text) }
            return reader
        }
        defer { mw_arrow_reader_free(reader) }
        let view = "arrow_\(UInt(bitPattern: reader))"
        guard let stream = mw_arrow_reader_stream(reader) else { throw ArrowStream.refused("it was read already") }
        guard scan(stream, as: view) else {
            throw ArrowStream.refused(
                mw_arrow_reader_failure(reader).map { String(cString: $0) }
                    ?? "it has a column of a type that SQL has not")
        }
        let table = "\(view)_rows"
        defer { _ = try? execute("DROP VIEW IF EXISTS \(view); DROP TABLE IF EXISTS \(table)") }
        do {
            // The engine asks a stream for those columns only that a query uses, which this one can not heed: it would then
            // take one column for another. So the stream is read whole, once.
            try execute("CREATE TEMP TABLE \(table) AS SELECT * FROM \(view)")
        } catch {
            if let reason = mw_arrow_reader_failure(reader) { throw ArrowStream.refused(String(cString: reason)) }
            throw error
        }
        return try body(table)
    }

    /// Writes the rows of a query as an Arrow stream, batch by batch as they are computed.
    ///
    /// - Parameters:
    ///   - query: one SELECT.
    ///   - sink: takes the bytes of the stream in order; they are valid until it returns.
    /// - Returns: how many rows were written.
    /// - Throws: as ``query(_:_:context:)``, and what `sink` throws.
    @discardableResult
    public func writeArrow(
        query: String, context: String? = nil, to sink: (UnsafeRawBufferPointer) throws -> Void
    ) throws -> Int64 {
        try ArrowStream.load()
        return try withoutActuallyEscaping(sink) { sink in
            try results(of: query, context: context) { result in
                try result.arrow { try ArrowWriter(schema: $0, to: sink) }
            }
        }
    }
}
