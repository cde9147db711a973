import Basics
import Expressions
import TestSupport
import Testing

/// Random and mutated texts: each is an expression, which then has a value for any row, or is refused with a message.
@Suite struct ExpressionsFuzz {
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

    private func bytes(_ fuzzer: Fuzzer, _ generator: TreeGenerator) -> [UInt8] {
        switch fuzzer.below(8) {
        case 0: Array(generator.tree(.double, 4).text().utf8)
        case 1: fuzzer.mutated(Array(generator.tree(.string, 3).text().utf8))
        default: fuzzer.bytes(from: Self.samples)
        }
    }

    @Test func noTextAndNoRowTraps() throws {
        let fuzzer = Fuzzer(pieces: Self.pieces)
        let generator = TreeGenerator(random: fuzzer.random, names: PropertyTests.names)
        var (taken, refused) = (0, 0)
        for _ in fuzzer.rounds(atLeast: 10_000) {
            let text = String(decoding: bytes(fuzzer, generator), as: UTF8.self)
            do throws(ExpressionFailure) {
                let expression = try ScalarExpression(text, names: PropertyTests.names)
                taken += 1
                let value = try expression.evaluate(PropertyTests.names.mapValues { generator.value($0) })
                if case .double(let number) = value { #expect(number.isFinite, "seed \(fuzzer.seed): \(text)") }
            } catch {
                refused += 1
                #expect(!error.message.isEmpty && error.remedy != nil, "seed \(fuzzer.seed): \(text.debugDescription)")
            }
        }
        #expect(taken > 500 && refused > 500, "\(taken) taken, \(refused) refused")
    }
}
