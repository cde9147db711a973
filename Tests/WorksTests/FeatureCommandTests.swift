import Basics
import Foundation
import HTTP
import TestSupport
import Testing
import Workshop

/// The words about features and data, each once, through the command line and a server: what they answer was worked out by
/// hand from the rows of ``FeatureShop``.
@Suite(.serialized) struct FeatureCommandTests {
    /// A server with the shop's rows online, and the words said to it.
    private struct Session: Sendable {
        let folder: TemporaryFolder
        let url: String

        /// Says words that must be understood, and gives what was answered.
        func say(_ words: String..., code: Int32 = 0) async throws -> JSONValue {
            let told = try await Program.run(words + ["--json", "--url", url], folder: folder.path)
            #expect(told.code == code, "\(words): \(told.all)")
            return told.json
        }

        func get(_ features: String, _ keys: String...) async throws -> JSONValue {
            var words = ["features", "get", "--features", features, "--json", "--url", url]
            for key in keys { words += ["--key", key] }
            let told = try await Program.run(words, folder: folder.path)
            #expect(told.code == 0, "\(features): \(told.all)")
            return told.json["features"]?.array?.first ?? .null
        }
    }

    private func withShop(_ body: @Sendable (Session, FeatureShop) async throws -> Void) async throws {
        let shop = try await FeatureShop()
        try await shop.materialise()
        try await shop.workshop.serving { _ in
            try await body(Session(folder: shop.workshop.folder, url: "http://\(try shop.workshop.address())"), shop)
        }
    }

