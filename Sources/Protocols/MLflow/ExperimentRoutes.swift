import Basics
import Documents
import Experiments
import HTTP
import Security

extension MLflow {
    func installExperiments(on router: Router) {
        call(.post, "/experiments/create", needs: .experiment, on: router) { fields, request in
            let location = try fields.optionalText("artifact_location").flatMap { $0.isEmpty ? nil : $0 }
            let id = try await experiments.createExperiment(
                named: try fields.text("name"), location: location, tags: try fields.pairs("tags"),
                by: Self.principal(request))
            return Answer { $0.member("experiment_id", String(id)) }
        }
        call(.get, "/experiments/get", needs: .read, on: router) { fields, _ in try await getExperiment(fields) }
        call(.get, "/experiments/get-by-name", needs: .read, on: router) { fields, _ in
            let found = try await experiments.experiment(named: try fields.text("experiment_name"))
            return Answer { $0.object("experiment") { $0.members(of: found) } }
        }
        for method in [HTTPMethod.post, .get] {
            call(method, "/experiments/search", needs: .read, on: router) { fields, _ in
                try await searchExperiments(fields)
            }
        }
        call(.post, "/experiments/update", needs: .experiment, on: router) { fields, request in
            try await experiments.renameExperiment(
                try Self.experimentID(fields), to: try fields.text("new_name"), by: Self.principal(request))
            return .empty
        }
        for (path, stage) in [("delete", LifecycleStage.deleted), ("restore", .active)] {
            call(.post, "/experiments/\(path)", needs: .experiment, on: router) { fields, request in
                try await experiments.moveExperiment(
                    try Self.experimentID(fields), to: stage, by: Self.principal(request))
                return .empty
            }
        }
        call(.post, "/experiments/set-experiment-tag", needs: .experiment, on: router) { fields, _ in
            let tag = Pair(key: try fields.text("key"), value: try fields.optionalText("value") ?? "")
            try await experiments.setExperimentTag(tag, on: try Self.experimentID(fields))
            return .empty
        }
        for method in [HTTPMethod.post, .delete] {
            call(method, "/experiments/delete-experiment-tag", needs: .experiment, on: router) { fields, _ in
                try await experiments.deleteExperimentTag(try fields.text("key"), on: try Self.experimentID(fields))
                return .empty
            }
        }
    }

    /// The id of the experiment that is meant.
    static func experimentID(_ fields: Fields, _ name: String = "experiment_id") throws -> Int64 {
        try experimentID(try fields.text(name))
    }

    /// The ids of the experiments that are looked at, each of which becomes a value of one statement.
    static func experimentIDs(_ fields: Fields) throws -> [Int64] {
        let texts = try fields.texts("experiment_ids")
        guard texts.count <= experimentsMax else {
            throw fields.wrong("\(texts.count) ids", "experiment_ids", "It must have at most \(experimentsMax)")
        }
        return try texts.map { try experimentID($0) }
    }

    /// How many experiments a request may name.
    static let experimentsMax = 10_000

    /// - Throws: ``ExperimentsFailure/badExperimentID(_:)``.
    static func experimentID(_ text: String) throws -> Int64 {
        guard let id = Int64(text) else { throw ExperimentsFailure.badExperimentID(text) }
        return id
    }

    /// An experiment, deleted or not.
    func getExperiment(_ fields: Fields) async throws -> Answer {
        let found = try await experiments.experiment(try Self.experimentID(fields))
        return Answer { $0.object("experiment") { $0.members(of: found) } }
    }

    private func searchExperiments(_ fields: Fields) async throws -> Answer {
        let page = try await experiments.searchExperiments(
            try SearchFilter(try fields.optionalText("filter") ?? "", .experiments),
            order: try SearchOrder.keys(try fields.texts("order_by"), .experiments), view: try fields.view("view_type"),
            limit: try fields.limit(standard: nil, most: 50_000), offset: try PageToken.offset(fields))
        return Answer { writer in
            writer.objects("experiments", page.items) { $0.members(of: $1) }
            if let next = page.next { writer.member("next_page_token", PageToken.text(next)) }
        }
    }
}

extension JSONWriter {
    fileprivate mutating func members(of experiment: Experiment) {
        member("experiment_id", String(experiment.id))
        member("name", experiment.name)
        member("artifact_location", experiment.location)
        member("lifecycle_stage", experiment.stage.rawValue)
        member("last_update_time", experiment.updated.milliseconds)
        member("creation_time", experiment.created.milliseconds)
        member("workspace", "default")
        pairs("tags", experiment.tags)
    }

    /// Messages of a key and a value.
    mutating func pairs(_ key: StaticString, _ pairs: [Pair]) {
        objects(key, pairs) {
            $0.member("key", $1.key)
            $0.member("value", $1.value)
        }
    }
}

extension Timestamp {
    /// Whole milliseconds since 1970, toward zero.
    var milliseconds: Int64 { microseconds / 1000 }
}
