import Basics
import Configuration
import Monitoring

extension PipelineDefinition {
    /// Reads what stands under `pipelines/`.
    public static func all(_ documents: FactoryDocuments) throws -> [PipelineDefinition] {
        try documents.automations(of: .pipeline).map { try PipelineDefinition($0) }
    }

    private init(_ node: YAMLNode) throws {
        let map = try node.mapping(allowing: [
            "kind", "name", "owner", "description", "endpoint", "training", "triggers", "cooldown", "max_runs",
            "margin", "history",
        ])
        name = try map.string("name")
        owner = try map.string("owner")
        endpoint = try map.string("endpoint")
        training = try map.string("training")
        triggers = try map.strings("triggers")
        let kinds = Alert.Kind.allCases.map(\.rawValue)
        for trigger in triggers where !kinds.contains(trigger) {
            throw ConfigurationFailure(
                try map.required("triggers").place, "there is no trigger '\(trigger)'",
                remedy: "Triggers: \(kinds.joined(separator: ", ")).")
        }
        cooldownSeconds = try map.seconds("cooldown", default: 0)
        maximumRuns = try map.optionalInt("max_runs")
        margin = try map.share("margin", default: 0)
        historySeconds = try map.optionalSeconds("history")
    }
}
