import Basics
import Foundation
import Testing
import Works
import Workshop

/// The stock pyarrow of PyPI reads and writes what the bulk routes speak.
@Suite(.serialized, .enabled(if: Python.data != nil, "the stock pyarrow is not set up"))
struct ArrowConformance {
    @Test func stockPyarrowGetsAndGivesEveryType() async throws {
        let shop = try await Workshop()
        try await shop.post("/apply", shop.directory(ArrowShop.files))
        try await shop.advance(to: Timestamp("2026-03-01T12:00:00Z") ?? .distantPast)
        try await shop.post("/features/build")
        for (to, rows) in ArrowShop.rows {
            try await shop.post("/features/push", ["to": .string(to), "rows": rows])
        }
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../Conformance/arrow_http.py"
        ).standardizedFileURL.path
        let said = try await shop.serving { _ in
            try await Python.run(Python.data, [script, "http://\(try shop.address())"])
        }
        #expect(said == "good\n")
    }
}

/// Views with a feature of every type.
enum ArrowShop {
    static let files = [
        "works.yaml": "{name: arrow, owner: test, clock: replay}\n",
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
        stream: {columns: {origin: string, dest: integer, event_timestamp: timestamp, minutes: double}}
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
        features: {minutes: double}
        """,
    ]

    static let rows: [(to: String, rows: JSONValue)] = [
        (
            "last_click",
            [
                "shop": ["north", "south", "old"],
                "event_time": ["2026-03-01T11:30:00Z", "2026-03-01T11:59:59.25Z", "2026-03-01T10:59:59.999999Z"],
                "count": [7, nil, 9], "price": [5.0, 0.1, 2.5], "rate": [0.5, nil, 1.0], "open": [true, false, nil],
                "label": ["a \"b\" é", nil, "x"], "seen": ["1969-12-31T23:59:58.5Z", nil, "2026-01-01T00:00:00Z"],
            ]
        ),
        (
            "lists",
            [
                "shop": ["north"], "at": ["2026-03-01T11:30:00Z"], "both": [[1.0, nil, 2.5]], "words": [["x", "é"]],
            ]
        ),
        (
            "last_ride",
            [
                "origin": ["EWR", "JFK"], "dest": [1, -2],
                "event_time": ["2026-03-01T00:00:00Z", "2026-02-28T00:00:00Z"], "minutes": [30.0, 12.25],
            ]
        ),
    ]
}
