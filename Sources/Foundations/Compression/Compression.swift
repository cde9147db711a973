internal import CZlib

/// The two codings of HTTP bodies that zlib knows (RFC 1950 to 1952).
public enum Compression: String, Sendable, CaseIterable {
    case gzip
    /// What HTTP calls `deflate`: the zlib format.
    case deflate

    /// 15 bits of window; 16 more ask for gzip's own head and foot.
    private var windowBits: Int32 { self == .gzip ? 31 : 15 }

    /// What zlib checks that both sides mean the same structure by.
    private static let streamSize = Int32(MemoryLayout<z_stream>.size)

    /// - Parameter level: 1 for speed to 9 for size.
    /// - Throws: ``CompressionFailure/outOfMemory``.
    public func compress(_ bytes: UnsafeRawBufferPointer, level: Int = 1) throws(CompressionFailure) -> [UInt8] {
        var stream = z_stream()
        guard
            deflateInit2_(
                &stream, Int32(clamping: level), Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                Self.streamSize)
                == Z_OK
        else { throw .outOfMemory }
        defer { deflateEnd(&stream) }
        return try Self.run(&stream, bytes, capacity: Int(deflateBound(&stream, UInt(bytes.count))), limit: .max) {
            CZlib.deflate(&$0, $1 ? Z_FINISH : Z_NO_FLUSH)
        }
    }

    /// - Parameter limit: how many bytes may come out.
    /// - Throws: ``CompressionFailure`` where the bytes are malformed, cut short or too long.
    public func decompress(_ bytes: UnsafeRawBufferPointer, limit: Int) throws(CompressionFailure) -> [UInt8] {
        var stream = z_stream()
        guard inflateInit2_(&stream, windowBits, ZLIB_VERSION, Self.streamSize) == Z_OK else { throw .outOfMemory }
        defer { inflateEnd(&stream) }
        let (guess, tooMany) = bytes.count.multipliedReportingOverflow(by: 4)
        let capacity = min(limit, tooMany ? limit : guess + 256)
        return try Self.run(&stream, bytes, capacity: capacity, limit: limit) { stream, _ in
            CZlib.inflate(&stream, Z_NO_FLUSH)
        }
    }

    /// Pumps all of `bytes` through `step` until it says that the stream has ended.
    private static func run(
        _ stream: inout z_stream, _ bytes: UnsafeRawBufferPointer, capacity: Int, limit: Int,
        _ step: (inout z_stream, _ isLast: Bool) -> Int32
    ) throws(CompressionFailure) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: max(1, capacity))
        var written = 0
        var read = 0
        while true {
            let (piece, room) = (min(bytes.count - read, 1 << 30), min(output.count - written, 1 << 30))
            let status = output.withUnsafeMutableBytes { output in
                stream.next_in = UnsafeMutablePointer(
                    mutating: bytes.baseAddress.map { ($0 + read).assumingMemoryBound(to: UInt8.self) })
                stream.avail_in = UInt32(piece)
                stream.next_out = output.baseAddress.map { ($0 + written).assumingMemoryBound(to: UInt8.self) }
                stream.avail_out = UInt32(room)
                return step(&stream, read + piece == bytes.count)
            }
            let taken = piece - Int(stream.avail_in)
            let given = room - Int(stream.avail_out)
            read += taken
            written += given
            guard written <= limit else { throw .tooLong(limit: limit) }
            switch status {
            case Z_STREAM_END:
                guard read == bytes.count else { throw .malformed("\(bytes.count - read) bytes follow their end") }
                output.removeLast(output.count - written)
                return output
            case Z_OK, Z_BUF_ERROR:
                if written == output.count {
                    guard output.count <= limit else { throw .tooLong(limit: limit) }
                    // One byte beyond the limit is enough to see that it is passed.
                    let more = min(output.count, limit == .max ? .max : limit - output.count + 1)
                    output.append(contentsOf: repeatElement(0, count: max(1, more)))
                } else if taken == 0, given == 0 {
                    throw .malformed("they end too early")
                }
            case Z_MEM_ERROR: throw .outOfMemory
            default: throw .malformed(stream.msg.map { String(cString: $0) } ?? "zlib says \(status)")
            }
        }
    }
}
