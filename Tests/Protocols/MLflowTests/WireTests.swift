import Basics
import HTTP
import TestSupport
import Testing
import Works
import Workshop

/// What the stock client never sends, and what its web pages ask for.
@Suite struct WireTests {
    private struct Server {
        let shop: Workshop

        init() async throws { shop = try await Workshop() }

        func send(
            _ method: HTTPMethod, _ path: String, _ body: String = "", type: String = "application/json"
        ) async throws -> Workshop.Answer {
            let answer = try await shop.works.dispatch(
                method, path, headers: ["Content-Type": type], body: Array(body.utf8))
            return Workshop.Answer(status: answer.status, body: answer.body)
        }

        func post(_ path: String, _ body: String) async throws -> Workshop.Answer {
            try await send(.post, "/api/2.0/mlflow\(path)", body)
        }

        func run() async throws -> String {
            let answer = try await post("/runs/create", #"{"experiment_id": "0"}"#)
            return answer.json["run"]?["info"]?["run_id"]?.string ?? ""
        }
    }

    private func expect(_ answer: Workshop.Answer, _ status: Int, _ code: String, _ text: String = "") {
        #expect(answer.status == status, "\(answer.text)")
        #expect(answer.json["error_code"]?.string == code, "\(answer.text)")
        #expect(answer.json["message"]?.string?.contains(text) == true || text.isEmpty, "\(answer.text)")
    }

