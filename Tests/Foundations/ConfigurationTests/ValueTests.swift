import Basics
import Configuration
import Testing

@Suite struct ValueTests {
    private func map(_ text: String) throws -> ConfigurationMapping {
        try #require(try YAMLParser.parse(text, file: "f.yaml").first).mapping()
    }

    @Test(
        arguments: [
            ("0s", 0), ("90s", 90), ("15m", 900), ("2h", 7200), ("7d", 604_800), ("1w", 604_800), ("1000d", 86_400_000),
            ("0w", 0), ("36525d", 3_155_760_000),
        ] as [(String, Int64)])
    func lengthsOfTime(text: String, seconds: Int64) throws {
        #expect(try map("ttl: \(text)").seconds("ttl") == seconds)
    }

    // Anything beyond a century is a slip, and its microseconds would not fit where times are counted in them.
    @Test(arguments: [
        "90", "s", "-1s", "1.5h", "1 h", "1H", "1y", "9223372036854775807s", "9223372036854775808s", "36526d",
        "9223372036854776s", "15250284452472w", "''", "1h30m", "٣s", "1ms",
    ])
    func otherLengthsAreRefused(text: String) throws {
        let map = try map("ttl: \(text)")
        let failure = try #require(throws: ConfigurationFailure.self) { try map.seconds("ttl") }
        #expect(failure.message.hasPrefix("f.yaml:1:6: 'ttl' must be a length of time such as 90s, 15m, 2h, 7d or 1w"))
    }

    @Test(arguments: [
        ("5%", 0.05), ("0.05", 0.05), ("0", 0), ("0%", 0), ("100%", 1), ("1", 1), ("1.0", 1), ("12.5%", 0.125),
    ])
    func shares(text: String, expected: Double) throws {
        #expect(try map("share: \(text)").share("share") == expected)
    }

    @Test(arguments: ["101%", "1.01", "-1%", "-0.1", "5 %", "%", "nan", "nan%", "inf", "five", "5%%", "100.0001%"])
    func otherSharesAreRefused(text: String) throws {
        let map = try map("share: \"\(text)\"")
        let failure = try #require(throws: ConfigurationFailure.self) { try map.share("share") }
        #expect(failure.message == "f.yaml:1:8: 'share' must be a share such as 5% or 0.05, and is '\(text)'")
    }

    @Test func moments() throws {
        #expect(try map("from: 2013-04-01").timestamp("from") == Timestamp(seconds: 1_364_774_400))
        #expect(try map("from: 2013-04-01T12:00:00Z").timestamp("from") == Timestamp(seconds: 1_364_817_600))
        #expect(try map("from: 2013-04-01 12:00:00").timestamp("from") == Timestamp(seconds: 1_364_817_600))
        for text in ["2013-02-29", "1 April 2013", "20130401", "1364774400"] {
            let map = try map("from: \(text)")
            let failure = try #require(throws: ConfigurationFailure.self) { try map.timestamp("from") }
            #expect(
                failure.message
                    == "f.yaml:1:7: 'from' must be a time such as 2013-04-01 or 2013-04-01T12:00:00Z, and is '\(text)'")
        }
    }

    @Test func defaultsStandInForAbsentAndNullOnly() throws {
        let map = try map("a: ~\nb: 5\n")
        #expect(try map.int("a", default: 3) == 3)
        #expect(try map.int("absent", default: 3) == 3)
        #expect(try map.int("b", default: 3) == 5)
        #expect(try map.optionalInt("a") == nil)
        #expect(try map.optionalDouble("b") == 5)
        #expect(try map.optionalSeconds("a") == nil)
        #expect(try map.optionalString("absent") == nil)
        #expect(try map.strings("b") == ["5"])
        #expect(try map.list("absent").isEmpty)
        #expect(throws: ConfigurationFailure.self) { try map.bool("absent") }
    }
}
