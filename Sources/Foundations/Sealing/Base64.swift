import CSodium

/// Standard base64 with padding (RFC 4648, section 4), in time that does not depend on what the bytes are.
public enum Base64 {
    private static let variant = Int32(sodium_base64_VARIANT_ORIGINAL)

    /// The text of some bytes.
    public static func text(_ bytes: [UInt8]) -> String {
        bytes.withUnsafeBufferPointer { buffer in buffer.baseAddress.map { text($0, buffer.count) } ?? "" }
    }

    /// The bytes of a text that is base64 and nothing else; nil for any other.
    public static func bytes(_ text: some StringProtocol) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: text.utf8.count / 4 * 3 + 3)
        let capacity = bytes.count
        guard let count = decode(text, into: &bytes, capacity) else { return nil }
        return Array(bytes.prefix(count))
    }

    static func text(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> String {
        // With padding the length depends on the count alone; the last character is the C string's end.
        let size = sodium_base64_encoded_len(count, variant)
        return String(unsafeUninitializedCapacity: size) { out in
            out.withMemoryRebound(to: CChar.self) { text in
                guard let start = text.baseAddress, size > 0,
                    sodium_bin2base64(start, size, bytes, count, variant) != nil
                else { return 0 }
                return size - 1
            }
        }
    }

    /// - Returns: how many bytes were written, or nil where the text is not base64 of at most `capacity` bytes.
    static func decode(_ text: some StringProtocol, into out: UnsafeMutablePointer<UInt8>, _ capacity: Int) -> Int? {
        var text = String(text)
        return text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { characters in
                guard let start = characters.baseAddress else { return 0 }
                var count = 0
                let status = sodium_base642bin(out, capacity, start, characters.count, nil, &count, nil, variant)
                return status == 0 ? count : nil
            }
        }
    }
}
