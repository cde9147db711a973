import Basics
import Foundation

extension ScalarFrame {
    /// Functions of timestamps.
    func executeTime(_ step: Instruction) {
        let r = registers
        let value = r.integer(step.a)
        let null = r.null(step.a)
        switch step.operation {
        case .epochSeconds: r.set(step.target, double: Double(value) / 1e6, null: null)
        case .elapsed:
            let (difference, over) = r.integer(step.b).subtractingReportingOverflow(value)
            r.set(
                step.target, double: Double(difference) / r.double(step.c),
                null: null | r.null(step.b) | (over ? 1 : 0))
        case .timestampOfInteger:
            let (microseconds, over) = value.multipliedReportingOverflow(by: 1_000_000)
            r.set(step.target, integer: microseconds, null: null | (over ? 1 : 0))
        case .timestampOfDouble:
            let microseconds = Int64(exactly: (r.double(step.a) * 1e6).rounded(.toNearestOrAwayFromZero))
            r.set(step.target, integer: microseconds ?? 0, null: null | (microseconds == nil ? 1 : 0))
        default:
            guard null == 0 else { return r.setNull(step.target) }
            r.set(step.target, integer: field(step.operation, of: value, zone: Int(step.extra)))
        }
    }

    private func field(_ operation: Operation, of microseconds: Int64, zone: Int) -> Int64 {
        var seconds = ScalarFrame.floorDivision(microseconds, 1_000_000)
        if zone >= 0 {
            let moment = Date(timeIntervalSince1970: Double(seconds))
            seconds += Int64(program.zones[zone].secondsFromGMT(for: moment))
        }
        let days = ScalarFrame.floorDivision(seconds, 86_400)
        let second = seconds - days * 86_400
        switch operation {
        case .hour: return second / 3600
        case .minute: return second / 60 % 60
        case .dayOfWeek:
            // 1970-01-01 was a Thursday.
            let weekday = (days + 3) % 7
            return (weekday < 0 ? weekday + 7 : weekday) + 1
        case .day: return Timestamp.civil(days).2
        case .month: return Timestamp.civil(days).1
        default: return Timestamp.civil(days).0
        }
    }

    private static func floorDivision(_ value: Int64, _ divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }
}