    @Test func errorsHaveMLflowsShape() async throws {
        let server = try await Server()
        let missing = "RESOURCE_DOES_NOT_EXIST"
        let wrong = "INVALID_PARAMETER_VALUE"
        expect(try await server.post("/nothing", "{}"), 404, "ENDPOINT_NOT_FOUND")
        expect(try await server.send(.get, "/ajax-api/3.0/mlflow/nothing"), 404, "ENDPOINT_NOT_FOUND")
        expect(
            try await server.post("/runs/log-metric", "{}"), 400, wrong, "Missing value for required parameter 'run_id'"
        )
        expect(try await server.post("/runs/log-metric", "no JSON"), 400, wrong, "'run_id'")
        expect(try await server.post("/runs/log-metric", "[\"\u{FF}\"]"), 400, wrong)
        expect(try await server.post("/experiments/create", #"{"name": ""}"#), 400, wrong, "'name'")
        expect(try await server.post("/experiments/create", #"{"name": "  "}"#), 400, wrong)
        expect(try await server.post("/experiments/create", #"{"name": 5}"#), 400, wrong)
        expect(
            try await server.send(.post, "/api/2.0/mlflow/experiments/create", #"{"name": "x"}"#, type: "text/plain"),
            400, wrong)
        expect(try await server.post("/experiments/search", "{}"), 400, wrong)
        expect(try await server.send(.get, "/api/2.0/mlflow/experiments/get?experiment_id=7"), 404, missing)
        expect(
            try await server.send(.get, "/api/2.0/mlflow/runs/get?run_id=none"), 404, missing,
            "Run with id=none not found")
        expect(
            try await server.post("/runs/create", #"{"experiment_id": "0", "experimentId": "0"}"#), 400, wrong,
            "two spellings")
        #expect(try await server.post("/runs/create", #"{"experimentId": "0", "unknown": [1]}"#).status == 200)
        #expect(
            try await server.post("/runs/create", #""{\"experiment_id\": \"0\"}""#).status == 200,
            "JSON within JSON is read too")
        #expect(try await server.send(.get, "/version").text.hasPrefix("3."))
    }

    @Test func metricsAreChecked() async throws {
        let server = try await Server()
        let run = try await server.run()
        func log(_ rest: String) async throws -> Workshop.Answer {
            try await server.post("/runs/log-metric", "{\"run_id\": \"\(run)\", \(rest)}")
        }
        for value in ["1", "\"1.5\"", "\"NaN\"", "\"-Infinity\"", "-1e308"] {
            #expect(
                try await log("\"key\": \"k\", \"value\": \(value), \"timestamp\": \"5\"").status == 200, "\(value)")
        }
        for rest in [
            #""key": "k", "value": true, "timestamp": 1"#, #""key": "k", "value": "x", "timestamp": 1"#,
            #""key": "k", "value": 1"#, #""key": "k", "timestamp": 1"#, #""value": 1, "timestamp": 1"#,
            #""key": "k", "value": 1, "timestamp": -1"#, #""key": "k", "value": 1, "timestamp": 1.5"#,
            #""key": "k", "value": 1, "timestamp": 9223372036854775807"#, #""key": "a//b", "value": 1, "timestamp": 1"#,
            #""key": "k", "value": 1, "timestamp": 1, "step": "x""#, #""key": ["k"], "value": 1, "timestamp": 1"#,
        ] {
            expect(try await log(rest), 400, "INVALID_PARAMETER_VALUE")
        }
        let found = try await server.send(.get, "/ajax-api/2.0/mlflow/runs/get?run_uuid=\(run)")
        // The greatest of equal step and time: 1.5 of 1, 1.5, NaN as 0 and the two that are less.
        #expect(
            found.json["run"]?["data"]?["metrics"]
                == [["key": "k", "value": 1.5, "timestamp": 5, "step": 0]])
    }

    @Test func batchesHaveLimits() async throws {
        let server = try await Server()
        let run = try await server.run()
        func batch(metrics: Int, params: Int, tags: Int) async throws -> Workshop.Answer {
            let points = (0..<metrics).map { "{\"key\":\"m\($0)\",\"value\":1,\"timestamp\":1}" }
            func pairs(_ count: Int) -> String {
                (0..<count).map { "{\"key\":\"k\($0)\",\"value\":\"1\"}" }.joined(separator: ",")
            }
            return try await server.post(
                "/runs/log-batch",
                "{\"run_id\":\"\(run)\",\"metrics\":[\(points.joined(separator: ","))],\"params\":[\(pairs(params))],"
                    + "\"tags\":[\(pairs(tags))]}")
        }
        let wrong = "INVALID_PARAMETER_VALUE"
        expect(try await batch(metrics: 1001, params: 0, tags: 0), 400, wrong, "at most 1000 metrics")
        expect(try await batch(metrics: 0, params: 101, tags: 0), 400, wrong, "at most 100 params")
        expect(try await batch(metrics: 0, params: 0, tags: 101), 400, wrong, "at most 100 tags")
        expect(
            try await batch(metrics: 900, params: 100, tags: 1), 400, wrong, "at most 1000 metrics, params, and tags")
        #expect(try await batch(metrics: 1000, params: 0, tags: 0).status == 200)
        expect(
            try await server.post(
                "/runs/log-batch",
                "{\"run_id\":\"\(run)\",\"params\":[{\"key\":\"a\",\"value\":\"1\"},{\"key\":\"a\",\"value\":\"1\"}]}"),
            400, wrong, "Duplicate parameter keys")
        expect(
            try await server.post(
                "/runs/log-batch", "{\"run_id\":\"\(run)\",\"metrics\":[{\"key\":\"a\",\"timestamp\":1}]}"),
            400, wrong, "metrics[0].value")
    }

    @Test func historiesAreSampledInEqualParts() async throws {
        let server = try await Server()
        let run = try await server.run()
        let points = (0..<10).map { "{\"key\":\"m\",\"value\":\($0),\"timestamp\":\($0),\"step\":\($0)}" }
        _ = try await server.post(
            "/runs/log-batch", "{\"run_id\":\"\(run)\",\"metrics\":[\(points.joined(separator: ","))]}")
        func steps(_ query: String) async throws -> [Int64?] {
            let answer = try await server.send(
                .get, "/ajax-api/2.0/mlflow/metrics/\(query)&metric_key=m")
            return answer.json["metrics"]?.array?.map { $0["step"]?.integer } ?? []
        }
        let interval = "get-history-bulk-interval?run_ids=\(run)"
        #expect(try await steps("\(interval)&max_results=5") == [0, 2, 4, 6, 9])
        #expect(try await steps("\(interval)&start_step=3&end_step=5") == [3, 4, 5])
        #expect(try await steps("\(interval)") == Array(0...9))
        #expect(try await steps("get-history-bulk?run_id=\(run)&max_results=3") == [0, 1, 2])
        #expect(try await steps("get-history?run_id=\(run)&max_results=4") == [0, 1, 2, 3])
        expect(
            try await server.send(.get, "/ajax-api/2.0/mlflow/metrics/\(interval)&metric_key=m&start_step=1"), 400,
            "INVALID_PARAMETER_VALUE")
    }

    @Test func noArtifactPathLeadsOut() async throws {
        let server = try await Server()
        for prefix in ["/api/2.0", "/ajax-api/2.0"] {
            for path in [
                "%2e%2e/x", "a/%2e%2e/x", "a%5cb", "%252e%252e/x", "a//b", "%2Fetc/passwd", "a/%252F..%252F..", "C:/x",
                "model/%CC%81model.pkl", "model/%D8%80/model.pkl",
            ] {
                for method in [HTTPMethod.put, .get, .delete] {
                    let answer = try? await server.send(method, "\(prefix)/mlflow-artifacts/artifacts/\(path)", "x")
                    // What the transport itself refuses comes to no route.
                    #expect((answer?.status ?? 400) == 400, "\(method) \(path): \(answer?.text ?? "")")
                }
            }
        }
        let place = "/api/2.0/mlflow-artifacts/artifacts/0/a"
        #expect(try await server.send(.put, "\(place)/b.txt", "text").status == 200)
        #expect(try await server.send(.get, "\(place)/b.txt").text == "text")
        expect(try await server.send(.get, place), 400, "INVALID_PARAMETER_VALUE")
        expect(try await server.send(.put, place, "x"), 400, "INVALID_PARAMETER_VALUE")
        expect(try await server.send(.put, "\(place)/b.txt/c", "x"), 400, "INVALID_PARAMETER_VALUE")
        expect(try await server.send(.get, "\(place)/none"), 404, "RESOURCE_DOES_NOT_EXIST")
        #expect(try await server.send(.delete, place).status == 200)
        #expect(try await server.send(.delete, place).status == 200)
        expect(try await server.send(.get, "\(place)/b.txt"), 404, "RESOURCE_DOES_NOT_EXIST")
    }

    @Test func listsHaveLimits() async throws {
        let server = try await Server()
        func ids(_ count: Int) -> String {
            "\"experiment_ids\":[\((0..<count).map { "\"\($0)\"" }.joined(separator: ","))]"
        }
        let run = try await server.run()
        _ = try await server.post("/runs/set-tag", "{\"run_id\":\"\(run)\",\"key\":\"t\",\"value\":\"1\"}")
        let filter = (0..<5).map { "tags.t != '\($0 + 5)'" }.joined(separator: " AND ")
        let found = try await server.post("/runs/search", "{\(ids(10_000)),\"filter\":\"\(filter)\"}")
        #expect(found.json["runs"]?.array?.count == 1, "\(found.text)")
        for path in ["/runs/search", "/logged-models/search"] {
            expect(
                try await server.post(path, "{\(ids(40_000))}"), 400, "INVALID_PARAMETER_VALUE", "at most 10000")
        }
        let locations = Array(
            repeating: #"{"type":"MLFLOW_EXPERIMENT","mlflow_experiment":{"experiment_id":"0"}}"#, count: 40_000)
        expect(
            try await server.send(
                .post, "/api/3.0/mlflow/traces/search", "{\"locations\":[\(locations.joined(separator: ","))]}"),
            400, "INVALID_PARAMETER_VALUE", "at most 10000")
        let keys = (0..<33).map { "{\"field_name\":\"metrics.m\($0)\"}" }.joined(separator: ",")
        expect(
            try await server.post("/logged-models/search", "{\(ids(1)),\"order_by\":[\(keys)]}"), 400,
            "INVALID_PARAMETER_VALUE", "more than 32")
        // Nothing that is named can be longer than what an index of PostgreSQL holds.
        let place = "/api/2.0/mlflow-artifacts/artifacts/"
        let path = String(repeating: String(repeating: "n", count: 127) + "/", count: 8)
        #expect(try await server.send(.put, "\(place)\(path.dropLast())n", "x").status == 200)
        expect(try await server.send(.put, "\(place)\(path)n", "x"), 400, "INVALID_PARAMETER_VALUE", "1024 bytes")
    }

    @Test func ourOwnTrainingsAreTheSameRows() async throws {
        let server = try await Server()
        try await server.shop.apply()
        let result = try await server.shop.trainAndDeploy()
        let experiments = try await server.send(
            .get, "/api/2.0/mlflow/experiments/search?max_results=10&filter=name%20!=%20'Default'")
        let experiment = try #require(experiments.json["experiments"]?.array?.first?["experiment_id"]?.string)
        let runs = try await server.post(
            "/runs/search", "{\"experiment_ids\": [\"\(experiment)\"], \"filter\": \"status = 'FINISHED'\"}")
        let run = try #require(runs.json["runs"]?.array?.first)
        let id = try #require(run["info"]?["run_id"]?.string)
        let own = try await server.shop.get("/runs/\(id)")
        #expect(own.status == 200, "\(result)")
        let metrics = try #require(run["data"]?["metrics"]?.array)
        #expect(!metrics.isEmpty && own.json["metrics"]?.object?.count == metrics.count)
        let files = try await server.send(.get, "/api/2.0/mlflow/artifacts/list?run_id=\(id)")
        #expect(
            files.json["files"]?.array?.map { $0["path"]?.string } == [
                "feature_importance.json", "model", "recipe.json",
            ])
        let version = try await server.send(.get, "/api/2.0/mlflow/model-versions/get?name=order-failure&version=1")
        #expect(version.json["model_version"]?["current_stage"] == "Production")
        #expect(version.json["model_version"]?["run_id"]?.string == id)
        expect(
            try await server.send(
                .delete, "/api/2.0/mlflow/model-versions/delete", #"{"name": "order-failure", "version": "1"}"#), 400,
            "INVALID_PARAMETER_VALUE", "in Production")
    }
}
