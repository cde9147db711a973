import Compression

/// Messages compressed by gzip, the one coding beside `identity` that is spoken here.
enum MessageCoding {
    /// - Parameter limit: the most bytes that may come of it, which bounds what a few hostile ones can grow to.
    /// - Throws: `GRPCFailure.messageTooLarge`, `badCompression`.
    static func unpack(_ packed: UnsafeRawBufferPointer, limit: Int) throws(GRPCFailure) -> [UInt8] {
        do {
            return try Compression.gzip.decompress(packed, limit: limit)
        } catch {
            switch error {
            case .tooLong(let limit): throw .messageTooLarge(limit: limit)
            case .malformed(let reason): throw .badCompression(reason)
            case .outOfMemory: throw .connectionFull
            }
        }
    }

    /// The message compressed for speed; nil where there is no memory for it, and it has to go as it is.
    static func pack(_ message: [UInt8]) -> [UInt8]? {
        message.withUnsafeBytes { try? Compression.gzip.compress($0) }
    }
}
