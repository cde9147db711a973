/// Percent-encoding of RFC 3986.
public enum PercentCoding {
    /// Decodes `%XX`, and `+` as a blank where `form` is set (as in query strings).
    /// - Returns: nil where an escape is cut short or wrong, or the result is no UTF-8 or has a NUL in it.
    public static func decode(_ bytes: some Collection<UInt8>, form: Bool = false) -> String? {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var iterator = bytes.makeIterator()
        while let byte = iterator.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = iterator.next().flatMap(digit), let low = iterator.next().flatMap(digit),
                    high != 0 || low != 0
                else { return nil }
                result.append(high << 4 | low)
            case UInt8(ascii: "+") where form: result.append(UInt8(ascii: " "))
            case 0: return nil
            default: result.append(byte)
            }
        }
        return String(validating: result, as: UTF8.self)
    }

    /// Encodes everything but the unreserved characters; `/` stays where `keepingSlashes` is set.
    public static func encode(_ text: String, keepingSlashes: Bool = false) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var result: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 48...57, 65...90, 97...122, 45, 46, 95, 126: result.append(byte)
            case 47 where keepingSlashes: result.append(byte)
            default: result += [37, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 48...57: byte - 48
        case 65...70: byte - 55
        case 97...102: byte - 87
        default: nil
        }
    }
}
