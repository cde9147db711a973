import Basics
import Documents
import Experiments
import HTTP
import Security

extension MLflow {
    private static let statusPrefix = "LOGGED_MODEL_"

    func installLoggedModels(on router: Router) {
        let path = "/logged-models"
        call(.post, path, needs: .experiment, on: router) { fields, _ in
            Self.answer(
                try await experiments.createLoggedModel(
                    in: try Self.experimentID(fields), name: try fields.optionalText("name"),
                    type: try fields.optionalText("model_type") ?? "",
                    sourceRun: try fields.optionalText("source_run_id") ?? "", parameters: try fields.pairs("params"),
                    tags: try fields.pairs("tags")))
        }
        call(.post, "\(path)/search", needs: .read, on: router) { fields, _ in try await searchLoggedModels(fields) }
        call(.get, "\(path)/{id}", needs: .read, on: router) { fields, request in
            Self.answer(
                try await experiments.loggedModel(
                    try request.parameter("id"), allowingDeleted: try fields.flag("allow_deleted")))
        }
        call(.patch, "\(path)/{id}", needs: .experiment, on: router) { fields, request in
            let text = try fields.text("status")
            guard text.hasPrefix(Self.statusPrefix),
                let status = LoggedModelStatus(rawValue: String(text.dropFirst(Self.statusPrefix.count)))
            else { throw fields.wrong("\"\(text)\"", "status") }
            return Self.answer(try await experiments.finishLoggedModel(try request.parameter("id"), as: status))
        }
        call(.delete, "\(path)/{id}", needs: .experiment, on: router) { _, request in
            try await experiments.deleteLoggedModel(try request.parameter("id"))
            return .empty
        }
        call(.patch, "\(path)/{id}/tags", needs: .experiment, on: router) { fields, request in
            let batch = RunBatch(tags: try fields.pairs("tags"))
            _ = try await experiments.log(batch, toModel: try request.parameter("id"))
            return .empty
        }
        call(.delete, "\(path)/{id}/tags/{key}", needs: .experiment, on: router) { _, request in
            try await experiments.deleteTag(try request.parameter("key"), ofModel: try request.parameter("id"))
            return .empty
        }
        call(.post, "\(path)/{id}/params", needs: .experiment, on: router) { fields, request in
            let batch = RunBatch(parameters: try fields.pairs("params"))
            _ = try await experiments.log(batch, toModel: try request.parameter("id"))
            return .empty
        }
        call(.get, "\(path)/{id}/artifacts/directories", needs: .read, on: router) { fields, request in
            let model = try await experiments.loggedModel(try request.parameter("id"))
            return try await files(at: model.location, below: try fields.optionalText("artifact_directory_path") ?? "")
        }
    }

    private func searchLoggedModels(_ fields: Fields) async throws -> Answer {
        func dataset(_ fields: Fields) throws -> DatasetName? {
            guard let name = try fields.optionalText("dataset_name"), !name.isEmpty else { return nil }
            return DatasetName(name: name, digest: try fields.optionalText("dataset_digest"))
        }
        let keys = try fields.messages("order_by")
        try SearchOrder.check(count: keys.count)
        let order = try keys.map { field -> (key: SearchOrder, dataset: DatasetName?) in
            let isAscending = try field.optionalFlag("ascending") ?? true
            let key = try SearchOrder.keys([try field.text("field_name")], .loggedModels)
            guard var first = key.first else { throw MLflowFailure.missing("field_name") }
            first.isAscending = isAscending
            return (first, try dataset(field))
        }
        let groups = try Self.experimentIDs(fields)
        guard !groups.isEmpty else { throw MLflowFailure.missing("experiment_ids") }
        // Zero is what is not said.
        let limit = try fields.optionalInteger("max_results") == 0 ? 100 : fields.limit(standard: 100, most: 50_000)
        let page = try await experiments.searchLoggedModels(
            ExperimentStore.LoggedModelQuery(
                experiments: groups,
                filter: try SearchFilter(try fields.optionalText("filter") ?? "", .loggedModels),
                datasets: try fields.messages("datasets").compactMap(dataset), order: order,
                limit: limit, offset: try PageToken.offset(fields)))
        return Answer { writer in
            writer.objects("models", page.items) { $0.members(of: $1) }
            if let next = page.next { writer.member("next_page_token", PageToken.text(next)) }
        }
    }

    private static func answer(_ model: LoggedModel) -> Answer {
        Answer { $0.object("model") { $0.members(of: model) } }
    }
}

extension JSONWriter {
    fileprivate mutating func members(of model: LoggedModel) {
        object("info") { writer in
            writer.member("model_id", model.id)
            writer.member("experiment_id", String(model.experiment))
            writer.member("name", model.name)
            writer.member("creation_timestamp_ms", model.created.milliseconds)
            writer.member("last_updated_timestamp_ms", model.updated.milliseconds)
            writer.member("artifact_uri", model.location)
            writer.member("status", "LOGGED_MODEL_\(model.status.rawValue)")
            writer.member("model_type", model.type)
            writer.member("source_run_id", model.sourceRun)
            writer.pairs("tags", model.tags)
        }
        object("data") { writer in
            writer.pairs("params", model.parameters)
            writer.objects("metrics", model.metrics) { writer, metric in
                writer.members(of: metric.point)
                writer.member("model_id", model.id)
                writer.member("run_id", metric.run)
                if !metric.datasetName.isEmpty { writer.member("dataset_name", metric.datasetName) }
                if !metric.datasetDigest.isEmpty { writer.member("dataset_digest", metric.datasetDigest) }
            }
        }
    }
}
