import Basics
import Columnar
import Datasets
import Foundation
import Streams
import TestSupport
import Testing

@testable import Features

/// Pushes, late and early events, topics, and the work on streams.
@Suite struct StreamTests {
    private static func rows(_ objects: [[String: JSONValue]]) throws -> FeatureRows {
        try FeatureRows(objects: objects.map { .object($0) })
    }

    private static func click(_ user: String, _ at: String, _ amount: JSONValue = 1, items: JSONValue = 1)
        -> [String: JSONValue]
    {
        ["user": .string(user), "at": .string(at), "amount": amount, "items": items, "page": "home"]
    }

    @Test func aPushIsReadableWhenItReturns() async throws {
        let factory = try await StreamFactory(at: "2024-03-01T10:00:00Z")
        let running = Task { await factory.streams.run { true } }
        let pushed = try await factory.streams.push(
            "clicks",
            try Self.rows([Self.click("a", "2024-03-01T09:59:00Z", 2.5), Self.click("b", "2024-03-01T09:58:00Z")]))
        #expect(pushed.events == 2)
        #expect(pushed.isApplied)
        let found = try await StreamFactory.values(
            factory.store, ["newest", "recent:clicks_1h", "recent:spent_1h"], users: ["a", "c"], at: factory.clock.now)
        #expect(
            found["a"] == [
                .scalar(.double(2.5)), .scalar(.string("home")), .scalar(.integer(1)), .scalar(.double(2.5)),
            ])
        #expect(found["c"]?.first == .scalar(.string("notFound")))
        running.cancel()
        await running.value
        await factory.close()
    }

    @Test func valuesDecayWithoutEvents() async throws {
        let factory = try await StreamFactory(at: "2024-03-01T10:00:00Z")
        let running = Task { await factory.streams.run { true } }
        _ = try await factory.streams.push("clicks", try Self.rows([Self.click("a", "2024-03-01T09:55:00Z")]))
        factory.clock.advance(to: try #require(Timestamp("2024-03-01T11:00:00Z")))
        try await eventually("the click leaves the window of an hour") {
            try await StreamFactory.values(
                factory.store, ["recent:clicks_1h", "recent:clicks_6h"], users: ["a"], at: factory.clock.now)["a"]
                == [.scalar(.integer(0)), .scalar(.integer(1))]
        }
        running.cancel()
        await running.value
        await factory.close()
    }

    @Test func badRowsAreRefusedAsAWhole() async throws {
        let factory = try await StreamFactory(at: "2024-03-01T10:00:00Z")
        let good = Self.click("a", "2024-03-01T09:59:00Z")
        var withoutPage = good
        withoutPage["page"] = nil
        let bad: [[String: JSONValue]] = [
            Self.click("a", "yesterday"), Self.click("a", "2024-03-01T09:59:00Z", "much"),
            Self.click("a", "2024-03-01T09:59:00Z", items: 1.5), Self.click("a", "2024-03-09T09:59:00Z"),
            ["user": "a", "at": nil, "amount": 1, "items": 1, "page": "x"],
        ]
        for row in bad {
            await #expect(throws: FeaturesFailure.self) {
                try await factory.streams.push("clicks", try Self.rows([good, row]))
            }
        }
        await #expect(throws: FeaturesFailure.self) {
            try await factory.streams.push("clicks", try Self.rows([withoutPage]))
        }
        await #expect(throws: FeaturesFailure.self) {
            try await factory.streams.push("clicks", try Self.rows([good]), to: "nowhere")
        }
        #expect(try await factory.streams.status().first?.records == 0)
        await factory.close()
    }

    @Test func targetsDecideWhereEventsGo() async throws {
        let factory = try await StreamFactory(at: "2024-03-01T10:00:00Z")
        let at = ScalarValue.timestamp(factory.clock.now)
        func row(_ user: String) -> [ScalarValue] { [.string(user), at, .double(1), .integer(1), .string("x")] }
        try await factory.keep([row("a")], target: .online)
        try await factory.keep([row("b")], target: .offline)
        try await factory.catchUp()
        let found = try await StreamFactory.values(
            factory.store, ["recent:clicks_1h"], users: ["a", "b"], at: factory.clock.now)
        #expect(found == ["a": [.scalar(.integer(1))], "b": [.scalar(.string("notFound"))]])
        #expect(try await factory.streams.flush() == 1)
        try await factory.store.bind()
        let kept = try await factory.engine.query("SELECT \"user\" AS name FROM clicks")
        #expect(try kept.strings("name") == ["b"])
        await factory.close()
    }

    @Test func aNewViewBeginsAtTheBeginning() async throws {
        let factory = try await StreamFactory(at: "2024-03-01T10:00:00Z")
        let at = ScalarValue.timestamp(factory.clock.now)
        for _ in 0..<3 { try await factory.keep([[.string("a"), at, .double(2), .integer(1), .null]]) }
        // Each catch-up begins with what is stored, as a process that starts does.
        for _ in 0..<2 { try await factory.catchUp() }
        let found = try await StreamFactory.values(
            factory.store, ["recent:clicks_1h", "recent:spent_1h"], users: ["a"], at: factory.clock.now)
        #expect(found["a"] == [.scalar(.integer(3)), .scalar(.double(6))])
        await factory.close()
    }

    @Test func topicsAreReadAndBadRecordsSetAside() async throws {
        let factory = try await StreamFactory(at: "2024-03-01T10:00:00Z", topic: true)
        let running = Task { await factory.streams.run { true } }
        let (raw, rejected) = (try TopicName("raw"), try TopicName("raw.rejected"))
        let opened = try await factory.streams.opened([raw])
        try await opened.streams.publish(
            [
                StreamRecord(key: "1", value: #"{"user": "a", "at": "2024-03-01T09:00:00Z", "amount": 3, "items": 1}"#),
                StreamRecord(key: "2", value: "no JSON"),
                StreamRecord(key: "3", value: #"{"user": "a", "at": null}"#),
                StreamRecord(key: "4", value: #"{"user": "a", "at": "2024-03-01T09:30:00Z", "amount": 4, "items": 1}"#),
            ], to: raw)
        try await eventually("both events count") {
            try await StreamFactory.values(
                factory.store, ["recent:spent_6h"], users: ["a"], at: factory.clock.now)["a"] == [.scalar(.double(7))]
        }
        let letters = try await opened.streams.read(rejected, partition: 0, from: 0, limit: 10, wait: .seconds(1))
        #expect(letters.count == 2)
        #expect(letters.allSatisfy { $0.record.headers.contains { $0.name == "reason" } })
        #expect(try await factory.streams.status().first?.rejected == 2)
        running.cancel()
        await running.value
        await factory.close()
    }

    @Test func batchesReadBackAsTheyWere() throws {
        let random = SeededRandom(seed: 3)
        for _ in 0..<200 {
            let width = Int(random.next() % 5) + 1
            let batch = StreamBatch(
                stamp: Int64(bitPattern: random.next()), target: .offline, columns: (0..<width).map { "c\($0)é" },
                rows: (0..<Int(random.next() % 7)).map { _ in
                    (0..<width).map { _ in
                        switch random.next() % 7 {
                        case 0: .null
                        case 1: .integer(Int64(bitPattern: random.next()))
                        case 2: .double(Double(random.next() >> 11) / 3)
                        case 3: .string(String(repeating: "ü", count: Int(random.next() % 9)))
                        case 4: .boolean(true)
                        case 5: .boolean(false)
                        default: .timestamp(Timestamp(microseconds: Int64(random.next() >> 4)))
                        }
                    }
                })
            let bytes = batch.encoded()
            #expect(StreamBatch(bytes) == batch)
            var broken = bytes
            broken.removeLast()
            #expect(StreamBatch(broken) == nil)
            let place = Int(random.next() % UInt64(bytes.count))
            broken = bytes
            broken[place] ^= 1 << UInt8(random.next() % 8)
            // Whatever comes of it, it is read without harm.
            _ = StreamBatch(broken)
        }
    }
}