    @Test func historyIsJoinedAndExplained() async throws {
        try await withShop { session, _ in
            let entities = try session.folder.write(
                """
                id,shop,item,event_timestamp
                1,north,1,2026-01-01T11:15:00Z
                2,north,1,2026-01-01T12:30:00+01:00
                3,south,2,2026-01-02T10:30:00Z
                4,south,2,2026-01-02T10:30:00.000001Z
                5,east,1,2026-01-01T11:15:00Z

                """, to: "entities.csv")
            let out = session.folder("history.csv")
            let told = try await session.say(
                "features", "history", "--entities", entities, "--service", "shops", "--out", out)
            #expect(told["format"] == "csv" && told["out"] == .string(out))
            func rows() throws -> [[String]] {
                try String(contentsOfFile: out, encoding: .utf8).split(separator: "\n").map {
                    $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
                }
            }
            let joined = try rows()
            #expect(joined.first == ["id", "shop", "item", "event_timestamp", "stock__amount", "total__amount"])
            // The amount of 11:00 was known from 11:30 on, which is 12:30 an hour further east; a value may be used for a day
            // from its event time on, and not for a microsecond more. The windows of south are empty the next day, and east
            // has sold nothing.
            #expect(
                joined.dropFirst().map { Array($0.suffix(2)) } == [
                    ["1.5", "1.5"], ["2.5", "4.0"], ["4.0", ""], ["", ""], ["", ""],
                ])

            _ = try await session.say(
                "features", "history", "--entities", entities, "--features", "stock:amount", "--late-data", "visible",
                "--full-names", "--out", out)
            #expect(try rows().first?.last == "stock__amount")
            #expect(try rows().dropFirst().map(\.last) == ["2.5", "2.5", "4.0", "", ""])

            let explained = try await session.say(
                "features", "explain", "--entities", entities, "--features", "stock:amount", "--row", "1")
            #expect(explained["row"] == 1 && explained["time"] == "2026-01-01T11:15:00Z")
            let view = try #require(explained["views"]?.array?.first)
            #expect(view["used"]?["eventTime"] == "2026-01-01T10:00:00Z")
            #expect(view["used"]?["created"] == "2026-01-01T10:05:00Z")
            #expect(view["used"]?["values"] == ["amount": "1.5"], "\(view)")
            let passed = try #require(view["passedOver"]?.array)
            #expect(passed.map { $0["eventTime"] } == ["2026-01-01T11:00:00Z"], "\(view)")
            #expect(passed.first?["reason"]?.string?.contains("2026-01-01T11:30:00Z") == true, "\(view)")
        }
    }

    @Test func valuesAreReadWrittenAndErased() async throws {
        try await withShop { session, _ in
            let amounts = try await session.get("stock:amount", "shop=north,south,north", "item=1,2,2")
            #expect(amounts["name"] == "stock__amount")
            #expect(amounts["values"] == [2.5, 4, nil])
            #expect(amounts["statuses"] == ["PRESENT", "PRESENT", "NOT_FOUND"])
            #expect(amounts["event_times"] == ["2026-01-01T11:00:00Z", "2026-01-01T10:30:00Z", nil])
            #expect(try await session.get("total:amount", "shop=north,south,east")["values"] == [4, 4, nil])

            // The newest is kept, in whatever order rows come; an hour after it a value is too old.
            let rows = try session.folder.write(
                #"{"shop":["east","east","west"],"event_time":["2026-01-01T11:50:00Z","2026-01-01T11:40:00Z","2026-01-01T10:59:59Z"],"price":[9.5,8,7],"count":[3,2,null]}"#,
                to: "rows.json")
            let written = try await session.say("features", "write", "last_click", "--rows", rows)
            #expect(written.array?.first?["view"] == "last_click")
            let prices = try await session.get("last_click:price", "shop=east,west")
            #expect(prices["values"] == [9.5, nil])
            #expect(prices["statuses"] == ["PRESENT", "OUTSIDE_MAX_AGE"])
            #expect(try await session.get("last_click:count", "shop=east")["values"] == [3])

            let erased = try await session.say("features", "erase", "shop", "--key", "shop=east")
            #expect(erased["rows"] == 1)
            #expect(try await session.get("last_click:price", "shop=east")["statuses"] == ["NOT_FOUND"])
            let north = try await session.say("features", "erase", "shop", "--key", "shop=north")
            #expect(north["views"]?.array?.first { $0["view"] == "stock" }?["rows"] == 1, "\(north)")
            #expect(try await session.get("stock:amount", "shop=north,south", "item=1,2")["values"] == [nil, 4])
        }
    }

    @Test func pushedEventsAreCounted() async throws {
        try await withShop { session, _ in
            let file = try session.folder.write(
                """
                {"shop":"east","at":"2026-01-01T11:30:00Z","price":2.5,"count":1}
                {"shop":"east","at":"2026-01-01T11:20:00Z","price":4,"count":2}

                {"shop":"west","at":"2026-01-01T11:30:00Z","price":null,"count":null}
                """, to: "clicks.jsonl")
            let pushed = try await session.say("features", "push", "clicks", "--file", file)
            #expect(pushed["events"] == 3, "\(pushed)")
            try await Deadline(seconds: 10).wait("the events are online") {
                let clicks = try await session.get("busy:clicks", "shop=west")["values"]
                let newest = try await session.get("last_click:price", "shop=west")["statuses"]
                return clicks == [1] && newest == ["NULL_VALUE"]
            }
            #expect(try await session.get("busy:clicks", "shop=east")["values"] == [2])
            #expect(try await session.get("busy:spent", "shop=east,west")["values"] == [6.5, nil])
            #expect(try await session.get("last_click:count", "shop=east")["values"] == [1])
            #expect(try await session.say("features", "flush")["events"] == 3)
            #expect(try await session.say("features", "flush")["events"] == 0)
        }
    }

    @Test func freshnessTellsTheNewestRowAndWhatIsBehind() async throws {
        try await withShop { session, shop in
            func stock(_ document: JSONValue) -> JSONValue? { document.array?.first { $0["view"] == "stock" } }
            let fresh = try await session.say("features", "freshness")
            #expect(stock(fresh)?["newest"] == "2026-01-01T11:00:00Z")
            #expect(stock(fresh)?["ageSeconds"]?.double == 3600, "\(fresh)")
            #expect(stock(fresh)?["withinSeconds"] == 7200 && stock(fresh)?["isStale"] == false)
            // All that could be known by noon is online, and may be two hours behind.
            for (moment, isStale) in [("2026-01-01T14:00:00Z", false), ("2026-01-01T14:00:01Z", true)] {
                try await shop.workshop.advance(to: try #require(Timestamp(moment)))
                #expect(stock(try await session.say("features", "freshness"))?["isStale"] == .bool(isStale))
            }
        }
    }

    @Test func dataIsListedComparedAndCheckedOut() async throws {
        try await withShop { session, shop in
            let first = try #require(try await session.say("data", "list").array?.first)
            #expect(first["table"] == "sales" && first["number"] == 1 && first["rows"] == 3)
            // One row more, one changed, one gone.
            try shop.write(
                FeatureShop.header + """
                    north,1,2026-01-01T10:00:00Z,2026-01-01T10:05:00Z,1.5
                    north,1,2026-01-01T11:00:00Z,2026-01-01T11:30:00Z,3.5
                    east,3,2026-01-01T11:45:00Z,2026-01-01T11:45:00Z,1

                    """, to: "sales.csv")
            let second = try #require(try await session.say("data", "ingest", "sales").array?.first)
            #expect(second["number"] == 2 && second["rows"] == 3)
            let shown = try await session.say("data", "show", "sales@1")
            #expect(shown["digest"] == first["digest"] && shown["number"] == 1)
            #expect(shown["results"]?.array?.first?["name"] == "amount_is_possible")

            let diff = try await session.say("data", "diff", "sales@1", "sales@2")
            #expect(diff["added"] == 1 && diff["removed"] == 1 && diff["changed"] == 1, "\(diff)")
            #expect(diff["key"] == ["shop", "item", "happened"])
            #expect(diff["changesByColumn"] == ["amount": 1])

            for (reference, version) in [("sales@1", first), ("sales", second)] {
                let place = session.folder("checkout-\(reference)")
                let out = try await session.say("data", "checkout", reference, "--to", place)
                let bytes = try Data(contentsOf: URL(filePath: "\(place)/sales.parquet"))
                #expect(Digest(of: [UInt8](bytes)).description == version["digest"]?.string)
                #expect(out["bytes"]?.integer == Int64(bytes.count))
            }

            let valid = try await session.say("data", "validate", "sales")
            #expect(valid.array?.map { $0["success"] } == [true])
            let other = try session.folder.write(
                FeatureShop.header + "west,1,2026-01-01T10:00:00Z,2026-01-01T10:05:00Z,-1\n", to: "other.csv")
            let invalid = try await session.say("data", "validate", "sales", "--file", other, code: 1)
            #expect(invalid.array?.map { $0["verdict"] } == ["stop"])
            #expect(try await session.say("data", "list").array?.first?["number"] == 2)
        }
    }
}
