import Basics
import Expressions
import Foundation
import Testing

/// Strings and times, worked out by hand.
@Suite struct FunctionTests {
    private static let strings: [(String, String?)] = [
        ("'it''s'", "it's"), ("lower('ABC-9')", "abc-9"), ("upper('abc')", "ABC"), ("upper(s)", "STRASSE"),
        ("lower('ÀÉ')", "àé"), ("lower(ns)", nil), ("trim('  a b\t\n')", "a b"), ("trim('   ')", ""),
        ("trim(empty)", ""),
        ("concat('a', 'b', s)", "abStraße"), ("concat('a', ns)", nil), ("concat('a')", "a"),
        ("concat(concat('a', 'b'), upper('c'), concat('d', 'e'))", "abCde"), ("substring(s, 1, 3)", "Str"),
        ("substring(s, 5, 1)", "ß"), ("substring(s, 5)", "ße"), ("substring(s, 0, 3)", "St"),
        ("substring(s, -5, 7)", "S"),
        ("substring(s, 7, 2)", ""), ("substring(s, 2, 0)", ""), ("substring(s, 2, -1)", nil), ("substring(s, ni)", nil),
        ("substring(s, big, big)", ""), ("substring('日本🙂x', 2, 2)", "本🙂"), ("replace('aaa', 'a', 'bb')", "bbbbbb"),
        ("replace('aaa', 'aa', 'b')", "ba"), ("replace('abc', '', 'x')", "abc"), ("replace('abc', 'z', 'x')", "abc"),
        ("replace('abcabc', 'bc', '')", "aa"), ("replace(s, 'ß', 'ss')", "Strasse"), ("replace('a', 'a', ns)", nil),
        ("cast(i as string)", "7"), ("cast(x as string)", "2.5"), ("cast(1e21 as string)", "1e+21"),
        ("cast(f as string)", "0.1"), ("cast(yes as string)", "true"),
        ("cast(t as string)", "2024-03-10T06:59:59.500Z"),
        ("cast(ni as string)", nil), ("cast(nt as string)", nil), ("coalesce(ns, 'none')", "none"),
        ("if(i > 5, 'late', 'on time')", "late"), ("nullif(s, 'Straße')", nil), ("nullif(s, 'x')", "Straße"),
        ("least('b', 'a', 'c')", "a"), ("greatest('b', ns, 'a')", "b"),
        ("upper(substring(concat(' ', lower('ABC')), 2))", "ABC"),
        ("case when s = 'x' then 'y' else concat(s, '!') end", "Straße!"), ("s", "Straße"), ("\"s\"", "Straße"),
    ]

    @Test(arguments: strings) func string(_ text: String, _ expected: String?) throws {
        #expect(try Rows.evaluate(text) == expected.map(ScalarValue.string) ?? .null, "\(text)")
        #expect(try Rows.type(text) == .string, "\(text)")
    }

    // 2024-03-10 is the Sunday on which New York's clocks go forward at 07:00 UTC.
    private static let times: [(String, Int64?)] = [
        ("hour(t)", 6), ("minute(t)", 59), ("day_of_week(t)", 7), ("day(t)", 10), ("month(t)", 3), ("year(t)", 2024),
        ("hour(t, 'America/New_York')", 1), ("hour(timestamp '2024-03-10T07:00:00Z', 'America/New_York')", 3),
        ("hour(timestamp '2024-11-03T05:30:00Z', 'America/New_York')", 1),
        ("hour(timestamp '2024-11-03T06:30:00Z', 'America/New_York')", 1),
        ("hour(timestamp '2024-11-03T07:30:00Z', 'America/New_York')", 2),
        ("minute(timestamp '2024-01-01T00:00:00Z', 'Asia/Kolkata')", 30),
        ("day(timestamp '2024-02-29T23:30:00Z', 'Europe/Berlin')", 1),
        ("month(timestamp '2024-02-29T23:30:00Z', 'Europe/Berlin')", 3),
        ("year(timestamp '2023-12-31T23:30:00Z', 'Europe/Berlin')", 2024),
        ("day_of_week(timestamp '2024-01-01')", 1), ("day_of_week(timestamp '1969-12-28')", 7),
        ("hour(timestamp '1969-12-31T23:59:59Z')", 23), ("year(timestamp '1969-12-31T23:59:59Z')", 1969),
        ("day(timestamp '2000-02-29')", 29), ("hour(nt)", nil), ("hour(nt, 'UTC')", nil), ("hour(t, 'UTC')", 6),
        ("minute(timestamp(1710053999))", 59), ("year(timestamp(9223372036854))", 294_247),
        ("year(timestamp(-62135596801))", 0),
        ("hour(timestamp(9223372036854), 'America/New_York')", 23),
    ]

