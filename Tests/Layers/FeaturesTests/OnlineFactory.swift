import Basics
import Columnar
import Configuration
import Datasets
import Engines
import Features
import Journal
import KeyValue
import ObjectStorage
import SQL
import TestSupport

/// A feature store over rows of a test's own, with a clock that the test sets and a view of typed features.
struct OnlineFactory {
    let folder: TemporaryFolder
    let store: FeatureStore
    let database: Database
    let online: LMDBStore
    let clock: ManualTime

    /// - Parameters:
    ///   - rows: CSV of `shop,item,happened,known,amount,sold,rate,open,label,seen`.
    init(_ rows: [String], at now: String = "2020-01-02T00:00:00Z", on engine: SQLEngine = .sqlite) async throws {
        folder = try TemporaryFolder()
        let path = folder.path
        for name in ["objects", "online", "scratch"] { try folder.write("", to: "\(name)/.keep") }
        database = try await engine.database(in: folder)
        _ = try await database.migrate(Journal.migrations + DatasetStore.migrations + FeatureStore.migrations)
        online = try LMDBStore(path: "\(path)/online", durable: false)
        clock = ManualTime(Timestamp(now) ?? Timestamp(seconds: 0))
        store = FeatureStore(
            database: database, objects: try FileObjectStore(root: "\(path)/objects"),
            engine: ColumnarEngine(ColumnarOptions(temporaryDirectory: "\(path)/scratch")), online: online,
            onlineTable: try await online.table("features"), time: clock, random: SystemRandom(),
            scratch: "\(path)/scratch")
        try write(rows)
        store.use(
            try Catalogue(FactoryDocuments(files: Self.definitions, environment: [:])), dataFolder: "\(path)/data")
        _ = try await store.ingest(by: "test")
    }

    func write(_ rows: [String]) throws {
        try folder.write(
            (["shop,item,happened,known,amount,sold,rate,open,label,seen"] + rows).joined(separator: "\n"),
            to: "data/sales.csv")
    }

    func close() async {
        await database.close()
        try? await online.close()
    }

    static func row(
        _ shop: String, _ item: Int, _ time: String, known: String? = nil, amount: String = "1.5", sold: String = "3",
        rate: String = "0.25", open: String = "true", label: String = "x"
    ) -> String {
        "\(shop),\(item),\(time),\(known ?? time),\(amount),\(sold),\(rate),\(open),\(label),\(time)"
    }

    static let definitions = [
        "works.yaml": "name: online",
        "data/sales.yaml": """
        kind: table
        name: sales
        owner: test
        path: sales.csv
        nulls: [NA]
        columns: {shop: string, item: integer, happened: timestamp, known: timestamp, amount: double, sold: integer,
                  rate: double, open: boolean, label: string, seen: timestamp}
        """,
        "data/sold.yaml":
            "{kind: events, name: sold, owner: test, sql: sold.sql, event_time: happened, available_at: known}",
        "data/sold.sql": "SELECT * FROM sales",
        "data/clicks.yaml": """
        kind: events
        name: clicks
        owner: test
        stream: {columns: {shop: string, at: timestamp, price: double, tags: string}}
        event_time: at
        """,
        "features/shop.yaml": "{kind: entity, name: shop, owner: test, join_keys: [shop]}",
        "features/item.yaml": "{kind: entity, name: item, owner: test, join_keys: [item]}",
        "features/stock.yaml": """
        kind: view
        name: stock
        owner: test
        entities: [shop, item]
        sources: [sold]
        sql: stock.sql
        event_time: happened
        ttl: 1h
        freshness: {class: batch, within: 2h}
        features: {amount: double, sold: integer, rate: float, open: boolean, label: string, seen: timestamp,
                   both: list<double>, words: list<string>}
        """,
        "features/stock.sql": """
        SELECT shop, item, happened, amount, sold, rate, open, label, seen, [amount, NULL, 2.0] AS both,
               [label, 'é', NULL] AS words FROM sold
        """,
        "features/shop_last.yaml": """
        kind: view
        name: shop_last
        owner: test
        entities: [shop]
        sources: [sold]
        sql: shop_last.sql
        event_time: happened
        ttl: none
        features: {total: double}
        """,
        "features/shop_last.sql": "SELECT shop, happened, sum(amount) AS total FROM sold GROUP BY ALL",
        "features/last_click.yaml": """
        kind: view
        name: last_click
        owner: test
        entities: [shop]
        source: clicks
        features: {price: double}
        ttl: 10m
        """,
        "features/service.yaml": """
        kind: service
        name: shops
        owner: test
        request: {weekday: double}
        views: [{view: stock, as: here, features: [amount, sold]}, "shop_last:total"]
        """,
    ]
}

/// One value read, copied out.
struct ReadValue: Equatable {
    var status: OnlineStatus
    var value: FeatureValue
    var eventTime: Int64?

    static func present(_ value: FeatureValue, _ time: Timestamp) -> ReadValue {
        ReadValue(status: .present, value: value, eventTime: time.microseconds)
    }
}

extension FeatureStore {
    /// Values by entity and output.
    func read(_ selection: OnlineSelection, _ entities: [[ScalarValue]], at moment: Timestamp) async throws
        -> [[ReadValue]]
    {
        let reader = try await onlineReader(selection)
        var keys = OnlineKeys(keysPerEntity: reader.joinKeys.count)
        for entity in entities { for value in entity { keys.append(value) } }
        return try reader.read(keys, at: moment.microseconds) { batch in
            (0..<batch.entityCount).map { entity in
                reader.outputs.indices.map { output in
                    let value = batch.value(output, of: entity)
                    return ReadValue(status: value.status, value: value.cell.value, eventTime: value.eventTime)
                }
            }
        }
    }
}
