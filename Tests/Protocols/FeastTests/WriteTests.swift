import Basics
import HTTP
import Testing
import Workshop

@testable import Feast

/// What Feast's clients write is what they read afterwards.
@Suite struct FeastWriteTests {
    private static let question = #"{"features":["last_ride:minutes"],"entities":{"origin":["EWR"],"dest":[1]}}"#

    @Test func writesReplaceOlderValuesOnly() async throws {
        let shop = try await FeastShop()
        func write(_ time: String, _ minutes: Double) async throws {
            let answer = try await shop.send(
                "/write-to-online-store",
                """
                {"feature_view_name":"last_ride","allow_registry_cache":false,"df":{"origin":{"0":"EWR"},"dest":{"0":1},
                 "event_timestamp":{"0":"\(time)"},"created":{"0":null},"minutes":{"0":\(minutes)},"price":{"0":null}}}
                """)
            #expect(answer.status == 200, "\(answer.text)")
            #expect(answer.text == "null")
        }
        func minutes() async throws -> JSONValue? {
            try await shop.ask(Self.question).json["results"]?.array?.last
        }
        let stored: JSONValue = [
            "values": [30], "statuses": ["PRESENT"], "event_timestamps": ["2026-03-01T00:00:00Z"],
        ]
        try await write("2026-02-01T00:00:00", 1)
        #expect(try await minutes() == stored)
        try await write("2026-03-01T01:00:00.123456789", 2)
        #expect(
            try await minutes() == [
                "values": [2], "statuses": ["PRESENT"], "event_timestamps": ["2026-03-01T01:00:00.123456Z"],
            ])
    }

    @Test func momentsAreWrittenAsTimestampsAre() throws {
        var random = SeededGenerator(seed: 9)
        var moments: [Int64] = [0, -1, 1, 999, 1000, -62_135_596_800_000_000, 253_402_300_799_999_999, .min, .max]
        for _ in 0..<5000 {
            let wide = Int64.random(in: -70_000_000_000_000_000...260_000_000_000_000_000, using: &random)
            let grain = ([1, 1000, 1_000_000, 86_400_000_000] as [Int64]).randomElement(using: &random) ?? 1
            moments.append(wide / grain * grain)
        }
        var text = MomentText()
        for moment in moments {
            let output = AnswerBuffer(capacity: 1)
            text.append(moment, to: output)
            #expect(String(decoding: output.bytes, as: UTF8.self) == "\"\(Timestamp(microseconds: moment))\"")
        }
    }

    @Test func numbersReadBackToThemselves() throws {
        var random = SeededGenerator(seed: 11)
        let output = AnswerBuffer(capacity: 1)
        for _ in 0..<5000 {
            let integer = Int64(bitPattern: random.next()) >> Int64.random(in: 0...63, using: &random)
            let double = Double(bitPattern: random.next())
            output.clear()
            output.append(integer)
            #expect(String(decoding: output.bytes, as: UTF8.self) == "\(integer)")
            guard double.isFinite else { continue }
            output.clear()
            output.append(double)
            let text = String(decoding: output.bytes, as: UTF8.self)
            #expect(Double(text) == double)
            #expect(text.contains(".") || text.contains("e"))
        }
        output.clear()
        output.append(Double.infinity)
        output.append(-Float.infinity)
        output.append(Int64.min)
        #expect(String(decoding: output.bytes, as: UTF8.self) == #""Infinity""-Infinity"-9223372036854775808"#)
    }
}
