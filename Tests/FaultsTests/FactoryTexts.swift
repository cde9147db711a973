/// The definitions of the seeded factory.
enum FactoryTexts {
    static let all = [
        "works.yaml": "{name: orders, owner: test, clock: replay}",
        "data/visits.yaml": """
        kind: table
        name: visits
        owner: test
        path: visits.csv
        columns: {shop: string, seen: timestamp, visitors: double}
        expectations:
          - {name: some_rows, severity: stop, row_count: {min: 1}}
        """,
        "data/orders.yaml": """
        kind: table
        name: orders
        owner: test
        path: orders.csv
        columns: {order_id: string, shop: string, placed: timestamp, amount: double, late: integer, known: timestamp}
        key: [order_id]
        expectations:
          - {name: one_row_per_order, severity: stop, unique: [order_id]}
        """,
        "data/seen.yaml":
            "{kind: events, name: seen, owner: test, sql: seen.sql, event_time: seen, available_at: seen}",
        "data/seen.sql": "SELECT * FROM visits",
        "features/shop.yaml": "{kind: entity, name: shop, owner: test, join_keys: [shop]}",
        "features/busy.yaml": """
        kind: view
        name: busy
        owner: test
        entities: [shop]
        sources: [seen]
        sql: busy.sql
        event_time: published_at
        ttl: 2d
        every: 10m
        features: {visitors: double, so_far: double}
        """,
        "features/busy.sql": """
        SELECT shop, time_bucket(INTERVAL 10 MINUTE, seen - INTERVAL 1 MICROSECOND) + INTERVAL 10 MINUTE AS published_at,
               max_by(visitors, epoch(seen) * 1000 + visitors) AS visitors,
               sum(sum(visitors)) OVER (PARTITION BY shop ORDER BY
               time_bucket(INTERVAL 10 MINUTE, seen - INTERVAL 1 MICROSECOND)) AS so_far
        FROM seen GROUP BY shop, time_bucket(INTERVAL 10 MINUTE, seen - INTERVAL 1 MICROSECOND)
        """,
        "features/orders.yaml": """
        {kind: service, name: orders, owner: test, request: {amount: double}, views: [busy]}
        """,
        "training/population.sql": """
        SELECT order_id AS prediction_id, placed, shop, amount, late, known FROM orders
        """,
        "training/orders.yaml": """
        name: orders
        owner: test
        trainer: lightgbm
        model: orders
        service: orders
        population: population.sql
        time: placed
        label: late
        label_time: known
        train: {from: 2024-03-01, to: 2024-03-15}
        holdout: 2d
        rounds: 20
        seed: 7
        parameters: {num_leaves: 7, min_data_in_leaf: 20}
        gates:
          - {metric: auc, min: 0.5}
        """,
        "serving/orders.yaml": """
        endpoint: orders
        owner: test
        model: orders
        service: orders
        rollout: {steps: [50%, 100%], step_every: 1d}
        """,
        // Some feature has drifted in every window, so that the pipeline runs.
        "monitoring/orders.yaml": """
        name: orders
        owner: test
        endpoint: orders
        window: 12h
        label_wait: 6h
        drift: {psi: {warn: 0.1, critical: 0.2}, min_features: 1}
        performance: {max_drop: 5%, min_labels: 50}
        """,
        // No challenger is half as good again, so that who answers does not depend on when the server was killed.
        "pipelines/retrain.yaml": """
        name: retrain
        owner: test
        endpoint: orders
        training: orders
        triggers: [drift, performance]
        cooldown: 1d
        max_runs: 3
        margin: 50%
        """,
    ]
}
