import Basics
import Documents
import Experiments
import Foundation
import HTTP
import Registry

/// A running server that speaks MLflow's REST protocol.
struct MLflowServer: ArchiveSource {
    let description: String
    private let client: HTTPClient
    private let headers: HTTPHeaders
    private static let api = "/api/2.0/mlflow"
    private static let files = "/api/2.0/mlflow-artifacts/artifacts"

    init(_ url: String, environment: [String: String]) throws {
        description = "the MLflow server at \(url)"
        client = try HTTPClient(baseURL: url, connections: 1, timeout: 600)
        var headers: HTTPHeaders = ["Content-Type": "application/json"]
        if let token = environment["MLFLOW_TRACKING_TOKEN"], !token.isEmpty {
            headers["Authorization"] = "Bearer \(token)"
        } else if let user = environment["MLFLOW_TRACKING_USERNAME"], !user.isEmpty {
            let pair = "\(user):\(environment["MLFLOW_TRACKING_PASSWORD"] ?? "")"
            headers["Authorization"] = "Basic \(Data(pair.utf8).base64EncodedString())"
        }
        self.headers = headers
    }

    func close() async {}
    func runCount() async throws -> Int? { nil }

    /// What the server keeps itself; what it only knows the place of stays there.
    func moves(_ location: String) -> Bool {
        location.hasPrefix("mlflow-artifacts:") || location.hasPrefix("file:") || !location.contains(":/")
    }

    func experiments() async throws -> [SourceExperiment] {
        try await pages("/experiments/search", "experiments", ["max_results": 1000, "view_type": "ALL"]).map { item in
            SourceExperiment(
                id: item.word("experiment_id"),
                experiment: ArchivedExperiment(
                    name: item.word("name"), location: item["artifact_location"]?.string, stage: item.stage,
                    created: item.moment("creation_time"), updated: item.moment("last_update_time"),
                    tags: item.members("tags")))
        }
    }

    func runs(of experiment: String, from page: String?) async throws -> SourcePage<ArchivedRun> {
        var body: [String: JSONValue] = [
            "experiment_ids": [.string(experiment)], "run_view_type": "ALL", "max_results": 50,
            "order_by": ["attributes.start_time ASC"],
        ]
        if let page { body["page_token"] = .string(page) }
        let answer = try await call(.post, "\(Self.api)/runs/search", .object(body))
        var runs: [ArchivedRun] = []
        for item in answer["runs"]?.array ?? [] { runs.append(try await run(item)) }
        return SourcePage(items: runs, next: answer["next_page_token"]?.string.flatMap { $0.isEmpty ? nil : $0 })
    }

    private func run(_ item: JSONValue) async throws -> ArchivedRun {
        let (info, data) = (item["info"] ?? .null, item["data"] ?? .null)
        let id = info.word("run_id")
        var metrics: [MetricSeries] = []
        for metric in data["metrics"]?.array ?? [] {
            let key = metric.word("key")
            let points = try await pages(
                "/metrics/get-history?run_id=\(escaped(id))&metric_key=\(escaped(key))&max_results=25000", "metrics",
                nil)
            metrics.append(MetricSeries(key, points.map { $0.point(key) }))
        }
        let inputs = item["inputs"] ?? .null
        let datasets = (inputs["dataset_inputs"]?.array ?? []).map { input in
            let dataset = input["dataset"] ?? .null
            return DatasetInput(
                name: dataset.word("name"), digest: dataset.word("digest"), sourceType: dataset.word("source_type"),
                source: dataset.word("source"), schema: dataset["schema"]?.string, profile: dataset["profile"]?.string,
                tags: input.members("tags").map { Pair(key: $0.key, value: $0.value) })
        }
        func links(_ list: JSONValue?) -> [ModelLink] {
            (list?.array ?? []).map { ModelLink(model: $0.word("model_id"), step: $0.whole("step") ?? 0) }
        }
        return ArchivedRun(
            RunInfo(
                id: id, experiment: 0, name: info.word("run_name"), user: info.word("user_id"),
                status: RunStatus(rawValue: info.word("status")) ?? .running, stage: info.stage,
                location: info.word("artifact_uri"), started: info.moment("start_time"),
                ended: info.whole("end_time").map(MLflowStore.moment)),
            parameters: data.members("params"), tags: data.members("tags"), metrics: metrics, datasets: datasets,
            modelInputs: links(inputs["model_inputs"]), modelOutputs: links(item["outputs"]?["model_outputs"]))
    }

