internal import CZlib

/// Messages compressed by gzip (RFC 1952).
enum Gzip {
    private static let windowBits: Int32 = 15
    private static let gzip: Int32 = 16

    /// - Parameter limit: the most bytes that may come of it, which bounds what a few hostile ones can grow to.
    /// - Throws: `GRPCFailure.messageTooLarge`, `badCompression`.
    static func unpack(_ packed: UnsafeRawBufferPointer, limit: Int) throws(GRPCFailure) -> [UInt8] {
        var stream = z_stream()
        let size = Int32(MemoryLayout<z_stream>.size)
        guard inflateInit2_(&stream, windowBits + gzip, ZLIB_VERSION, size) == Z_OK else {
            throw .badCompression("there is no memory for it")
        }
        defer { inflateEnd(&stream) }
        guard let available = UInt32(exactly: packed.count) else { throw .messageTooLarge(limit: limit) }
        stream.next_in = UnsafeMutablePointer(mutating: packed.bindMemory(to: UInt8.self).baseAddress)
        stream.avail_in = available
        var bytes: [UInt8] = []
        var outcome = Z_OK
        var piece = min(max(packed.count * 4, 4096), 1 << 20)
        while outcome == Z_OK {
            let (have, room) = (bytes.count, min(piece, limit + 1 - bytes.count))
            guard room > 0 else { throw .messageTooLarge(limit: limit) }
            bytes.append(contentsOf: repeatElement(0, count: room))
            let left = bytes.withUnsafeMutableBufferPointer { buffer in
                stream.next_out = buffer.baseAddress?.advanced(by: have)
                stream.avail_out = UInt32(clamping: room)
                outcome = inflate(&stream, Z_NO_FLUSH)
                return Int(stream.avail_out)
            }
            bytes.removeLast(left)
            if outcome == Z_BUF_ERROR || (outcome == Z_OK && left > 0 && stream.avail_in == 0) {
                throw .badCompression("it ends too early")
            }
            piece = min(piece * 2, 8 << 20)
        }
        guard outcome == Z_STREAM_END else {
            throw .badCompression(stream.msg.map { String(cString: $0) } ?? "it is no gzip")
        }
        guard stream.avail_in == 0 else { throw .badCompression("bytes follow its end") }
        guard bytes.count <= limit else { throw .messageTooLarge(limit: limit) }
        return bytes
    }

    /// The bytes compressed at the level of speed; nil where there is no memory for it.
    static func pack(_ bytes: [UInt8]) -> [UInt8]? {
        var stream = z_stream()
        let size = Int32(MemoryLayout<z_stream>.size)
        guard
            let count = UInt32(exactly: bytes.count),
            deflateInit2_(&stream, 1, Z_DEFLATED, windowBits + gzip, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size) == Z_OK
        else { return nil }
        defer { deflateEnd(&stream) }
        let room = Int(deflateBound(&stream, uLong(count)))
        var source = bytes
        return source.withUnsafeMutableBufferPointer { source -> [UInt8]? in
            stream.next_in = source.baseAddress
            stream.avail_in = count
            var outcome = Z_OK
            let packed = [UInt8](unsafeUninitializedCapacity: room) { buffer, written in
                stream.next_out = buffer.baseAddress
                stream.avail_out = UInt32(clamping: buffer.count)
                outcome = deflate(&stream, Z_FINISH)
                written = buffer.count - Int(stream.avail_out)
            }
            return outcome == Z_STREAM_END ? packed : nil
        }
    }
}
