import Basics
import Experiments
import ObjectStorage

extension TrainingService {
    /// What a run was made from.
    /// - Throws: ``TrainingFailure/noRecipe(run:)`` for a run that was not trained here.
    public func recipe(of run: String) async throws -> TrainingRecipe {
        let artifacts = try await experiments.run(run).artifacts
        guard let file = artifacts.first(where: { $0.path == TrainingRecipe.file }) else {
            throw TrainingFailure.noRecipe(run: run)
        }
        return try JSON.decode(TrainingRecipe.self, from: try await objects.get(file.digest))
    }

    /// Trains again as a run was trained: with its definition, its range of rows and its seed, and with the data, features
    /// and program of now. Compares what comes out bit by bit, and what went in by digest.
    /// - Parameter code: the state of the code of the one who asks.
    /// - Throws: ``TrainingFailure/noRecipe(run:)``, or what training throws.
    public func reproduce(_ original: String, code: CodeState?, by principal: String) async throws -> Reproduction {
        let recipe = try await recipe(of: original)
        let candidate = try await train(
            recipe.definition, from: recipe.from, to: recipe.to, code: code, tags: ["reproduces": original],
            by: principal)
        return Reproduction(
            original: original, run: candidate.run,
            outcomes: Reproduction.differences(
                try await outcomes(of: original), try await outcomes(of: candidate.run)),
            inputs: Reproduction.differences(recipe.inputs, try await self.recipe(of: candidate.run).inputs))
    }

    /// The bits of each metric's last value, and the digests of the model's files.
    private func outcomes(of id: String) async throws -> [String: String] {
        let run = try await experiments.run(id)
        var outcomes: [String: String] = [:]
        for (key, value) in run.metrics {
            outcomes["metric \(key)"] = "\(value) (bits \(String(value.bitPattern, radix: 16)))"
        }
        for file in run.artifacts where file.path.hasPrefix("model/") {
            outcomes["file \(file.path)"] = file.digest.description
        }
        return outcomes
    }
}
