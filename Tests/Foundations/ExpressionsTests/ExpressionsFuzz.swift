import Basics
import Expressions
import Foundation
import Testing

/// Random and mutated texts: each is an expression, which then has a value for any row, or is refused with a message.
@Suite struct ExpressionsFuzz {
    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap(UInt64.init)
    }

    private let seed = number("MODELWORKS_SEED") ?? 1
    private let seconds = number("MODELWORKS_FUZZ_SECONDS") ?? 0

    private static let samples = [
        "case when x > 1.5 and s in ('a', 'it''s') then round(x / i, 2) else coalesce(y, -1e3) end",
        "i % 7 + j // 2 - hash_bucket(concat(s, '-', r), 100) * bucket(x, -1, 0, 2.5)",
        "hour(t, 'America/New_York') between 6 and 9 or not (b is not null) and t < timestamp '2024-01-01T00:00:00Z'",
        "upper(substring(replace(trim(s), 'a', r), i, j))", "haversine_km(x, y, i, j) + days_between(t, u)",
        "if(b, cast(s as double), greatest(x, y, least(i, j)))", "cast(cast(x as string) as integer)",
    ]

    private static let pieces = [
        "(", ")", ",", "'", "\"", " and ", " or ", " not ", " in (", " is null ", "case when ", " then ", " else ",
        " end",
        "cast(", " as float)", "null", "true", "+", "-", "*", "/", "//", "%", "<", "<>", "==", "1", ".5", "1e308",
        "9223372036854775807", "-9223372036854775808", "i", "x", "s", "t", "b", "timestamp ", "pow(", "pi()", "é", "🙂",
        "\u{0}", "coalesce(", "lower(", "nullif(", "clamp(", "e", " between ",
    ]

    private func mutated(_ generator: TreeGenerator) -> [UInt8] {
        let random = generator.random
        func below(_ limit: Int) -> Int { Int(random.next() % UInt64(max(1, limit))) }
        func piece() -> [UInt8] { Array(Self.pieces[below(Self.pieces.count)].utf8) }
        var bytes = Array(Self.samples[below(Self.samples.count)].utf8)
        switch below(8) {
        case 0: return (0..<below(200)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        case 1: return (0..<below(40)).flatMap { _ in piece() }
        case 2:
            // Deep and long.
            let unit = piece()
            return (0..<below(1500)).flatMap { _ in unit }
        case 3: return Array(generator.tree(.double, 4).text().utf8)
        case 4: bytes = Array(generator.tree(.string, 3).text().utf8)
        default: break
        }
        for _ in 0...below(4) {
            let at = below(bytes.count + 1)
            switch below(5) {
            case 0: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: at)
            case 1: bytes.removeSubrange(at..<min(bytes.count, at + below(12)))
            case 2: bytes.insert(contentsOf: piece(), at: at)
            case 3: if at < bytes.count { bytes[at] ^= 1 << UInt8(below(8)) }
            default:
                let end = min(bytes.count, at + below(30))
                bytes.insert(contentsOf: Array(bytes[at..<end]), at: below(bytes.count + 1))
            }
        }
        return bytes
    }

    @Test func noTextAndNoRowTraps() throws {
        let random = SeededRandom(seed: seed)
        let generator = TreeGenerator(random: random, names: PropertyTests.names)
        let end = SystemTime.monotonicNanoseconds + seconds * 1_000_000_000
        var (taken, refused) = (0, 0)
        while taken + refused < 10_000 || SystemTime.monotonicNanoseconds < end {
            let text = String(decoding: mutated(generator), as: UTF8.self)
            do throws(ExpressionFailure) {
                let expression = try ScalarExpression(text, names: PropertyTests.names)
                taken += 1
                let value = try expression.evaluate(PropertyTests.names.mapValues { generator.value($0) })
                if case .double(let number) = value { #expect(number.isFinite, "seed \(seed): \(text)") }
            } catch {
                refused += 1
                #expect(!error.message.isEmpty && error.remedy != nil, "seed \(seed): \(text.debugDescription)")
            }
        }
        #expect(taken > 500 && refused > 500, "\(taken) taken, \(refused) refused")
    }
}
