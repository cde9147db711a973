import Basics
import HTTP
import Security
import Testing
import Works
import Workshop

/// Who may do what to models and experiments, through our own API and through MLflow's.
@Suite(.serialized) struct RegistryRightsTests {
    /// Something that can be done to the version 1 of the model `mine`, in one of the two protocols.
    private struct Deed {
        var method: HTTPMethod
        var path: String
        var body: String
        var role: Role

        init(_ role: Role, _ method: HTTPMethod, _ path: String, _ body: String) {
            (self.role, self.method, self.path, self.body) = (role, method, path, body)
        }
    }

    private static let own = "/api/works/v1/models/MODEL"
    private static let mlflow = "/api/2.0/mlflow"
    private static let deeds = [
        Deed(.viewer, .get, "\(own)/versions/1", ""), Deed(.viewer, .get, "\(own)/versions/1/bom", ""),
        Deed(.viewer, .get, "\(own)/versions/1/lineage", ""), Deed(.viewer, .get, "\(own)/versions/1/history", ""),
        Deed(.viewer, .get, "\(own)/requests", ""), Deed(.viewer, .get, "\(own)/versions/1/comments", ""),
        Deed(.scientist, .post, "\(own)/versions/1/comments", #"{"text":"hm"}"#),
        Deed(.engineer, .post, "\(own)/versions/1/requests", #"{"stage":"Production","reason":"x"}"#),
        Deed(.operator, .post, "\(own)/requests/99/approve", "{}"),
        Deed(.operator, .post, "\(own)/versions/1/stage", #"{"stage":"Staging"}"#),
        Deed(.viewer, .get, "\(mlflow)/registered-models/get?name=MODEL", ""),
        Deed(.viewer, .get, "\(mlflow)/model-versions/get?name=MODEL&version=1", ""),
        Deed(.viewer, .get, "\(mlflow)/model-versions/get-download-uri?name=MODEL&version=1", ""),
        Deed(.engineer, .patch, "\(mlflow)/registered-models/update", #"{"name":"MODEL","description":"d"}"#),
        Deed(.engineer, .post, "\(mlflow)/registered-models/set-tag", #"{"name":"MODEL","key":"k","value":"v"}"#),
        Deed(.engineer, .post, "\(mlflow)/model-versions/create", #"{"name":"MODEL","source":"s3://b/m"}"#),
        Deed(
            .engineer, .post, "\(mlflow)/model-versions/set-tag",
            #"{"name":"MODEL","version":"1","key":"k","value":"v"}"#),
        Deed(
            .operator, .post, "\(mlflow)/model-versions/transition-stage",
            #"{"name":"MODEL","version":"1","stage":"Archived"}"#),
        Deed(
            .operator, .post, "\(mlflow)/registered-models/alias", #"{"name":"MODEL","alias":"best","version":"1"}"#),
    ]

    private struct House {
        let shop: Workshop
        let works: Works

        init() async throws {
            shop = try await Workshop()
            works = shop.works
        }

        func send(
            _ deed: Deed, _ model: String, as secret: Secret? = nil, body: String? = nil
        ) async throws -> Workshop.Answer {
            try await send(
                deed.method, deed.path.replacing("MODEL", with: model),
                (body ?? deed.body).replacing("MODEL", with: model), as: secret)
        }

        func send(
            _ method: HTTPMethod, _ path: String, _ body: String, as secret: Secret? = nil
        ) async throws -> Workshop.Answer {
            var headers: HTTPHeaders = ["Content-Type": "application/json"]
            if let secret { headers["Authorization"] = "Bearer \(secret.revealed)" }
            let answer = try await works.dispatch(method, path, headers: headers, body: Array(body.utf8))
            return Workshop.Answer(status: answer.status, body: answer.body)
        }

        func token(_ name: String, _ grants: [(Role, String)]) async throws -> Secret {
            let id = try PrincipalID(name)
            let first = grants.first?.1 ?? "*"
            let made = try await works.access.createToken(
                TokenRequest(principal: id, roleOfNewPrincipal: .viewer), by: "user:root")
            if first != "*" { try await works.access.revokeRole(from: id, on: .everything, by: "user:root") }
            for (role, resource) in grants {
                try await works.access.grant(role, to: id, on: try AccessResource(resource), by: "user:root")
            }
            return made.secret
        }

        func lock() { works.router.protect(with: Authenticator(store: works.access, time: SystemTime())) }
    }

    @Test func aRoleOnAModelReachesThatModelAndNoOther() async throws {
        let house = try await House()
        for model in ["mine", "theirs"] {
            _ = try await house.send(.post, "\(Self.mlflow)/registered-models/create", "{\"name\":\"\(model)\"}")
            for _ in 0..<2 {
                _ = try await house.send(
                    .post, "\(Self.mlflow)/model-versions/create", "{\"name\":\"\(model)\",\"source\":\"s3://b/m\"}")
            }
        }
        var tokens: [(role: Role, secret: Secret)] = []
        for role in Role.allCases where role != .admin {
            tokens.append((role, try await house.token("on-\(role.rawValue)", [(role, "model/mine")])))
        }
        house.lock()
        for deed in Self.deeds {
            for (role, secret) in tokens {
                let mine = try await house.send(deed, "mine", as: secret).status
                #expect((mine == 403) == (role < deed.role), "\(deed.method) \(deed.path) as \(role): \(mine)")
                let theirs = try await house.send(deed, "theirs", as: secret).status
                #expect(theirs == 403, "\(deed.method) \(deed.path) of another model as \(role): \(theirs)")
            }
        }
        // What concerns all models, and names of another model beside one's own, are no way around it.
        guard let strongest = tokens.last?.secret else { return }
        let around: [(HTTPMethod, String, String)] = [
            (.get, "\(Self.mlflow)/registered-models/search?name=mine&max_results=5", ""),
            (.get, "\(Self.mlflow)/model-versions/search?name=mine", ""), (.get, "/api/works/v1/models", ""),
            (.get, "/api/works/v1/requests", ""),
            (.get, "/api/works/v1/models/mine/versions/1/diff?with=theirs/1", ""),
            (.post, "\(Self.mlflow)/registered-models/rename", #"{"name":"mine","new_name":"new"}"#),
            (.post, "\(Self.mlflow)/registered-models/rename", #"{"name":"theirs","new_name":"mine"}"#),
            (
                .post, "\(Self.mlflow)/model-versions/create", #"{"name":"mine","source":"models:/theirs/1"}"#
            ),
        ]
        for (method, path, body) in around {
            let status = try await house.send(method, path, body, as: strongest).status
            #expect(status == 403, "\(method) \(path) \(body): \(status)")
        }
        await house.works.close()
    }

    @Test func aRoleOnAnExperimentReachesItsRuns() async throws {
        let house = try await House()
        var ids: [String: String] = [:]
        var runs: [String: String] = [:]
        for name in ["mine", "theirs"] {
            let made = try await house.send(.post, "\(Self.mlflow)/experiments/create", "{\"name\":\"\(name)\"}")
            let id = made.json["experiment_id"]?.string ?? ""
            ids[name] = id
            let run = try await house.send(.post, "\(Self.mlflow)/runs/create", "{\"experiment_id\":\"\(id)\"}")
            runs[name] = run.json["run"]?["info"]?["run_id"]?.string ?? ""
        }
        let scientist = try await house.token("sam", [(.scientist, "experiment/mine")])
        let viewer = try await house.token("vic", [(.viewer, "experiment/mine")])
        house.lock()
        for name in ["mine", "theirs"] {
            let (id, run) = (ids[name] ?? "", runs[name] ?? "")
            let reads: [(HTTPMethod, String, String)] = [
                (.get, "\(Self.mlflow)/experiments/get?experiment_id=\(id)", ""),
                (.get, "\(Self.mlflow)/experiments/get-by-name?experiment_name=\(name)", ""),
                (.get, "\(Self.mlflow)/runs/get?run_id=\(run)", ""),
                (.get, "\(Self.mlflow)/artifacts/list?run_id=\(run)", ""),
                (.get, "/api/2.0/mlflow-artifacts/artifacts?path=\(id)/\(run)", ""),
                (.post, "\(Self.mlflow)/runs/search", "{\"experiment_ids\":[\"\(id)\"]}"),
                (.get, "\(Self.mlflow)/metrics/get-history?run_id=\(run)&metric_key=m", ""),
            ]
            let writes: [(HTTPMethod, String, String)] = [
                (.post, "\(Self.mlflow)/runs/create", "{\"experiment_id\":\"\(id)\"}"),
                (
                    .post, "\(Self.mlflow)/runs/log-metric",
                    "{\"run_id\":\"\(run)\",\"key\":\"m\",\"value\":1,\"timestamp\":1}"
                ),
                (.post, "\(Self.mlflow)/runs/set-tag", "{\"run_uuid\":\"\(run)\",\"key\":\"t\",\"value\":\"1\"}"),
                (
                    .post, "\(Self.mlflow)/runs/log-batch",
                    "{\"run_id\":\"\(run)\",\"params\":[{\"key\":\"p\",\"value\":\"1\"}]}"
                ),
                (.put, "/api/2.0/mlflow-artifacts/artifacts/\(id)/\(run)/artifacts/a.txt", "bytes"),
                (
                    .post, "\(Self.mlflow)/experiments/set-experiment-tag",
                    "{\"experiment_id\":\"\(id)\",\"key\":\"t\",\"value\":\"1\"}"
                ),
            ]
            for (list, needed) in [(reads, Role.viewer), (writes, .scientist)] {
                for (method, path, body) in list {
                    for (role, secret) in [(Role.viewer, viewer), (.scientist, scientist)] {
                        let answer = try await house.send(method, path, body, as: secret)
                        let expected = name == "mine" && role >= needed ? 200 : 403
                        #expect(answer.status == expected, "\(role) \(method) \(path): \(answer.text)")
                    }
                }
            }
        }
        let (mine, theirs) = (runs["mine"] ?? "", runs["theirs"] ?? "")
        let around: [(HTTPMethod, String, String)] = [
            (
                .post, "\(Self.mlflow)/experiments/search",
                "{\"max_results\":5,\"experiment_id\":\"\(ids["mine"] ?? "")\"}"
            ),
            // It looks at all, and so no experiment of one's own opens it.
            (
                .post, "\(Self.mlflow)/experiments/search",
                "{\"max_results\":5,\"experiment_ids\":[\"\(ids["mine"] ?? "")\"]}"
            ),
            (
                .post, "\(Self.mlflow)/experiments/search",
                "{\"maxResults\":5,\"experimentIds\":[\"\(ids["mine"] ?? "")\"]}"
            ),
            (.get, "\(Self.mlflow)/experiments/search?max_results=5&experiment_ids=\(ids["mine"] ?? "")", ""),
            (.post, "\(Self.mlflow)/logged-models/search", "{\"experiment_id\":\"\(ids["mine"] ?? "")\"}"),
            (
                .post, "/api/3.0/mlflow/traces/search",
                "{\"experiment_ids\":[\"\(ids["mine"] ?? "")\"],\"locations\":[]}"
            ),
            (.post, "\(Self.mlflow)/runs/search", "{\"run_id\":\"\(mine)\"}"),
            (
                .post, "\(Self.mlflow)/runs/search",
                "{\"experiment_ids\":[\"\(ids["mine"] ?? "")\",\"\(ids["theirs"] ?? "")\"]}"
            ),
            (
                .post, "\(Self.mlflow)/runs/set-tag",
                "{\"run_id\":\"\(theirs)\",\"run_uuid\":\"\(mine)\",\"key\":\"t\",\"value\":\"1\"}"
            ),
            (
                .post, "\(Self.mlflow)/experiments/update",
                "{\"experiment_id\":\"\(ids["mine"] ?? "")\",\"new_name\":\"theirs\"}"
            ),
            (.post, "\(Self.mlflow)/experiments/create", #"{"name":"third"}"#),
            (.get, "/api/2.0/mlflow-artifacts/artifacts", ""),
        ]
        for (method, path, body) in around {
            let status = try await house.send(method, path, body, as: scientist).status
            #expect(status == 403, "\(method) \(path) \(body): \(status)")
        }
        await house.works.close()
    }

    /// The whole way of a version that others must agree to, over both protocols.
    @Test func twoPeopleBringAVersionToProduction() async throws {
        let house = try await House()
        let files = Blueprint.files.merging([
            "works.yaml": """
            {name: workshop, owner: test, data: data, clock: replay, registry: {approvals: {Production: 1}}}

            """
        ]) { $1 }
        try await house.shop.apply(files)
        try await house.shop.post("/train/\(Blueprint.training)")
        let model = "/api/works/v1/models/\(Blueprint.model)"
        let ann = try await house.token("ann", [(.operator, "*")])
        let bob = try await house.token("bob", [(.operator, "model/\(Blueprint.model)")])
        house.lock()
        for (path, body) in [
            ("\(model)/versions/1/stage", #"{"stage":"Production"}"#),
            (
                "\(Self.mlflow)/model-versions/transition-stage",
                "{\"name\":\"\(Blueprint.model)\",\"version\":\"1\",\"stage\":\"Production\"}"
            ),
        ] {
            let refused = try await house.send(.post, path, body, as: ann)
            #expect(
                [400, 412].contains(refused.status) && refused.text.contains("another person agrees"), "\(refused.text)"
            )
        }
        // Who may deploy on the endpoint alone can not decide in place of those who promote.
        let dan = try await house.token("dan", [(.operator, "endpoint/orders")])
        let deploy = "/api/works/v1/endpoints/orders/deploy"
        let urgent = #"{"version":"order-failure/1","emergency":"now"}"#
        #expect(
            try await house.send(.post, deploy, #"{"version":"order-failure/1"}"#, as: dan).status == 412)
        #expect(try await house.send(.post, deploy, urgent, as: dan).status == 403)
        #expect(try await house.send(.post, deploy, urgent, as: ann).status == 200)
        let made = try await house.send(
            .post, "\(model)/versions/1/requests", #"{"stage":"Production","reason":"first"}"#, as: ann)
        #expect(made.status == 200, "\(made.text)")
        #expect(try await house.send(.post, "\(model)/requests/1/approve", "{}", as: ann).status == 403)
        let done = try await house.send(.post, "\(model)/requests/1/approve", #"{"reason":"seen"}"#, as: bob)
        #expect(done.status == 200 && done.json["state"] == "done", "\(done.text)")
        let version = try await house.send(.get, "\(model)/versions/1", "", as: bob)
        #expect(version.json["stage"] == "Production")
        let lineage = try await house.send(.get, "\(model)/versions/1/lineage", "", as: bob)
        #expect(lineage.json["missing"] == [] && lineage.json["data"]?.array?.isEmpty == false, "\(lineage.text)")
        await house.works.close()
    }
}
