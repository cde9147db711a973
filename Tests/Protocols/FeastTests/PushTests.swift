import Basics
import HTTP
import Testing
import Workshop

/// What is pushed to a stream goes where the push says, and every view over the stream follows.
@Suite struct FeastPushTests {
    private static let typed: [(name: String, sent: JSONValue, read: JSONValue)] = [
        ("count", -9_007_199_254_740_993, -9_007_199_254_740_993), ("price", 2, 2),
        ("rate", 0.1, .number(Double(Float(0.1)))),
        ("open", true, true), ("label", "å\"\n", "å\"\n"),
        // A moment reads back as whole seconds, as Feast's server writes it.
        ("seen", "2026-02-03T04:05:06Z", 1_770_091_506),
    ]

    private static func push(
        _ client: HTTPClient, _ shop: String, at time: String, price: JSONValue = 2, to target: String?
    ) async throws {
        var frame: [String: JSONValue] = [
            "shop": [.string(shop)], "event_timestamp": [.string(time)], "created": [nil],
        ]
        for (name, value, _) in typed { frame[name] = [name == "price" ? price : value] }
        var body: [String: JSONValue] = ["push_source_name": "clicks", "df": .object(frame)]
        if let target { body["to"] = .string(target) }
        let answer = try await client.ask("/push", .object(body))
        #expect(answer.status == 200, "\(answer.text)")
        #expect(answer.body.isEmpty)
    }

    /// Values and statuses of a feature for shops.
    private static func read(_ client: HTTPClient, _ feature: String, _ shops: [String]) async throws -> JSONValue? {
        let answer = try await client.ask(
            "/get-online-features",
            ["features": [.string(feature)], "entities": ["shop": .array(shops.map { .string($0) })]])
        return answer.json["results"]?.array?.last
    }

    /// The rows that history gives shops for `last_click:price` and `busy:clicks` at noon.
    private static func joined(_ client: HTTPClient, _ shops: [String]) async throws -> [String] {
        let flushed = try await client.ask("/api/works/v1/features/streams/flush", [:])
        #expect(flushed.status == 200, "\(flushed.text)")
        let rows = shops.map { "\($0),2026-03-01T12:00:00Z\n" }.joined()
        let response = try await client.send(
            .post, "/api/works/v1/features/history?features=last_click:price,busy:clicks&format=csv",
            headers: ["Content-Type": "text/csv"], body: Array("shop,event_timestamp\n\(rows)".utf8))
        let text = String(decoding: try await response.collect(), as: UTF8.self)
        #expect(response.status.code == 200, "\(text)")
        return text.split(separator: "\n").dropFirst().map { row in
            row.split(separator: ",", omittingEmptySubsequences: false).suffix(2).joined(separator: ",")
        }
    }

    @Test func aPushGoesOnlineOfflineOrBoth() async throws {
        let shop = try await FeastShop()
        try await shop.workshop.serving { client in
            try await Self.push(client, "a", at: "2026-03-01T11:45:00", price: 5, to: nil)
            try await Self.push(client, "b", at: "2026-03-01T11:46:00", price: 6, to: "offline")
            try await Self.push(client, "c", at: "2026-03-01T11:47:00", price: 7, to: "online_and_offline")
            let shops = ["a", "b", "c"]
            try await Deadline(seconds: 10).wait("the events are online") {
                try await Self.read(client, "busy:clicks", ["c"])?["statuses"] == ["PRESENT"]
            }
            let price = try await Self.read(client, "last_click:price", shops)
            #expect(price?["values"] == [5, nil, 7])
            #expect(price?["statuses"] == ["PRESENT", "NOT_FOUND", "PRESENT"])
            #expect(
                price?["event_timestamps"] == [
                    "2026-03-01T11:45:00Z", "1970-01-01T00:00:00Z", "2026-03-01T11:47:00Z",
                ])
            #expect(try await Self.read(client, "busy:clicks", shops)?["values"] == [1, nil, 1])
            #expect(try await Self.read(client, "busy:spent", shops)?["values"] == [5, nil, 7])
            #expect(try await Self.joined(client, shops) == [",", "6.0,1", "7.0,1"])
        }
    }

    @Test func anOlderEventCountsAndReplacesNothing() async throws {
        let shop = try await FeastShop()
        try await shop.workshop.serving { client in
            try await Self.push(client, "a", at: "2026-03-01T11:45:00", price: 5, to: "online_and_offline")
            try await Self.push(client, "a", at: "2026-03-01T11:30:00", price: 8, to: "online_and_offline")
            try await Deadline(seconds: 10).wait("both events count") {
                try await Self.read(client, "busy:spent", ["a"])?["values"] == [13]
            }
            #expect(try await Self.read(client, "last_click:price", ["a"])?["values"] == [5])
            #expect(try await Self.joined(client, ["a"]) == ["5.0,2"])
        }
    }

    @Test func everyTypeThatIsPushedIsRead() async throws {
        let shop = try await FeastShop()
        try await shop.workshop.serving { client in
            try await Self.push(client, "a", at: "2026-03-01T11:45:00", to: "online")
            try await Deadline(seconds: 10).wait("the event is online") {
                try await Self.read(client, "last_click:price", ["a"])?["statuses"] == ["PRESENT"]
            }
            for (name, _, expected) in Self.typed {
                let found = try await Self.read(client, "last_click:\(name)", ["a"])
                #expect(found?["values"] == [expected], "\(name)")
            }
        }
    }
}

extension HTTPClient {
    fileprivate func ask(_ path: String, _ body: JSONValue) async throws -> Workshop.Answer {
        let response = try await send(
            .post, path, headers: ["Content-Type": "application/json"], body: try JSON.canonical(body))
        return Workshop.Answer(status: response.status.code, body: try await response.collect())
    }
}
