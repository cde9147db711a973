import Basics
import Foundation

/// How figures are written for people. Never depends on the machine's locale.
enum Numbers {
    /// What stands where there is no figure.
    static let none = "–"

    /// Digits in groups of three: 336,776.
    static func grouped(_ value: Int) -> String {
        var digits = Array(String(value.magnitude))
        var position = digits.count - 3
        while position > 0 {
            digits.insert(",", at: position)
            position -= 3
        }
        return (value < 0 ? "−" : "") + String(digits)
    }

    /// A fixed number of decimals; `none` for nil, NaN and infinities.
    static func fixed(_ value: Double?, _ decimals: Int) -> String {
        guard let value, value.isFinite else { return none }
        return String(format: "%.\(max(0, min(9, decimals)))f", value)
    }

    /// A share of 1 in percent, with a decimal only where it says something: 5%, 12.5%.
    static func percent(_ share: Double?) -> String {
        guard let share, share.isFinite else { return none }
        let value = share * 100
        return fixed(value, abs(value - value.rounded()) < 0.05 ? 0 : 1) + "%"
    }

    /// A duration given in milliseconds, three significant digits, in the unit that fits.
    static func milliseconds(_ value: Double?) -> String {
        guard let value, value.isFinite else { return none }
        if value.magnitude < 1 { return significant(value * 1000) + " µs" }
        return value.magnitude < 1000 ? significant(value) + " ms" : significant(value / 1000) + " s"
    }

    /// Three significant digits without an exponent for usual sizes: 0.412, 4.12, 41.2, 412.
    static func significant(_ value: Double) -> String {
        guard value.isFinite else { return none }
        let size = value.magnitude
        return fixed(value, size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2)
    }

    /// `14 Apr 2013`, or without its year.
    static func day(_ moment: Timestamp, year: Bool = true) -> String {
        let parts = moment.day.split(separator: "-")
        guard parts.count == 3, let month = Int(parts[1]), let day = Int(parts[2]) else { return moment.day }
        return "\(day) \(monthName(month))" + (year ? " \(parts[0])" : "")
    }

    /// `14 Apr 2013 06:30`, in UTC.
    static func minute(_ moment: Timestamp) -> String {
        "\(day(moment)) \(moment.description.dropFirst(11).prefix(5))"
    }

    /// Three letters for a month, 1...12.
    static func monthName(_ month: Int) -> String {
        let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        return names.indices.contains(month - 1) ? names[month - 1] : none
    }
}
