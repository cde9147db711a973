import Basics
import Documents
import Engines
import Foundation

/// The calls of MLflow's protocol that the measurements make, written as its client writes them.
enum TrackingCalls {
    static func createExperiment(_ wire: Wire, _ name: String) throws -> String {
        try text(try wire.post("/api/2.0/mlflow/experiments/create", "{\"name\": \"\(name)\"}"), ["experiment_id"])
    }

    @discardableResult
    static func createRun(_ wire: Wire, in experiment: String, start: Int = 1_760_000_000_000) throws -> String {
        try text(
            try wire.post(
                "/api/2.0/mlflow/runs/create",
                """
                {"experiment_id": "\(experiment)", "user_id": "mina", "run_name": "run \(start)", "start_time": \(start), \
                "tags": [{"key": "mlflow.user", "value": "mina"}, {"key": "mlflow.source.name", "value": "train.py"}, \
                {"key": "mlflow.source.type", "value": "LOCAL"}]}
                """), ["run", "info", "run_id"])
    }

    static func logMetric(_ wire: Wire, _ run: String, key: String, step: Int) throws {
        try wire.post(
            "/api/2.0/mlflow/runs/log-metric",
            """
            {"run_uuid": "\(run)", "run_id": "\(run)", "key": "\(key)", "value": \(1 / Double(step + 1)), \
            "timestamp": \(1_760_000_000_000 + step), "step": \(step)}
            """)
    }

    static func logParameter(_ wire: Wire, _ run: String, _ number: Int) throws {
        try wire.post(
            "/api/2.0/mlflow/runs/log-parameter",
            "{\"run_uuid\": \"\(run)\", \"run_id\": \"\(run)\", \"key\": \"p\(number)\", \"value\": \"0.00\(number)\"}")
    }

    static func setTag(_ wire: Wire, _ run: String, _ number: Int) throws {
        try wire.post(
            "/api/2.0/mlflow/runs/set-tag",
            """
            {"run_uuid": "\(run)", "run_id": "\(run)", "key": "t\(number % 50)", "value": "value \(number)"}
            """)
    }

    /// Logs a batch of so many metrics, with as many keys or of one.
    static func logMetrics(
        _ wire: Wire, _ run: String, count: Int, from start: Int = 0, key: (Int) -> String
    ) throws {
        try logBatch(wire, metrics(run, count: count, from: start, key: key))
    }

    static func logBatch(_ wire: Wire, _ body: String) throws { try wire.post("/api/2.0/mlflow/runs/log-batch", body) }

    /// The body of a batch of so many metrics.
    static func metrics(_ run: String, count: Int, from start: Int, key: (Int) -> String) -> String {
        let metrics = (start..<(start + count)).map { number in
            """
            {"key": "\(key(number))", "value": \(sin(Double(number) / 1000)), \
            "timestamp": \(1_760_000_000_000 + number), "step": \(number)}
            """
        }
        return
            "{\"run_id\": \"\(run)\", \"metrics\": [\(metrics.joined(separator: ", "))], \"params\": [], \"tags\": []}"
    }

    static func search(
        _ wire: Wire, _ experiment: String, filter: String, order: String? = nil, limit: Int, page: String? = nil
    ) throws -> Wire.Reply {
        let ordered = order.map { ", \"order_by\": [\"\($0)\"]" } ?? ""
        let paged = page.map { ", \"page_token\": \"\($0)\"" } ?? ""
        return try wire.post(
            "/api/2.0/mlflow/runs/search",
            """
            {"experiment_ids": ["\(experiment)"], "filter": "\(filter)", "run_view_type": "ACTIVE_ONLY", \
            "max_results": \(limit)\(ordered)\(paged)}
            """)
    }

    /// How many runs an answer has.
    static func count(_ reply: Wire.Reply) throws -> Int {
        try JSONTree.value(reply.body)["runs"]?.array?.count ?? 0
    }

    /// The token of the next page, found without reading the whole.
    static func token(_ reply: Wire.Reply) -> String? {
        let end = String(decoding: reply.body.suffix(400), as: UTF8.self)
        guard let mark = end.range(of: "\"next_page_token\"") else { return nil }
        return end[mark.upperBound...].split(separator: "\"").dropFirst().first.map(String.init)
    }

    private static func text(_ reply: Wire.Reply, _ path: [String]) throws -> String {
        var value: JSONValue? = try JSONTree.value(reply.body)
        for name in path { value = value?[name] }
        guard let text = value?.string else {
            throw EngineUnavailable(
                "no \(path.joined(separator: ".")) in \(String(decoding: reply.body, as: UTF8.self))")
        }
        return text
    }
}

/// What the runs of the search bench have; `mlflow_fill.py` counts the same out.
enum BenchRuns {
    static let metrics = 10
    static let parameters = 10
    static let tags = 5

    /// The body of the batch that is logged to the run of a number.
    static func batch(_ number: Int, run: String) -> String {
        let time = 1_760_000_000_000 + number
        let metrics = (0..<metrics).map { index in
            "{\"key\": \"m\(index)\", \"value\": \(metric(number, index)), \"timestamp\": \(time), \"step\": 0}"
        }
        let parameters = (0..<parameters).map { "{\"key\": \"p\($0)\", \"value\": \"\((number + $0) % 20)\"}" }
        let tags = (0..<tags).map { "{\"key\": \"t\($0)\", \"value\": \"v\(number * $0 % 7)\"}" }
        return """
            {"run_id": "\(run)", "metrics": [\(metrics.joined(separator: ", "))], \
            "params": [\(parameters.joined(separator: ", "))], "tags": [\(tags.joined(separator: ", "))]}
            """
    }

    private static func metric(_ number: Int, _ index: Int) -> Double {
        Double(number * (2 * index + 3) * 7919 % 10007) / 10007
    }
}
