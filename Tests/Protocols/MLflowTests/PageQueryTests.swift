import Basics
import HTTP
import TestSupport
import Testing
import Works
import Workshop

@testable import MLflow

/// The questions that MLflow's web pages ask in GraphQL, and other calls that only they make.
@Suite struct PageQueryTests {
    private let runQuery = """
        query GetRun($data: MlflowGetRunInput!) @component(name: "a \\"b\\" ) {") {
          mlflowGetRun(input: $data) { apiError { helpUrl code message } __typename
            run { info { runName status runUuid startTime endTime } experiment { experimentId name tags { key value } }
              modelVersions { version name status } data { metrics { key value step timestamp } params { key, value } }
              inputs { datasetInputs { dataset { name sourceType } tags { key } } modelInputs { modelId } } } } }
        """

    @Test func aQueryIsRead() throws {
        let query = try PageQuery("query A($input: B!) { one(input: $input) @c(d: [1]) { two { three } four } }")
        #expect(query.variable == "input")
        #expect(
            query.root
                == PageQuery.Selection(
                    name: "one",
                    selections: [
                        .init(name: "two", selections: [.init(name: "three")]), .init(name: "four"),
                    ]))
        #expect(try PageQuery("{one(x:$y)}").variable == "y")
    }

    @Test(arguments: [
        "", "{", "query", "{}", "{ a }", "{ a(input: $b) { c }", "{ a(input: $b) b(input: $c) }", "{ a(b: $c) } x",
        "mutation { a: b(input: $c) }", "{ a(input: $b) { ...c } }", "subscription { a(input: $b) }", "{ a(input: $b",
        "{ a(input: $b) { c c } }", "{ a(input: $b) { c { d } e c { f } } }", "{ a(input: \"open) }",
        "[{ a(input: $b) }]",
        "{ a(input: $b) " + String(repeating: "{ c ", count: 40) + String(repeating: "}", count: 41),
    ])
    func whatIsNoSuchQueryIsRefused(_ text: String) {
        #expect(throws: MLflowFailure.self) { try PageQuery(text) }
    }

    @Test func aRunIsChosenFrom() async throws {
        let server = try await Workshop()
        func post(_ path: String, _ body: JSONValue) async throws -> JSONValue {
            let answer = try await server.works.dispatch(
                .post, path, headers: ["Content-Type": "application/json"], body: try JSON.canonical(body))
            #expect(answer.status == 200, "\(path): \(String(decoding: answer.body, as: UTF8.self))")
            return try JSON.decode(JSONValue.self, from: answer.body)
        }
        let prefix = "/ajax-api/2.0/mlflow"
        let made = try await post(
            "\(prefix)/runs/create", ["experiment_id": "0", "run_name": "first", "start_time": 1_700_000_000_000])
        let id = made["run"]?["info"]?["run_id"] ?? .null
        for (key, value) in [("loss", JSONValue.number(0.25)), ("odd", .string("NaN"))] {
            _ = try await post(
                "\(prefix)/runs/log-metric",
                ["run_id": id, "key": .string(key), "value": value, "timestamp": 5, "step": 9_007_199_254_740_993])
        }
        let found = try await post("/graphql", ["query": .string(runQuery), "variables": ["data": ["runId": id]]])
        let root = found["data"]?["mlflowGetRun"]
        #expect(root?["apiError"] == .null)
        #expect(root?["__typename"] == "MlflowGetRunResponse")
        let run = root?["run"]
        #expect(
            run?["info"] == [
                "runName": "first", "status": "RUNNING", "runUuid": id, "startTime": "1700000000000", "endTime": .null,
            ])
        #expect(run?["experiment"] == ["experimentId": "0", "name": "Default", "tags": []])
        #expect(run?["modelVersions"] == [])
        #expect(run?["inputs"] == ["datasetInputs": [], "modelInputs": []])
        #expect(
            run?["data"] == [
                "params": [],
                "metrics": [
                    ["key": "loss", "value": 0.25, "step": "9007199254740993", "timestamp": "5"],
                    ["key": "odd", "value": .null, "step": "9007199254740993", "timestamp": "5"],
                ],
            ])
        let missing = try await post("/graphql", ["query": .string(runQuery), "variables": ["data": ["runId": "x"]]])
        #expect(missing["data"]?["mlflowGetRun"]?["apiError"]?["code"] == "RESOURCE_DOES_NOT_EXIST")
        #expect(missing["data"]?["mlflowGetRun"]?["run"] == .null)
        let unknown = try await post("/graphql", ["query": "{ dropAll(input: $x) { y } }"])
        #expect(unknown["data"] == .null)
        #expect(unknown["errors"]?.array?.first?["message"]?.string?.contains("dropAll") == true)
        #expect(try await post("/graphql", ["query": 5])["data"] == .null)
    }

    @Test func filesGoUpAndDown() async throws {
        let server = try await Workshop()
        func send(
            _ method: HTTPMethod, _ path: String, _ body: String = "", type: String = "application/json"
        ) async throws -> Workshop.Answer {
            let answer = try await server.works.dispatch(
                method, path, headers: ["Content-Type": type], body: Array(body.utf8))
            return Workshop.Answer(status: answer.status, body: answer.body)
        }
        let made = try await send(.post, "/api/2.0/mlflow/runs/create", #"{"experiment_id": "0"}"#)
        let run = made.json["run"]?["info"]?["run_id"]?.string ?? ""
        let up = "/ajax-api/2.0/mlflow/upload-artifact?run_uuid=\(run)&path="
        #expect(try await send(.post, up + "notes/a.txt", "hello", type: "text/plain").status == 200)
        #expect(try await send(.post, up + "notes/a.txt", "", type: "text/plain").status == 400)
        #expect(try await send(.post, up, "hello").status == 400)
        #expect(try await send(.post, up + "..%2fa.txt", "hello").status == 400)
        #expect(
            try await send(.post, up + "big", String(repeating: "x", count: 10 << 20 + 1)).status == 400)
        #expect(try await send(.get, "/get-artifact?run_id=\(run)&path=notes/a.txt").text == "hello")
        for (path, status) in [
            ("run_id=\(run)&path=none", 404), ("run_id=none&path=notes/a.txt", 404), ("run_id=\(run)", 400),
            ("run_id=\(run)&path=%252e%252e/a", 400), ("run_id=\(run)&path=/etc/passwd", 400),
            ("run_id=\(run)&path=notes", 400),
        ] {
            let answer = try await send(.get, "/get-artifact?\(path)")
            #expect(answer.status == status, "\(path): \(answer.text)")
            #expect(answer.json["error_code"] != nil)
        }
        #expect(try await send(.get, "/model-versions/get-artifact?name=x&version=1&path=a").status == 404)
    }

    @Test func datasetsAreListedOnceForEachRole() async throws {
        let server = try await Workshop()
        func post(_ path: String, _ body: String) async throws -> Workshop.Answer {
            let answer = try await server.works.dispatch(
                .post, "/ajax-api/2.0/mlflow\(path)", headers: ["Content-Type": "application/json"],
                body: Array(body.utf8))
            return Workshop.Answer(status: answer.status, body: answer.body)
        }
        for context in ["training", "training", "eval"] {
            let made = try await post("/runs/create", #"{"experiment_id": "0"}"#)
            let run = made.json["run"]?["info"]?["run_id"]?.string ?? ""
            let tags = #"[{"key": "mlflow.data.context", "value": "\#(context)"}]"#
            let dataset = #"{"name": "rows", "digest": "d1", "source_type": "local", "source": "x"}"#
            let logged = try await post(
                "/runs/log-inputs", #"{"run_id": "\#(run)", "datasets": [{"dataset": \#(dataset), "tags": \#(tags)}]}"#)
            #expect(logged.status == 200, "\(logged.text)")
        }
        let found = try await post("/experiments/search-datasets", #"{"experiment_ids": ["0"]}"#)
        #expect(
            found.json["dataset_summaries"] == [
                ["experiment_id": "0", "name": "rows", "digest": "d1", "context": "eval"],
                ["experiment_id": "0", "name": "rows", "digest": "d1", "context": "training"],
            ], "\(found.text)")
        #expect(try await post("/experiments/search-datasets", "{}").status == 400)
    }
}
