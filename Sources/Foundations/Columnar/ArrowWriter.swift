import Basics
import CArrow

/// Writes one Arrow stream. For use by one thread at a time; a stream that was not finished has no end-of-stream mark.
public final class ArrowWriter {
    /// What the library hands its bytes to.
    private final class Sink {
        let take: (UnsafeRawBufferPointer) throws -> Void
        var failure: (any Error)?

        init(_ take: @escaping (UnsafeRawBufferPointer) throws -> Void) { self.take = take }
    }

    private let sink: Sink
    private let writer: OpaquePointer

    /// - Parameters:
    ///   - columns: the names and kinds of the stream's columns; their values do not count.
    ///   - sink: takes the bytes in order; they are valid until it returns.
    /// - Throws: `ColumnarFailure`, and what `sink` throws.
    public convenience init(
        columns: [ArrowColumn], to sink: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        try ArrowStream.load()
        try self.init(sink) { context, reason in
            ArrowColumn.withNative(columns) { native in
                mw_arrow_writer_of_columns(native.baseAddress, native.count, Self.callback, context, reason)
            }
        }
    }

    /// - Parameter schema: of Arrow's C interface; taken over.
    convenience init(
        schema: UnsafeMutableRawPointer, to sink: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        try self.init(sink) { mw_arrow_writer_of_schema(schema, Self.callback, $0, $1) }
    }

    private init(
        _ take: @escaping (UnsafeRawBufferPointer) throws -> Void,
        _ make: (UnsafeMutableRawPointer, UnsafeMutablePointer<CChar>?) -> OpaquePointer?
    ) throws {
        let sink = Sink(take)
        self.sink = sink
        writer = try ArrowStream.withReason { reason in
            guard let writer = make(Unmanaged.passUnretained(sink).toOpaque(), reason.place) else {
                throw Self.failure(sink, reason.text)
            }
            return writer
        }
    }

    deinit { mw_arrow_writer_free(writer) }

    /// Writes one batch.
    /// - Parameter columns: as the writer was made for, all of one length.
    public func write(_ columns: [ArrowColumn]) throws {
        let rows = Int64(columns.first?.count ?? 0)
        try call { reason in
            ArrowColumn.withNative(columns) { native in
                mw_arrow_write_columns(writer, native.baseAddress, native.count, rows, reason)
            }
        }
    }

    /// Adds rows that lie in Arrow's C interface, which are taken over.
    func write(array: UnsafeMutableRawPointer) throws { try call { mw_arrow_write_array(writer, array, $0) } }

    /// Ends the stream.
    public func finish() throws { try call { mw_arrow_writer_finish(writer, $0) } }

    private func call(_ body: (UnsafeMutablePointer<CChar>?) -> Int32) throws {
        try ArrowStream.withReason { reason in
            guard body(reason.place) == 0 else { throw Self.failure(sink, reason.text) }
        }
    }

    private static func failure(_ sink: Sink, _ reason: String) -> any Error {
        if let failure = sink.failure { return failure }
        return ColumnarFailure(.internal, "an Arrow stream could not be written: \(reason)")
    }

    private static let callback: mw_arrow_sink = { context, bytes, count in
        guard let context else { return 1 }
        let sink = Unmanaged<Sink>.fromOpaque(context).takeUnretainedValue()
        do {
            try sink.take(UnsafeRawBufferPointer(start: bytes, count: count))
            return 0
        } catch {
            sink.failure = error
            return 1
        }
    }
}
