import Basics
import Datasets
import Features
import HTTP
import Security
import Training

extension WorksAPI {
    func installData(on router: Router) {
        router.post(
            "\(Self.prefix)/features/build", needs: .right(to: .define),
            about: .init(
                "Computes the histories of all views", answer: .json([ViewHistory].self))
        ) { request in
            try .json(try await services.features.buildViews(by: principal(request)))
        }
        router.post(
            "\(Self.prefix)/features/leak-check", needs: .right(to: .experiment),
            about: .init(
                "Proves on a sample that no value was knowable only later", body: .json(LeakCheckBody.self),
                answer: .json(LeakReport.self))
        ) { request in
            let options = try body(LeakCheckBody.self, request)
            let definition = try services.training.definition(options.training)
            return try .json(
                try await services.features.leakCheck(
                    definition.population, service: definition.service, from: definition.from, to: definition.to,
                    sample: min(max(options.sample ?? 8, 1), 1000), random: SeededRandom(seed: options.seed ?? 7)))
        }
        router.get(
            "\(Self.prefix)/training/{name}/population", needs: .right(to: .read, on: "training", named: "name"),
            about: .init(
                "Gives the rows that a training decides on",
                query: [
                    .required("from", "the first moment", Timestamp.self),
                    .required("to", "the moment after the last", Timestamp.self),
                ], answer: .json(PopulationPage.self))
        ) { request in
            let definition = try services.training.definition(try request.parameter("name"))
            guard let from = try request.timestamp("from"), let to = try request.timestamp("to") else {
                throw WorksAPIFailure.badParameter("from", "and 'to' are needed")
            }
            return try .json(
                try await services.features.populationPage(
                    definition.population, service: definition.service, from: from, to: to))
        }
    }
}

private struct LeakCheckBody: Codable {
    var training: String
    var sample: Int?
    var seed: UInt64?
}
