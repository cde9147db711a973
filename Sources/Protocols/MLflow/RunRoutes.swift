import Basics
import Documents
import Experiments
import HTTP
import Security

extension MLflow {
    func installRuns(on router: Router) {
        call(.post, "/runs/create", needs: .experiment, isBrief: true, on: router) { fields, request in
            let run = try await experiments.createRun(
                in: try Self.experimentID(fields), name: try fields.optionalText("run_name"),
                user: try fields.optionalText("user_id") ?? "",
                started: try fields.optionalMoment("start_time") ?? Timestamp(microseconds: 0),
                tags: try fields.pairs("tags"), by: Self.principal(request))
            return Answer { $0.object("run") { $0.members(of: run, isNew: true) } }
        }
        call(.get, "/runs/get", needs: .read, on: router) { fields, _ in try await getRun(fields) }
        call(.post, "/runs/update", needs: .experiment, isBrief: true, on: router) { fields, request in
            let info = try await experiments.updateRun(
                try Self.runID(fields), status: try fields.choice("status", Self.statuses),
                ended: try fields.optionalMoment("end_time"), name: try fields.optionalText("run_name"),
                by: Self.principal(request))
            return Answer { $0.object("run_info") { $0.members(of: info) } }
        }
        for (path, stage) in [("delete", LifecycleStage.deleted), ("restore", .active)] {
            call(.post, "/runs/\(path)", needs: .experiment, on: router) { fields, request in
                try await experiments.moveRun(try Self.runID(fields), to: stage, by: Self.principal(request))
                return .empty
            }
        }
        call(.post, "/runs/search", needs: .read, on: router) { fields, _ in try await searchRuns(fields) }
    }

    /// In the order of their numbers in the protocol, from one on.
    private static let statuses: [RunStatus] = [.running, .scheduled, .finished, .failed, .killed]

    /// The id of the run that is meant; old clients write `run_uuid`.
    static func runID(_ fields: Fields) throws -> String {
        if let id = try fields.optionalText("run_id"), !id.isEmpty { return id }
        if let id = try fields.optionalText("run_uuid"), !id.isEmpty { return id }
        throw MLflowFailure.missing("run_id")
    }

    /// A run with what was logged to it.
    func getRun(_ fields: Fields) async throws -> Answer {
        let run = try await experiments.record(try Self.runID(fields))
        return Answer(capacity: 4096) { $0.object("run") { $0.members(of: run) } }
    }

    /// A page of the runs that match.
    func searchRuns(_ fields: Fields) async throws -> Answer {
        let page = try await experiments.search(
            ExperimentStore.RunQuery(
                experiments: try Self.experimentIDs(fields),
                filter: try SearchFilter(try fields.optionalText("filter") ?? "", .runs),
                order: try SearchOrder.keys(try fields.texts("order_by"), .runs),
                view: try fields.view("run_view_type"),
                limit: try fields.limit(standard: 1000, most: 50_000), offset: try PageToken.offset(fields)))
        return Answer(capacity: 256 + page.items.count * 2048) { writer in
            writer.objects("runs", page.items) { $0.members(of: $1) }
            if let next = page.next { writer.member("next_page_token", PageToken.text(next)) }
        }
    }
}

extension JSONWriter {
    fileprivate mutating func members(of run: RunRecord, isNew: Bool = false) {
        object("info") { $0.members(of: run.info) }
        object("data") { writer in
            writer.objects("metrics", run.metrics) { $0.members(of: $1) }
            writer.pairs("params", run.parameters)
            writer.pairs("tags", run.tags)
        }
        object("inputs") { writer in
            writer.objects("dataset_inputs", run.datasets) { writer, input in
                writer.pairs("tags", input.tags)
                writer.object("dataset") { $0.members(of: input) }
            }
            writer.objects("model_inputs", run.modelInputs) { $0.member("model_id", $1.model) }
        }
        guard !isNew else { return }
        object("outputs") { writer in
            writer.objects("model_outputs", run.modelOutputs) {
                $0.member("model_id", $1.model)
                $0.member("step", $1.step)
            }
        }
    }

    fileprivate mutating func members(of info: RunInfo) {
        member("run_uuid", info.id)
        member("run_id", info.id)
        member("run_name", info.name)
        member("experiment_id", String(info.experiment))
        member("user_id", info.user)
        member("status", info.status.rawValue)
        member("start_time", info.started.milliseconds)
        if let ended = info.ended { member("end_time", ended.milliseconds) }
        member("artifact_uri", info.location)
        member("lifecycle_stage", info.stage.rawValue)
    }

    fileprivate mutating func members(of dataset: DatasetInput) {
        member("name", dataset.name)
        member("digest", dataset.digest)
        member("source_type", dataset.sourceType)
        member("source", dataset.source)
        if let schema = dataset.schema { member("schema", schema) }
        if let profile = dataset.profile { member("profile", profile) }
    }

    mutating func members(of point: MetricPoint) {
        member("key", point.key)
        member("value", point.value)
        member("timestamp", point.time.milliseconds)
        member("step", point.step)
    }
}