    func loggedModels(of experiment: String, from page: String?) async throws -> SourcePage<ArchivedLoggedModel> {
        var body: [String: JSONValue] = ["experiment_ids": [.string(experiment)], "max_results": 50]
        if let page { body["page_token"] = .string(page) }
        let answer: JSONValue
        // Servers before 3.0 have no logged models.
        do {
            answer = try await call(.post, "\(Self.api)/logged-models/search", .object(body))
        } catch ImportFailure.refused(_, status: 404, _) { return SourcePage(items: [], next: nil) }
        let models = (answer["models"]?.array ?? []).map { item in
            let (info, data) = (item["info"] ?? .null, item["data"] ?? .null)
            let metrics = (data["metrics"]?.array ?? []).map { metric in
                LoggedModelMetric(
                    point: metric.point(metric.word("key")), run: metric.word("run_id"),
                    datasetName: metric.word("dataset_name"), datasetDigest: metric.word("dataset_digest"))
            }
            let status: LoggedModelStatus =
                switch info.word("status") {
                case "LOGGED_MODEL_READY": .ready
                case "LOGGED_MODEL_UPLOAD_FAILED": .failed
                default: .pending
                }
            func pairs(_ members: [String: String]) -> [Pair] { members.map { Pair(key: $0.key, value: $0.value) } }
            return ArchivedLoggedModel(
                LoggedModel(
                    id: info.word("model_id"), experiment: 0, name: info.word("name"),
                    location: info.word("artifact_uri"), status: status, type: info.word("model_type"),
                    sourceRun: info.word("source_run_id"), stage: .active,
                    created: info.moment("creation_timestamp_ms"),
                    updated: info.moment("last_updated_timestamp_ms"), parameters: pairs(data.members("params")),
                    tags: pairs(info.members("tags")), metrics: metrics))
        }
        return SourcePage(items: models, next: answer["next_page_token"]?.string.flatMap { $0.isEmpty ? nil : $0 })
    }

