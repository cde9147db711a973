import Basics
import Synchronization

/// Finds what looks like the name of an object: 64 lower-case hexadecimal digits with none before or after them.
final class DigestScan: Sendable {
    private let found = Mutex<Set<Digest>>([])

    var digests: Set<Digest> { found.withLock { $0 } }

    func read(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= 64 else { return }
        var start = 0
        for index in 0...bytes.count {
            if index < bytes.count, Self.isHexadecimal(bytes[index]) { continue }
            if index - start == 64 {
                let text = String(decoding: bytes[start..<index], as: UTF8.self)
                if let digest = Digest(text) { _ = found.withLock { $0.insert(digest) } }
            }
            start = index + 1
        }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
}
