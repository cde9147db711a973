import Basics

/// Writes moments as RFC 3339 in UTC with as many digits of a fraction as are needed: none, 3 or 6. Moments of one day
/// share the work of finding its date.
struct MomentText {
    /// Days since 1970 of the date that is kept.
    private var day = Int64.min
    private var date: (UInt64, UInt64) = (0, 0)
    private static let microsecondsADay: Int64 = 86_400_000_000
    /// What a row that is not there gets.
    static let none: StaticString = "\"1970-01-01T00:00:00Z\""
    /// The longest text with its quotes, of a year with more than four digits.
    static let room = 40

    /// Appends a moment in quotes; it is given in microseconds since 1970.
    mutating func append(_ moment: Int64, to output: AnswerBuffer) {
        var days = moment / Self.microsecondsADay
        var rest = moment % Self.microsecondsADay
        if rest < 0 {
            rest += Self.microsecondsADay
            days -= 1
        }
        // Years of more or fewer than four digits: seldom enough.
        guard (-719_162...2_932_896).contains(days) else {
            return output.append(jsonString: Timestamp(microseconds: moment).description)
        }
        if days != day { keep(days) }
        let seconds = UInt64(rest / 1_000_000)
        let fraction = UInt64(rest % 1_000_000)
        output.append(room: Self.room) { place in
            UnsafeMutableRawPointer(place).storeBytes(of: date.0, as: UInt64.self)
            UnsafeMutableRawPointer(place + 8).storeBytes(of: date.1, as: UInt64.self)
            // A quote, then 10 bytes of date.
            place[11] = UInt8(ascii: "T")
            Self.two(seconds / 3600, place + 12)
            place[14] = UInt8(ascii: ":")
            Self.two(seconds / 60 % 60, place + 15)
            place[17] = UInt8(ascii: ":")
            Self.two(seconds % 60, place + 18)
            var end = 20
            if fraction != 0 {
                place[end] = UInt8(ascii: ".")
                let digits = fraction % 1000 == 0 ? 3 : 6
                var left = digits == 3 ? fraction / 1000 : fraction
                for position in stride(from: end + digits, to: end, by: -1) {
                    place[position] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: left % 10)
                    left /= 10
                }
                end += digits + 1
            }
            place[end] = UInt8(ascii: "Z")
            place[end + 1] = UInt8(ascii: "\"")
            return end + 2
        }
    }

    private mutating func keep(_ days: Int64) {
        let (year, month, dayOfMonth) = Timestamp.civil(days)
        day = days
        withUnsafeMutableBytes(of: &date) { bytes in
            guard let place = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
            place[0] = UInt8(ascii: "\"")
            Self.two(UInt64(clamping: year / 100), place + 1)
            Self.two(UInt64(clamping: year % 100), place + 3)
            place[5] = UInt8(ascii: "-")
            Self.two(UInt64(clamping: month), place + 6)
            place[8] = UInt8(ascii: "-")
            Self.two(UInt64(clamping: dayOfMonth), place + 9)
        }
    }

    private static func two(_ value: UInt64, _ place: UnsafeMutablePointer<UInt8>) {
        place[0] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / 10)
        place[1] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value % 10)
    }
}
