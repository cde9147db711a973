import Basics
import Configuration
import Features

extension TrainingDefinition {
    /// Reads what stands under `training/`.
    public static func all(_ documents: FactoryDocuments) throws -> [TrainingDefinition] {
        try (documents.folders["training"] ?? []).map { try TrainingDefinition($0, documents) }
    }

    private init(_ node: YAMLNode, _ documents: FactoryDocuments) throws {
        let map = try node.mapping(allowing: [
            "name", "owner", "description", "trainer", "model", "service", "population", "id", "label", "label_time",
            "time", "train", "holdout", "refit", "rounds", "seed", "parameters", "gates",
        ])
        let trainer = try map.string("trainer")
        guard trainer == "lightgbm" else {
            throw ConfigurationFailure(
                try map.required("trainer").place, "there is no trainer '\(trainer)'", remedy: "Trainers: lightgbm.")
        }
        name = try map.string("name")
        owner = try map.string("owner")
        model = try map.string("model")
        service = try map.string("service")
        population = Population(
            sql: try documents.text(try map.required("population")),
            id: try map.optionalString("id") ?? "prediction_id",
            time: try map.string("time"), label: try map.string("label"), labelTime: try map.string("label_time"))
        let range = try map.required("train").mapping(allowing: ["from", "to"])
        from = try range.timestamp("from")
        to = try range.timestamp("to")
        holdoutSeconds = try map.seconds("holdout")
        refit = try map.bool("refit", default: false)
        rounds = try map.int("rounds", default: 200)
        seed = Int64(try map.int("seed"))
        parameters = [:]
        for entry in try map.node("parameters")?.mapping().entries ?? [] {
            parameters[entry.key] = try entry.value.string()
        }
        gates = try map.list("gates").map { node in
            let map = try node.mapping(allowing: ["metric", "min", "max"])
            let gate = Gate(
                metric: try map.string("metric"), minimum: try map.optionalDouble("min"),
                maximum: try map.optionalDouble("max"))
            guard gate.minimum != nil || gate.maximum != nil else {
                throw ConfigurationFailure(node.place, "a gate has 'min', 'max' or both")
            }
            return gate
        }
        _ = try lightGBM()
    }
}
