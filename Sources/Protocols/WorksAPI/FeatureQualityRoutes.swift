import Basics
import Features
import HTTP
import Monitoring
import Security
import Serving
import Training

/// How features are distributed, and whether they are the same online and offline.
extension WorksAPI {
    /// The newest profile of a view, and on request all there were.
    struct ViewProfile: Codable {
        var profile: HistoryProfile
        /// The features that have drifted further than the view allows, the worst first.
        var drifted: [String]
        /// Newest first.
        var history: [HistoryProfile.Summary]?
    }

    func installFeatureQuality(on router: Router) {
        let store = services.features
        router.get(
            "\(Self.prefix)/features/views/{view}/profile", needs: .right(to: .read, on: "view"),
            about: .init(
                "Tells how the values of a view are distributed",
                query: [.optional("history", "true: summaries of earlier profiles, too", Bool.self)],
                answer: .json(ViewProfile.self))
        ) { request in
            let name = try request.parameter("view")
            guard let profile = try await store.presentProfile(of: name) else {
                throw FeaturesFailure.notProfiled(view: name)
            }
            let rule = try store.catalogue.view(name).drift ?? .standard
            return try .json(
                ViewProfile(
                    profile: profile, drifted: profile.drifted(beyond: rule).map(\.feature),
                    history: request.query("history") == "true" ? try await store.profiles(of: name) : nil))
        }
        router.post(
            "\(Self.prefix)/features/views/{view}/accept", needs: .right(to: .define, on: "view"),
            about: .init(
                "Makes the present distribution of a view the one that later ones are compared with",
                answer: .json(HistoryProfile.self))
        ) { request in
            try .json(
                try await store.acceptDistribution(of: try request.parameter("view"), by: principal(request)))
        }
        router.post(
            "\(Self.prefix)/endpoints/{name}/skew", needs: .right(to: .experiment, on: "endpoint", named: "name"),
            about: .init(
                "Compares logged online vectors with the offline join", body: .json(SkewBody.self),
                answer: .json(SkewReport.self))
        ) { request in
            let range = try body(SkewBody.self, request)
            let endpoint = try services.endpoints.table.endpoint(try request.parameter("name"))
            let replay = SkewReplay(
                endpoint: endpoint, features: store,
                population: try services.training.population(
                    model: endpoint.definition.model, service: endpoint.definition.service))
            return try .json(try await replay.run(from: range.from, to: range.to))
        }
    }
}

private struct SkewBody: Codable {
    var from: Timestamp?
    var to: Timestamp?
}
