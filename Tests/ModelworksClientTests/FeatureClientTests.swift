import Basics
import HTTP
import ModelworksClient
import Testing
import Works
import Workshop

/// The typed client against a factory that is served.
@Suite(.serialized) struct FeatureClientTests {
    private static let files = [
        "works.yaml": "{name: client, owner: test, clock: replay}\n",
        "data/clicks.yaml": """
        kind: events
        name: clicks
        owner: test
        stream: {columns: {shop: string, at: timestamp, price: double, label: string}}
        event_time: at
        """,
        "features/shop.yaml": "{kind: entity, name: shop, owner: test, join_keys: [shop]}\n",
        "features/last_click.yaml": """
        kind: view
        name: last_click
        owner: test
        entities: [shop]
        source: clicks
        ttl: 1h
        features: {price: double, label: string}
        """,
        "features/offer.yaml": """
        kind: transform
        name: offer
        owner: test
        request: {discount: double}
        views: ["last_click:price", "last_click:label"]
        features:
          price: "last_click__price * (1 - discount)"
          banner: "upper(last_click__label)"
        """,
        "features/clicked.yaml":
            "{kind: service, name: clicked, owner: test, request: {discount: double}, views: [\"last_click:price\", \"offer:price\"]}\n",
    ]

    private struct Click: Encodable {
        var shop: String
        var at: Timestamp
        var price: Double?
        var label: String?
    }

    private struct Row: Encodable {
        var shop: String
        var eventTime: Timestamp
        var price: Double?
        var label: String?

        enum CodingKeys: String, CodingKey {
            case shop, price, label
            case eventTime = "event_time"
        }
    }

    private struct Offer: Decodable, Equatable {
        var price: Double?
        var offered: Double?

        enum CodingKeys: String, CodingKey {
            case price = "last_click__price"
            case offered = "offer__price"
        }
    }

    private static let noon = Timestamp("2026-03-01T12:00:00Z") ?? .distantPast

    private static func serving(_ body: @escaping @Sendable (ModelworksClient) async throws -> Void) async throws {
        let shop = try await Workshop()
        try await shop.post("/apply", shop.directory(files))
        try await shop.advance(to: noon)
        try await shop.serving { _ in
            let url = "http://\(try shop.address())"
            try await body(try ModelworksClient(url: url, principal: "user:client"))
        }
    }

    @Test func pushedValuesComeBackAsTheTypeAskedFor() async throws {
        try await Self.serving { factory in
            let pushed = try await factory.features.push(
                [
                    Click(shop: "north", at: Self.noon.advanced(bySeconds: -60), price: 10, label: "é"),
                    Click(shop: "south", at: Self.noon.advanced(bySeconds: -7200), price: 4, label: nil),
                ], to: "clicks")
            #expect(pushed.events == 2)
            let entities: [String: [JSONValue]] = [
                "shop": ["north", "south", "nowhere"], "discount": [0.5, 0.5, .null],
            ]
            let offers = try await factory.features.get(Offer.self, from: .service("clicked"), for: entities)
            #expect(
                offers == [
                    Offer(price: 10, offered: 5), Offer(), Offer(),
                ])
            let values = try await factory.features.get(.service("clicked"), for: entities)
            #expect(values["last_click__price"]?.statuses == [.present, .outsideMaxAge, .notFound])
            #expect(values["offer__price"]?.statuses == [.present, .nullValue, .nullValue])
            #expect(values["last_click__price"]?.eventTimes.first == Self.noon.advanced(bySeconds: -60))
            let banners = try await factory.features.get(
                ["offer:banner"], for: ["shop": ["north"], "discount": [0]])
            #expect(banners["offer__banner"]?.values == ["É"])
        }
    }

    @Test func rowsAreWrittenJoinedAndMaterialized() async throws {
        try await Self.serving { factory in
            let written = try await factory.features.write(
                [Row(shop: "east", eventTime: Self.noon, price: 1.5, label: "x")], to: "last_click")
            #expect(written.map(\.written) == [1])
            let again = try await factory.features.write(
                [Row(shop: "east", eventTime: Self.noon.advanced(bySeconds: -1), price: 9, label: "x")],
                to: "last_click")
            #expect(again.map(\.skipped) == [1])
            _ = try await factory.features.push(
                [Click(shop: "west", at: Self.noon.advanced(bySeconds: -60), price: 3, label: "y")], to: "clicks",
                target: .both)
            _ = try await factory.connection.post("/features/streams/flush", [String: String]())

            struct Asked: Encodable {
                var shop: String
                var eventTimestamp: Timestamp
                var discount: Double

                enum CodingKeys: String, CodingKey {
                    case shop, discount
                    case eventTimestamp = "event_timestamp"
                }
            }
            struct Joined: Decodable {
                var shop: String
                var price: Double?
                var offered: Double?

                enum CodingKeys: String, CodingKey {
                    case shop
                    case price = "last_click__price"
                    case offered = "offer__price"
                }
            }
            let later = Self.noon.advanced(bySeconds: 600)
            let rows = try await factory.features.history(
                Joined.self, from: .service("clicked"),
                for: [
                    Asked(shop: "west", eventTimestamp: later, discount: 0.5),
                    Asked(shop: "nowhere", eventTimestamp: later, discount: 0.5),
                ])
            #expect(rows.map(\.shop) == ["west", "nowhere"])
            #expect(rows.map(\.price) == [3, nil])
            #expect(rows.map(\.offered) == [1.5, nil])
            let report = try await factory.features.materialize(["last_click"], to: later)
            #expect(report.views.map(\.view) == ["last_click"])
        }
    }

    @Test func whatIsRefusedCarriesCodeAndRemedy() async throws {
        try await Self.serving { factory in
            await #expect {
                try await factory.features.get(["last_clik"], for: ["shop": ["north"]])
            } throws: { error in
                guard let failure = error as? RemoteFailure else { return false }
                return failure.code == .notFound && failure.status == 404
                    && failure.message.contains("Did you mean 'last_click'?")
            }
            await #expect {
                try await factory.features.get(.service("clicked"), for: ["shop": ["north"]])
            } throws: { error in
                (error as? RemoteFailure)?.code == .invalidArgument && "\(error)".contains("'discount'")
            }
            struct Strict: Decodable {
                var price: Double

                enum CodingKeys: String, CodingKey { case price = "last_click__price" }
            }
            await #expect {
                try await factory.features.get(Strict.self, from: ["last_click:price"], for: ["shop": ["nowhere"]])
            } throws: { "\($0)".contains("optional") }
        }
    }
}