    func models() async throws -> [ArchivedModel] {
        var models: [ArchivedModel] = []
        for item in try await pages("/registered-models/search?max_results=1000", "registered_models", nil) {
            let name = item.word("name")
            let filter = escaped("name='\(name.replacingOccurrences(of: "'", with: "''"))'")
            var versions: [ArchivedModel.Version] = []
            for version in try await pages(
                "/model-versions/search?max_results=10000&filter=\(filter)", "model_versions", nil)
            {
                let (number, source) = (version.word("version"), version.word("source"))
                let place = "\(Self.api)/model-versions/get-download-uri?name=\(escaped(name))&version=\(number)"
                let location = try await call(.get, place)["artifact_uri"]?.string
                versions.append(
                    ArchivedModel.Version(
                        number: Int64(number) ?? 0, stage: Stage(rawValue: version.word("current_stage")) ?? .none,
                        description: version.word("description"), source: source, location: location ?? source,
                        run: version.word("run_id"), runLink: version.word("run_link"),
                        loggedModel: version["model_id"]?.string ?? MLflowStore.loggedModel(of: source),
                        created: version.moment("creation_timestamp"),
                        updated: version.moment("last_updated_timestamp"), tags: version.members("tags")))
            }
            // Only the answer about one model has its aliases for certain.
            let full = try await call(.get, "\(Self.api)/registered-models/get?name=\(escaped(name))")
            let aliases = full["registered_model"]?["aliases"]?.array ?? []
            models.append(
                ArchivedModel(
                    name: name, description: item.word("description"), created: item.moment("creation_timestamp"),
                    updated: item.moment("last_updated_timestamp"), tags: item.members("tags"),
                    aliases: aliases.reduce(into: [:]) { $0[$1.word("alias")] = $1.whole("version") }, lastVersion: 0,
                    versions: versions))
        }
        return models
    }

    func files(below location: String, of owner: ArtifactOwner) async throws -> [SourceFile] {
        guard location.hasPrefix("mlflow-artifacts:") else { return try await servedFiles(of: owner) }
        var rest = location.dropFirst("mlflow-artifacts:".count)
        if rest.hasPrefix("//") { rest = rest.dropFirst(2).drop { $0 != "/" } }
        let root = String(rest.drop { $0 == "/" })
        var files: [SourceFile] = []
        var folders = [""]
        while let folder = folders.popLast() {
            let path = folder.isEmpty ? root : "\(root)/\(folder)"
            for item in try await call(.get, "\(Self.files)?path=\(escaped(path))")["files"]?.array ?? [] {
                let name = folder.isEmpty ? item.word("path") : "\(folder)/\(item.word("path"))"
                if item["is_dir"]?.bool == true {
                    folders.append(name)
                } else {
                    let parts = "\(root)/\(name)".split(separator: "/").map { escaped(String($0)) }
                    files.append(file(name, "\(Self.files)/\(parts.joined(separator: "/"))"))
                }
            }
        }
        return files.sorted { $0.path < $1.path }
    }

    /// The files of a run that lie where only the server can read them.
    private func servedFiles(of owner: ArtifactOwner) async throws -> [SourceFile] {
        guard case .run(let id) = owner else { return [] }
        var files: [SourceFile] = []
        var folders = [""]
        while let folder = folders.popLast() {
            let target = "\(Self.api)/artifacts/list?run_id=\(id)" + (folder.isEmpty ? "" : "&path=\(escaped(folder))")
            for item in try await call(.get, target)["files"]?.array ?? [] {
                let path = item.word("path")
                if item["is_dir"]?.bool == true {
                    folders.append(path)
                } else {
                    files.append(file(path, "/get-artifact?run_id=\(id)&path=\(escaped(path))"))
                }
            }
        }
        return files.sorted { $0.path < $1.path }
    }

    private func file(_ path: String, _ target: String) -> SourceFile {
        SourceFile(path: path) { try await send(.get, target, []) }
    }

    /// Every item of a list that comes in pages.
    /// - Parameter body: of a POST; nil for a GET.
    private func pages(_ path: String, _ list: String, _ body: [String: JSONValue]?) async throws -> [JSONValue] {
        var items: [JSONValue] = []
        var token: String?
        repeat {
            let answer: JSONValue
            if var body {
                if let token { body["page_token"] = .string(token) }
                answer = try await call(.post, Self.api + path, .object(body))
            } else {
                let mark = path.contains("?") ? "&" : "?"
                let rest = token.map { "\(mark)page_token=\(escaped($0))" } ?? ""
                answer = try await call(.get, Self.api + path + rest)
            }
            items += answer[list]?.array ?? []
            token = answer["next_page_token"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        } while token != nil
        return items
    }

    private func call(_ method: HTTPMethod, _ target: String, _ body: JSONValue? = nil) async throws -> JSONValue {
        try JSONTree.value(try await send(method, target, try body.map { try JSON.canonical($0) } ?? []))
    }

    private func send(_ method: HTTPMethod, _ target: String, _ body: [UInt8]) async throws -> [UInt8] {
        let answer = try await client.send(method, target, headers: headers, body: body)
        let bytes = try await answer.collect()
        guard answer.status.code == 200 else {
            throw ImportFailure.refused(
                target, status: answer.status.code, text: String(decoding: bytes.prefix(300), as: UTF8.self))
        }
        return bytes
    }

    private func escaped(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(.init(charactersIn: "-._~"))) ?? text
    }
}

extension JSONValue {
    /// The text of a member; empty where there is none.
    fileprivate func word(_ key: String) -> String { self[key]?.string ?? whole(key).map { "\($0)" } ?? "" }

    /// A whole number, which may be written as text.
    fileprivate func whole(_ key: String) -> Int64? { self[key]?.integer ?? self[key]?.string.flatMap { Int64($0) } }

    fileprivate func moment(_ key: String) -> Timestamp { MLflowStore.moment(whole(key) ?? 0) }

    fileprivate var stage: LifecycleStage { self["lifecycle_stage"]?.string == "deleted" ? .deleted : .active }

    /// A list of `{"key": ..., "value": ...}`.
    fileprivate func members(_ key: String) -> [String: String] {
        (self[key]?.array ?? []).reduce(into: [:]) { $0[$1.word("key")] = $1["value"]?.string ?? "" }
    }

    fileprivate func point(_ key: String) -> MetricPoint {
        let value = self["value"]?.double ?? self["value"]?.string.flatMap { Double($0.lowercased()) } ?? .nan
        return MetricPoint(key: key, value: value, step: whole("step") ?? 0, time: moment("timestamp"))
    }
}
