import Basics
import Experiments
import HTTP
import Security

extension MLflow {
    /// How much one batch may have.
    private enum BatchLimit {
        static let metrics = 1000
        static let parameters = 100
        static let tags = 100
        static let all = 1000
    }

    func installLogging(on router: Router) {
        call(.post, "/runs/log-metric", needs: .experiment, isBrief: true, on: router) { fields, _ in
            let run = try Self.runID(fields)
            try await experiments.log(RunBatch(metrics: [try Self.metric(fields)]), to: run)
            return .empty
        }
        for path in ["log-parameter", "log-param"] {
            call(.post, "/runs/\(path)", needs: .experiment, isBrief: true, on: router) { fields, _ in
                let run = try Self.runID(fields)
                try await experiments.log(RunBatch(parameters: [try Self.pair(fields)]), to: run)
                return .empty
            }
        }
        call(.post, "/runs/set-tag", needs: .experiment, isBrief: true, on: router) { fields, _ in
            let run = try Self.runID(fields)
            try await experiments.log(RunBatch(tags: [try Self.pair(fields)]), to: run)
            return .empty
        }
        for method in [HTTPMethod.post, .delete] {
            call(method, "/runs/delete-tag", needs: .experiment, isBrief: true, on: router) { fields, _ in
                try await experiments.deleteTag(try fields.text("key"), of: try Self.runID(fields))
                return .empty
            }
        }
        call(.post, "/runs/log-batch", needs: .experiment, isBrief: true, on: router) { fields, _ in
            let run = try Self.runID(fields)
            guard run.unicodeScalars.count <= 256 else { throw fields.wrong("\"\(run)\"", "run_id") }
            try await experiments.log(try Self.batch(fields), to: run)
            return .empty
        }
        call(.post, "/runs/log-inputs", needs: .experiment, isBrief: true, on: router) { fields, _ in
            let datasets = try fields.messages("datasets").map(Self.dataset)
            try await experiments.logInputs(
                datasets, models: try fields.messages("models").map(Self.modelLink), to: try Self.runID(fields))
            return .empty
        }
        call(.post, "/runs/outputs", needs: .experiment, isBrief: true, on: router) { fields, _ in
            try await experiments.logOutputs(
                try fields.messages("models").map(Self.modelLink), to: try Self.runID(fields))
            return .empty
        }
    }

    private static func metric(_ fields: Fields) throws -> MetricEntry {
        let key = try fields.text("key")
        let value = try fields.double("value")
        guard let time = try fields.optionalMoment("timestamp") else { throw fields.missing("timestamp") }
        guard time.microseconds >= 0 else {
            throw fields.wrong("\(time.milliseconds)", "timestamp", "it must be a nonnegative integer")
        }
        let point = MetricPoint(
            key: key, value: value, step: try fields.optionalInteger("step") ?? 0, time: time)
        return MetricEntry(
            point, model: try fields.optionalText("model_id"), datasetName: try fields.optionalText("dataset_name"),
            datasetDigest: try fields.optionalText("dataset_digest"))
    }

    private static func pair(_ fields: Fields) throws -> Pair {
        Pair(key: try fields.text("key"), value: try fields.optionalText("value") ?? "")
    }

    private static func batch(_ fields: Fields) throws -> RunBatch {
        let batch = RunBatch(
            metrics: try fields.messages("metrics").map(metric), parameters: try fields.pairs("params"),
            tags: try fields.pairs("tags"))
        func check(_ count: Int, _ limit: Int, _ what: String) throws {
            guard count > limit else { return }
            throw MLflowFailure.invalid(
                "A batch logging request can contain at most \(limit) \(what). Got \(count) \(what). "
                    + "Please split up \(what) across multiple requests and try again.")
        }
        try check(batch.metrics.count, BatchLimit.metrics, "metrics")
        try check(batch.parameters.count, BatchLimit.parameters, "params")
        try check(batch.tags.count, BatchLimit.tags, "tags")
        try check(
            batch.metrics.count + batch.parameters.count + batch.tags.count, BatchLimit.all,
            "metrics, params, and tags")
        guard Set(batch.parameters.map(\.key)).count == batch.parameters.count else {
            throw MLflowFailure.invalid("Duplicate parameter keys have been submitted")
        }
        return batch
    }

    private static func dataset(_ fields: Fields) throws -> DatasetInput {
        let dataset = try fields.message("dataset")
        return DatasetInput(
            name: try dataset.text("name"), digest: try dataset.optionalText("digest") ?? "",
            sourceType: try dataset.optionalText("source_type") ?? "",
            source: try dataset.optionalText("source") ?? "", schema: try dataset.optionalText("schema"),
            profile: try dataset.optionalText("profile"), tags: try fields.pairs("tags"))
    }

    private static func modelLink(_ fields: Fields) throws -> ModelLink {
        ModelLink(model: try fields.text("model_id"), step: try fields.optionalInteger("step") ?? 0)
    }
}
