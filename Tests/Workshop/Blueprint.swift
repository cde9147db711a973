import Basics

/// The definitions of a workshop's factory.
public enum Blueprint {
    public static let training = "failures"
    public static let model = "order-failure"
    public static let endpoint = "orders"
    /// 2024-01-01T00:00:00Z
    public static let start = Timestamp(seconds: 1_704_067_200)
    /// 2024-01-15T00:00:00Z: rows before it are learnt from, rows after it are asked about.
    public static let trainedTo = Timestamp(seconds: 1_705_276_800)
    /// 2024-01-21T00:00:00Z: after the last row.
    public static let end = Timestamp(seconds: 1_705_795_200)

    public static let files = [
        "works.yaml": "{name: workshop, owner: test, data: data, clock: replay}\n",
        "data/orders.yaml": """
        kind: table
        name: orders
        owner: test
        path: orders.csv
        columns: {order_id: string, shop: string, placed: timestamp, size: double, failed: integer, settled: timestamp}
        expectations:
          - {name: id_is_unique, severity: stop, unique: [order_id]}

        """,
        "data/readings.yaml": """
        kind: table
        name: readings
        owner: test
        path: readings.csv
        columns: {shop: string, measured: timestamp, known: timestamp, load: double}

        """,
        "data/measured.yaml": """
        kind: events
        name: measured
        owner: test
        sql: measured.sql
        event_time: measured
        available_at: known

        """,
        "data/measured.sql": "SELECT * FROM readings",
        "features/shop.yaml": "{kind: entity, name: shop, owner: test, join_keys: [shop]}\n",
        "features/shop_load.yaml": """
        kind: view
        name: shop_load
        owner: test
        entities: [shop]
        sources: [measured]
        sql: shop_load.sql
        event_time: published_at
        ttl: 3h
        every: 15m
        features: {load: double, load_mean_6h: double}

        """,
        "features/shop_load.sql": """
        WITH slots AS (
            SELECT shop, time_bucket(INTERVAL 15 MINUTE, known - INTERVAL 1 MICROSECOND) + INTERVAL 15 MINUTE AS slot,
                   last(load ORDER BY known, measured) AS load, sum(load) AS total, count(*) AS measurements
            FROM measured GROUP BY shop, slot
        )
        SELECT shop, slot AS published_at, load, sum(total) OVER six_hours / sum(measurements) OVER six_hours AS load_mean_6h
        FROM slots
        WINDOW six_hours AS (PARTITION BY shop ORDER BY slot RANGE BETWEEN INTERVAL 345 MINUTE PRECEDING AND CURRENT ROW)
        """,
        "features/orders.yaml":
            "{kind: service, name: orders, owner: test, request: {size: double}, views: [shop_load]}\n",
        "training/failures.yaml": """
        name: failures
        owner: test
        trainer: lightgbm
        model: order-failure
        service: orders
        population: population.sql
        id: order_id
        time: placed
        label: failed
        label_time: settled
        train: {from: 2024-01-01, to: 2024-01-15}
        holdout: 3d
        rounds: 30
        seed: 7
        parameters: {num_leaves: 7, min_data_in_leaf: 20, learning_rate: 0.15}
        gates:
          - {metric: auc, min: 0.75}

        """,
        "training/population.sql": "SELECT order_id, placed, shop, size, failed, settled FROM orders",
        "serving/orders.yaml": """
        endpoint: orders
        owner: test
        model: order-failure
        service: orders
        rollout: {steps: [50%, 100%], step_every: 1h, min_requests: 2, max_error_rate: 10%, max_p99_ms: 10000, failure_limit: 3}

        """,
    ]

    /// The files with some replaced; a nil text takes a file away.
    public static func files(with changes: [String: String?]) -> [String: String] {
        files.merging(changes.compactMapValues { $0 }) { _, new in new }.filter { name, _ in
            !changes.contains { $0.key == name && $0.value == nil }
        }
    }

    /// The files with one text changed in one of them.
    public static func files(replacing old: String, with new: String, in name: String) -> [String: String] {
        files(with: [
            name: (files[name] ?? "").split(separator: old, omittingEmptySubsequences: false).joined(separator: new)
        ])
    }

    /// The Open Inference request that asks about an order at a moment.
    public static func request(_ order: Rows.Order) throws -> String {
        """
        {"id":\(try JSON.string(order.id)),"inputs":[\
        {"name":"shop","datatype":"BYTES","shape":[1],"data":[\(try JSON.string(order.shop))]},\
        {"name":"size","datatype":"FP64","shape":[1],"data":[\(order.size)]},\
        {"name":"event_time","datatype":"BYTES","shape":[1],"data":["\(order.placed)"]}]}
        """
    }
}
