import Basics
import Experiments
import HTTP
import Registry
import Security
import Training

/// What MLflow's protocol does not tell of runs.
extension WorksAPI {
    func installRuns(on router: Router) {
        router.get(
            "\(Self.prefix)/runs/{id}/facts", needs: .right(to: .read),
            about: .init(
                "Tells how a run came about: code, data, features, environment, parameters, metrics, files",
                answer: .json(RunFacts.self))
        ) { request in try .json(try await services.experiments.facts(of: try request.parameter("id"))) }
        router.get(
            "\(Self.prefix)/runs/{id}/lineage", needs: .right(to: .read),
            about: .init(
                "Tells what a run came from, and which versions were registered from it",
                answer: .json(RunLineage.self))
        ) { request in
            try .json(
                try await services.registry.lineage(
                    ofRun: try request.parameter("id"), in: services.experiments))
        }
        router.get(
            "\(Self.prefix)/experiments/{name}/best", needs: .right(to: .read),
            about: .init(
                "Finds the finished run with the greatest value of a metric",
                query: [
                    .required("metric", "the metric's key"),
                    .optional("least", "true looks for the least value instead"),
                ], answer: .json(Run.self))
        ) { request in
            let name = try request.parameter("name")
            let metric = request.query("metric") ?? ""
            let best = try await services.experiments.bestRun(
                of: name, by: metric, isLeast: request.query("least") == "true")
            guard let best else {
                throw ExperimentsFailure.invalid(
                    "no finished run of '\(name)' has the metric '\(metric)'",
                    remedy: "See 'modelworks runs list --experiment \(name)'.")
            }
            return try .json(best)
        }
        router.post(
            "\(Self.prefix)/runs/{id}/reproduce", needs: .right(to: .train),
            about: .init(
                "Trains a run again, and compares what went in and what came out", body: .json(ReproduceBody.self),
                answer: .json(Reproduction.self))
        ) { request in
            try .json(
                try await services.training.reproduce(
                    try request.parameter("id"), code: try body(ReproduceBody.self, request).code,
                    by: principal(request)))
        }
    }
}

private struct ReproduceBody: Codable {
    /// The state of the code of the one who asks.
    var code: CodeState?
}
