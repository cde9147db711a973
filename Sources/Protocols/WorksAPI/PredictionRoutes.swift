import Basics
import HTTP
import Records
import Security
import Serving

/// What was answered, and how long it took: of a factory's endpoints, and of models with or without a factory.
public struct PredictionRoutes: Sendable {
    private let endpoints: EndpointTable
    private let models: ModelRepository
    private let kept: Kept?

    /// What has to do with records.
    public struct Kept: Sendable {
        let finder: PredictionFinder
        let upkeep: RecordUpkeep

        public init(finder: PredictionFinder, upkeep: RecordUpkeep) {
            self.finder = finder
            self.upkeep = upkeep
        }
    }

    /// - Parameter kept: nil where nothing is kept.
    public init(endpoints: EndpointTable, models: ModelRepository, kept: Kept?) {
        self.endpoints = endpoints
        self.models = models
        self.kept = kept
    }

    /// Puts the routes on a router.
    public func install(on router: Router) {
        let prefix = WorksAPI.prefix
        router.get(
            "\(prefix)/latency/{name}", needs: .right(to: .read, on: "endpoint", named: "name"),
            about: .init(
                "Tells how long the stages of answering took since the server started, beside their budgets",
                query: [.optional("quantile", "Which quantile is compared with the budget, from 0 to 1; 0.5")],
                answer: .json([LatencyReport].self))
        ) { request in
            try .json(try reports(of: try request.parameter("name"), quantile: try Self.quantile(request)))
        }
        guard let kept else { return }
        router.get(
            "\(prefix)/predictions", needs: .right(to: .read),
            about: .init(
                "Lists the newest predictions that were kept, newest first",
                query: [
                    .optional("model", "Only of this endpoint or model"),
                    .optional("since", "Only what was kept from this moment on", Timestamp.self),
                    .optional("limit", "How many at most; 20", Int.self),
                ], answer: .json([KeptPrediction].self))
        ) { request in
            try .json(
                try await kept.finder.list(
                    .init(
                        model: request.query("model"), since: try request.timestamp("since"),
                        limit: try request.integer("limit", default: 20, in: 1...10_000))))
        }
        router.get(
            "\(prefix)/predictions/{id:path}", needs: .right(to: .read),
            about: .init(
                "Finds predictions by the id that their caller gave, or was given", answer: .json([KeptPrediction].self)
            )
        ) { request in
            try .json(try await kept.finder.find(try request.parameter("id")))
        }
        router.post(
            "\(prefix)/predictions/compact", needs: .right(to: .operate),
            about: .init(
                "Takes all records out of their logs into Parquet now, and deletes what is older than it is kept",
                answer: .json(LocalRecords.Compacted.self))
        ) { _ in
            try .json(try await kept.upkeep.compact(all: true))
        }
    }

    private func reports(of name: String, quantile: Double) throws -> [LatencyReport] {
        if let endpoint = endpoints[name] { return endpoint.latencies(quantile: quantile) }
        let versions = models.all.filter { $0.name == name }
        guard versions.isEmpty else { return versions.map { $0.latency(quantile: quantile) } }
        // Says what is known, or why it does not answer.
        return [try models.model(name, version: nil).latency(quantile: quantile)]
    }

    private static func quantile(_ request: HTTPRequest) throws -> Double {
        guard let text = request.query("quantile") else { return 0.5 }
        guard let number = Double(text), (0...1).contains(number) else {
            throw WorksAPIFailure.badParameter("quantile", "must be a number from 0 to 1")
        }
        return number
    }
}