    @Test(arguments: times) func time(_ text: String, _ expected: Int64?) throws {
        #expect(try Rows.evaluate(text) == expected.map(ScalarValue.integer) ?? .null, "\(text)")
    }

    private static let moments: [(String, String?)] = [
        ("timestamp(0)", "1970-01-01T00:00:00Z"), ("timestamp(1.5)", "1970-01-01T00:00:01.500Z"),
        ("timestamp(-1)", "1969-12-31T23:59:59Z"), ("timestamp(9223372036855)", nil), ("timestamp(1e30)", nil),
        ("timestamp(ni)", nil), ("cast('2024-01-01T02:00:00+02:00' as timestamp)", "2024-01-01T00:00:00Z"),
        ("cast('yesterday' as timestamp)", nil), ("least(t, u)", "2024-03-10T06:59:59.5Z"),
        ("greatest(nt, u)", "2024-03-12T07:00:00Z"),
        ("coalesce(nt, timestamp '2020-02-02 01:02:03')", "2020-02-02T01:02:03Z"), ("if(no, t, nt)", nil),
    ]

    @Test(arguments: moments) func moment(_ text: String, _ expected: String?) throws {
        #expect(try Rows.evaluate(text) == expected.map { .timestamp(Rows.moment($0)) } ?? .null, "\(text)")
        #expect(try Rows.type(text) == .timestamp, "\(text)")
    }

    @Test func longStringsAreNull() throws {
        let names: [String: ScalarType] = ["s": .string]
        func length(_ text: String, _ bytes: Int) throws -> ScalarValue {
            try ScalarExpression(text, names: names).evaluate(["s": .string(String(repeating: "x", count: bytes))])
        }
        #expect(try length("length(s)", 65_536) == .integer(65_536))
        #expect(try length("length(s)", 65_537) == .null)
        #expect(try length("length(concat(s, s))", 32_768) == .integer(65_536))
        #expect(try length("length(concat(s, s))", 32_769) == .null)
        #expect(try length("length(replace(s, 'x', 'yy'))", 32_769) == .null)
        #expect(try length("length(upper(s))", 65_536) == .integer(65_536))
    }

    @Test func oneResultMayNotTakeAllMemory() throws {
        // 300 times 64 KiB would be 19 MiB; each of the parts is allowed, all of them together are not.
        let parts = (0..<300).map { "starts_with(concat(s, '\($0)'), 'x')" }
        let expression = try ScalarExpression(parts.joined(separator: " and "), names: ["s": .string])
        let long = ScalarValue.string(String(repeating: "x", count: 65_000))
        #expect(try expression.evaluate(["s": long]) == .null)
        #expect(try expression.evaluate(["s": .string("x")]) == .boolean(true))
        let program = try ScalarProgram(
            inputs: [ScalarField("s", .string)],
            expressions: parts.enumerated().map { (name: "p\($0.offset)", text: $0.element) })
        let row = try program.evaluate([long])
        #expect(row.count == 300 && row.allSatisfy { $0 == .boolean(true) })
    }

    @Test func longPatternsAreFound() throws {
        let expression = try ScalarExpression("contains(s, p)", names: ["s": .string, "p": .string])
        let program = try ScalarExpression("replace(s, p, '-')", names: ["s": .string, "p": .string])
        let random = SeededRandom(seed: 1)
        func next(_ limit: UInt64) -> Int { Int(random.next() % limit) }
        func letters(_ count: Int, _ rarity: UInt64) -> String {
            (0..<count).map { _ in next(rarity) == 0 ? "b" : "a" }.joined()
        }
        for _ in 0..<400 {
            let pattern = letters(next(60), 20)
            var text = letters(next(300), 30)
            if next(2) == 0 { text += pattern }
            let row: [String: ScalarValue] = ["s": .string(text), "p": .string(pattern)]
            let found = pattern.isEmpty || text.contains(pattern)
            #expect(try expression.evaluate(row) == .boolean(found))
            let replaced = pattern.isEmpty ? text : text.replacingOccurrences(of: pattern, with: "-")
            #expect(try program.evaluate(row) == .string(replaced), "\(text) \(pattern)")
        }
    }
}
