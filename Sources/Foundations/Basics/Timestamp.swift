/// A moment in UTC, in whole microseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: Hashable, Comparable, Sendable {
    public let microseconds: Int64

    public init(microseconds: Int64) { self.microseconds = microseconds }

    public init(seconds: Int64) { microseconds = seconds.multipliedReportingOverflow(by: 1_000_000).partialValue }

    public static let distantPast = Timestamp(microseconds: .min)
    public static let distantFuture = Timestamp(microseconds: .max)

    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.microseconds < right.microseconds }

    /// Moved by a number of seconds; saturates at the ends of the range.
    public func advanced(bySeconds seconds: Int64) -> Timestamp {
        let (delta, wide) = seconds.multipliedReportingOverflow(by: 1_000_000)
        let (sum, over) = microseconds.addingReportingOverflow(wide ? (seconds < 0 ? .min : .max) : delta)
        return over ? (seconds < 0 ? .distantPast : .distantFuture) : Timestamp(microseconds: sum)
    }

    /// Seconds from `other` to this moment, as a floating-point number.
    public func seconds(since other: Timestamp) -> Double {
        (Double(microseconds) - Double(other.microseconds)) / 1e6
    }

    /// The latest multiple of `seconds` since the epoch that is not after this moment; saturates at the range's start.
    public func floored(toSeconds seconds: Int64) -> Timestamp {
        let (product, wide) = max(1, seconds).multipliedReportingOverflow(by: 1_000_000)
        let width = wide ? Int64.max : product
        let remainder = microseconds % width
        let excess = remainder < 0 ? remainder + width : remainder
        let (floor, under) = microseconds.subtractingReportingOverflow(excess)
        return under ? .distantPast : Timestamp(microseconds: floor)
    }
}

extension Timestamp: CustomStringConvertible {
    /// RFC 3339 in UTC; the fraction has 0, 3 or 6 digits, as few as are needed.
    public var description: String {
        var days = microseconds / 86_400_000_000
        var rest = microseconds % 86_400_000_000
        if rest < 0 {
            rest += 86_400_000_000
            days -= 1
        }
        let (year, month, day) = Timestamp.civil(days)
        let second = rest / 1_000_000
        let fraction = rest % 1_000_000
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        func wide(_ value: Int64, _ width: Int) -> String {
            let text = "\(value)"
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        var text =
            "\(wide(year, 4))-\(two(month))-\(two(day))T\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60))"
        if fraction != 0 {
            text += fraction % 1000 == 0 ? ".\(wide(fraction / 1000, 3))" : ".\(wide(fraction, 6))"
        }
        return text + "Z"
    }

    /// The day in UTC, as `YYYY-MM-DD`.
    public var day: String { String(description.prefix(10)) }

    /// The proleptic Gregorian date (year, month 1...12, day 1...31) of a number of days since 1970-01-01.
    ///
    /// By Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". `days` must be within 10^15 of zero.
    public static func civil(_ days: Int64) -> (Int64, Int64, Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthIndex = (5 * dayOfYear + 2) / 153
        let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthIndex + 2) / 5 + 1)
    }

    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// Parses RFC 3339 (`2013-01-01T10:00:00Z`, a blank for the `T`, `+hh:mm` offsets, up to 6 fraction digits) and
    /// bare days (`2013-01-01`). A time without an offset is UTC. Nil where the text is not exactly such a moment.
    public init?(_ text: some StringProtocol) {
        var bytes = Array(text.utf8)[...]
        func digits(_ count: Int) -> Int64? {
            guard bytes.count >= count else { return nil }
            var value: Int64 = 0
            for byte in bytes.prefix(count) {
                guard (48...57).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - 48)
            }
            bytes = bytes.dropFirst(count)
            return value
        }
        func skip(_ options: UInt8...) -> Bool {
            guard let first = bytes.first, options.contains(first) else { return false }
            bytes = bytes.dropFirst()
            return true
        }
        guard let year = digits(4), skip(45), let month = digits(2), skip(45), let day = digits(2),
            (1...12).contains(month), (1...31).contains(day), Timestamp.civil(Timestamp.days(year, month, day)).2 == day
        else { return nil }
        var total = Timestamp.days(year, month, day) * 86_400_000_000
        guard !bytes.isEmpty else {
            microseconds = total
            return
        }
        guard skip(84, 116, 32), let hour = digits(2), skip(58), let minute = digits(2), hour < 24, minute < 60 else {
            return nil
        }
        total += (hour * 3600 + minute * 60) * 1_000_000
        if skip(58) {
            guard let second = digits(2), second < 60 else { return nil }
            total += second * 1_000_000
            if skip(46, 44) {
                var scale: Int64 = 100_000
                var count = 0
                while let digit = bytes.first, (48...57).contains(digit) {
                    guard count < 6 else { return nil }
                    total += Int64(digit - 48) * scale
                    scale /= 10
                    count += 1
                    bytes = bytes.dropFirst()
                }
                guard count > 0 else { return nil }
            }
        }
        if skip(90, 122) || bytes.isEmpty {
            guard bytes.isEmpty else { return nil }
            microseconds = total
            return
        }
        guard let sign = bytes.first, skip(43, 45), let hours = digits(2) else { return nil }
        _ = skip(58)
        guard let minutes = digits(2), bytes.isEmpty, hours < 24, minutes < 60 else { return nil }
        let offset = (hours * 3600 + minutes * 60) * 1_000_000
        microseconds = sign == 43 ? total - offset : total + offset
    }
}

extension Timestamp: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let moment = Timestamp(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "'\(text)' is no RFC 3339 time such as 2013-04-01T00:00:00Z")
        }
        self = moment
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
