import Basics
import Foundation
import HTTP
import TestSupport
import Works
import Workshop

/// A factory of a few rows whose answers can be worked out by hand: what two shops hold in stock, and a stream of clicks.
/// It is noon of 2026-01-01 there, and what could be known by then is online.
struct FeatureShop {
    let workshop: Workshop

    static let files = [
        "works.yaml": "{name: shop, owner: test, data: data, clock: replay}\n",
        "data/sales.yaml": """
        kind: table
        name: sales
        owner: test
        path: sales.csv
        key: [shop, item, happened]
        columns: {shop: string, item: integer, happened: timestamp, known: timestamp, amount: double}
        expectations:
          - {name: amount_is_possible, severity: stop, between: {column: amount, min: 0}}
        """,
        "data/sold.yaml":
            "{kind: events, name: sold, owner: test, sql: sold.sql, event_time: happened, available_at: known}\n",
        "data/sold.sql": "SELECT * FROM sales",
        "data/clicks.yaml": """
        kind: events
        name: clicks
        owner: test
        stream: {columns: {shop: string, at: timestamp, price: double, count: integer}}
        event_time: at
        """,
        "features/shop.yaml": "{kind: entity, name: shop, owner: test, join_keys: [shop]}\n",
        "features/item.yaml": "{kind: entity, name: item, owner: test, join_keys: [item]}\n",
        "features/stock.yaml": """
        kind: view
        name: stock
        owner: test
        entities: [shop, item]
        sources: [sold]
        sql: stock.sql
        event_time: happened
        created_time: known
        ttl: 1d
        freshness: {class: batch, within: 2h}
        features: {amount: double}
        """,
        "features/stock.sql": "SELECT * FROM sold",
        "features/total.yaml": """
        kind: view
        name: total
        owner: test
        entities: [shop]
        source: sold
        aggregations: {amount: {sum: amount, over: 3h, type: double}}
        tile: 30m
        ttl: none
        """,
        "features/last_click.yaml": """
        kind: view
        name: last_click
        owner: test
        entities: [shop]
        source: clicks
        features: {price: double, count: integer}
        ttl: 1h
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
        "features/shops.yaml":
            "{kind: service, name: shops, owner: test, views: [stock, {view: total, features: [amount]}]}\n",
    ]

    static let header = "shop,item,happened,known,amount\n"
    static let rows = """
        north,1,2026-01-01T10:00:00Z,2026-01-01T10:05:00Z,1.5
        north,1,2026-01-01T11:00:00Z,2026-01-01T11:30:00Z,2.5
        south,2,2026-01-01T10:30:00Z,2026-01-01T10:30:00Z,4

        """

    /// - Parameters:
    ///   - changes: files that are others or not there.
    ///   - data: files of the data folder beside `sales.csv`.
    init(_ changes: [String: String?] = [:], data: [String: String] = [:]) async throws {
        workshop = try await Workshop()
        try write(Self.header + Self.rows, to: "sales.csv")
        for (name, text) in data { try write(text, to: name) }
        try await workshop.post("/apply", workshop.directory(Self.files(with: changes)))
        try await workshop.post("/data/ingest")
        try await workshop.advance(to: Timestamp("2026-01-01T12:00:00Z") ?? .distantPast)
    }

    /// Computes all views and brings them online.
    func materialise() async throws {
        try await workshop.post("/features/build")
        try await workshop.post("/features/materialize")
    }

    static func files(with changes: [String: String?]) -> [String: String] {
        var files = files
        for (name, text) in changes { files[name] = text }
        return files
    }

    func write(_ text: String, to name: String) throws { try workshop.folder.write(text, to: "data/\(name)") }

    /// Asks without a socket; a path that begins with `/` alone is of the factory's own API.
    func ask(_ path: String, _ body: [UInt8], type: String = "application/json") async throws -> Workshop.Answer {
        let answer = try await workshop.works.dispatch(.post, path, headers: ["Content-Type": type], body: body)
        return Workshop.Answer(status: answer.status, body: answer.body)
    }

    /// What is in all stores: versions of tables, histories, what is online, streams, the journal and the objects.
    func digest() async throws -> Digest {
        var parts: [JSONValue] = []
        for path in ["/data", "/features", "/features/freshness", "/features/streams", "/journal?limit=10000"] {
            let answer = try await workshop.get(path)
            guard answer.status == 200 else { throw Workshop.Surprise(description: "\(path): \(answer.text)") }
            parts.append(answer.json)
        }
        let online = try await workshop.post(
            "/features/online",
            [
                "features": ["stock", "total", "last_click", "busy"],
                "entities": [
                    "shop": ["north", "north", "south", "south", "east", "many"], "item": [1, 2, 1, 2, 1, 1],
                ],
            ])
        parts.append(online)
        let folder = URL(filePath: workshop.folder("root/objects"))
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)?.allObjects ?? []
        parts.append(.array(files.compactMap { ($0 as? URL)?.lastPathComponent }.sorted().map { .string($0) }))
        return Digest(of: try JSON.canonical(JSONValue.array(parts)))
    }
}
