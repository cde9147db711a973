/// The text of `grpc-timeout`: up to 8 digits and a unit.
enum GRPCTimeout {
    /// Milliseconds, rounded up; nil where the text is malformed.
    static func milliseconds(_ text: UnsafeRawBufferPointer) -> Int64? {
        guard let unit = text.last, (2...9).contains(text.count) else { return nil }
        var number: Int64 = 0
        for digit in text.dropLast() {
            guard (48...57).contains(digit) else { return nil }
            number = number * 10 + Int64(digit - 48)
        }
        return switch unit {
        case UInt8(ascii: "H"): number * 3_600_000
        case UInt8(ascii: "M"): number * 60_000
        case UInt8(ascii: "S"): number * 1000
        case UInt8(ascii: "m"): number
        case UInt8(ascii: "u"): (number + 999) / 1000
        case UInt8(ascii: "n"): (number + 999_999) / 1_000_000
        default: nil
        }
    }
}
