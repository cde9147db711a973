import Basics
import HTTP
import Works
import Workshop

/// A factory with a stream and a view of its newest event, with a feature of every type, and one of two keys; rows have been
/// written to both. Its clock stands at noon of 2026-03-01.
struct FeastShop {
    let workshop: Workshop

    static let files = [
        "works.yaml": "{name: feast, owner: test, clock: replay}\n",
        "data/clicks.yaml": """
        kind: events
        name: clicks
        owner: test
        stream:
          columns: {shop: string, at: timestamp, count: integer, price: double, rate: float, open: boolean,
                    label: string, seen: timestamp}
        event_time: at
        """,
        "data/listed.yaml":
            "{kind: events, name: listed, owner: test, sql: listed.sql, event_time: at, available_at: at}\n",
        "data/listed.sql": "SELECT 'no' AS shop, TIMESTAMP '2026-01-01' AS at, [1.5] AS both, ['x'] AS words",
        "data/rides.yaml": """
        kind: events
        name: rides
        owner: test
        stream: {columns: {origin: string, dest: integer, event_timestamp: timestamp, minutes: double, price: double}}
        event_time: event_timestamp
        """,
        "features/shop.yaml": "{kind: entity, name: shop, owner: test, join_keys: [shop]}\n",
        "features/route.yaml": "{kind: entity, name: route, owner: test, join_keys: [origin, dest]}\n",
        "features/last_click.yaml": """
        kind: view
        name: last_click
        owner: test
        entities: [shop]
        source: clicks
        ttl: 1h
        features: {count: integer, price: double, rate: float, open: boolean, label: string, seen: timestamp}
        """,
        "features/lists.yaml": """
        kind: view
        name: lists
        owner: test
        entities: [shop]
        sources: [listed]
        sql: lists.sql
        event_time: at
        ttl: none
        features: {both: list<double>, words: list<string>}
        """,
        "features/lists.sql": "SELECT * FROM listed",
        "features/last_ride.yaml": """
        kind: view
        name: last_ride
        owner: test
        entities: [route]
        source: rides
        ttl: none
        features: {minutes: double, price: double}
        """,
        "features/busy.yaml": """
        kind: view
        name: busy
        owner: test
        entities: [shop]
        source: clicks
        aggregations: {clicks: {count: "*", over: 1h}, spent: {sum: price, over: 1h}}
        ttl: none
        """,
        "features/clicked.yaml":
            "{kind: service, name: clicked, owner: test, views: [\"last_click:price\", \"last_ride:minutes\"]}\n",
    ]

    init() async throws {
        workshop = try await Workshop()
        try await workshop.post("/apply", workshop.directory(Self.files))
        try await workshop.advance(to: Timestamp("2026-03-01T12:00:00Z") ?? .distantPast)
        try await write(
            """
            {"feature_view_name":"last_click","df":{"shop":["north","south","old"],
             "event_timestamp":["2026-03-01 11:30:00","2026-03-01T11:59:59.250000","2026-03-01T10:59:59.999999+00:00"],
             "created":["2026-03-01 11:30:00","2026-03-01 11:30:00","2026-03-01 11:30:00"],
             "count":[7,null,9],"price":[5,0.1,2.5],"rate":[0.1,null,1],"open":[true,false,null],
             "label":["a \\"b\\" é",null,"x"],"seen":["1969-12-31T23:59:58.5Z",null,"2026-01-01"]}}
            """)
        try await write(
            """
            {"feature_view_name":"lists","df":{"shop":["north"],"event_timestamp":["2026-03-01T11:30:00"],
             "both":[[1,null,2.5]],"words":[["x","é"]]}}
            """)
        try await write(
            """
            {"feature_view_name":"last_ride","df":{"origin":["EWR","JFK"],"dest":[1,-2],
             "event_timestamp":["2026-03-01","2026-02-28T00:00:00.001"],"minutes":[30,12.25],"price":[1e300,null]}}
            """)
    }

    func write(_ body: String) async throws {
        let answer = try await send("/write-to-online-store", body)
        guard answer.status == 200, answer.text == "null" else {
            throw Workshop.Surprise(description: "\(answer.status) \(answer.text)")
        }
    }

    func send(_ path: String, _ body: String) async throws -> Workshop.Answer { try await send(path, Array(body.utf8)) }

    /// Asks without a socket, so that a worker answers and not a loop.
    func send(_ path: String, _ body: [UInt8]) async throws -> Workshop.Answer {
        let answer = try await workshop.works.dispatch(
            .post, path, headers: ["Content-Type": "application/json"], body: body)
        return Workshop.Answer(status: answer.status, body: answer.body)
    }

    func ask(_ body: String, asFeast: Bool = false) async throws -> Workshop.Answer {
        try await send("/get-online-features" + (asFeast ? "?as_feast=true" : ""), body)
    }
}
