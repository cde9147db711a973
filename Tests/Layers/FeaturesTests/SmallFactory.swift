import Basics
import Columnar
import Configuration
import Datasets
import Features
import Journal
import KeyValue
import ObjectStorage
import SQL
import TestSupport

/// A feature store over a few rows of a test's own.
struct SmallFactory {
    let folder: TemporaryFolder
    let store: FeatureStore
    let database: Database

    init(_ files: [String: String], data: [String: String]) async throws {
        folder = try TemporaryFolder()
        for (name, text) in data { try folder.write(text, to: "data/\(name)") }
        for name in ["objects", "online", "scratch"] { try folder.write("", to: "\(name)/.keep") }
        let path = folder.path
        database = try await Database.open(at: "\(path)/works.db")
        _ = try await database.migrate(Journal.migrations + DatasetStore.migrations + FeatureStore.migrations)
        let online = try LMDBStore(path: "\(path)/online", durable: false)
        store = FeatureStore(
            database: database, objects: try FileObjectStore(root: "\(path)/objects"),
            engine: ColumnarEngine(ColumnarOptions(temporaryDirectory: "\(path)/scratch")), online: online,
            onlineTable: try await online.table("features"),
            time: ManualTime(Timestamp(seconds: 0)), random: SystemRandom(), scratch: "\(path)/scratch")
        var files = files
        files["works.yaml"] = "name: small"
        try use(files)
    }

    func use(_ files: [String: String]) throws {
        var files = files
        files["works.yaml"] = "name: small"
        store.use(
            try Catalogue(FactoryDocuments(files: files, environment: [:])), dataFolder: "\(folder.path)/data")
    }

    /// Measurements of shops, and a view of each shop's last one on a grid of ten minutes.
    static let definitions = [
        "data/sales.yaml": """
        kind: table
        name: sales
        owner: test
        path: sales.csv
        nulls: [NA]
        columns: {shop: string, happened: timestamp, known: timestamp, amount: double}
        expectations:
          - {name: amount_known, severity: quarantine, not_null: [amount]}
          - {name: amount_positive, severity: quarantine, between: {column: amount, min: 0}}
          - {name: one_sale_at_a_time, severity: quarantine, unique: [shop, happened]}
          - {name: some_rows, severity: stop, row_count: {min: 1}}
        """,
        "data/sold.yaml": """
        kind: events
        name: sold
        owner: test
        sql: sold.sql
        event_time: happened
        available_at: known
        """,
        "data/sold.sql": "SELECT * FROM sales",
        "features/shop.yaml": "{kind: entity, name: shop, owner: test, join_keys: [shop]}",
        "features/last_sale.yaml": """
        kind: view
        name: last_sale
        owner: test
        entities: [shop]
        sources: [sold]
        sql: last_sale.sql
        event_time: published_at
        ttl: 1h
        every: 10m
        features: {amount: double, total: double}
        """,
        "features/last_sale.sql": """
        SELECT shop, time_bucket(INTERVAL 10 MINUTE, known - INTERVAL 1 MICROSECOND) + INTERVAL 10 MINUTE AS published_at,
               last(amount ORDER BY known) AS amount, sum(sum(amount)) OVER (PARTITION BY shop ORDER BY
               time_bucket(INTERVAL 10 MINUTE, known - INTERVAL 1 MICROSECOND)) AS total
        FROM sold GROUP BY shop, time_bucket(INTERVAL 10 MINUTE, known - INTERVAL 1 MICROSECOND)
        """,
        "features/service.yaml":
            "{kind: service, name: shops, owner: test, request: {weekday: double}, views: [last_sale]}",
    ]
}
