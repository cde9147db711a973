import Basics
import Configuration

extension MonitorDefinition {
    /// Reads what stands under `monitoring/`.
    public static func all(_ documents: FactoryDocuments) throws -> [MonitorDefinition] {
        try (documents.folders["monitoring"] ?? []).map { try MonitorDefinition($0) }
    }

    private init(_ node: YAMLNode) throws {
        let map = try node.mapping(allowing: [
            "name", "owner", "description", "endpoint", "window", "label_wait", "drift", "performance",
        ])
        name = try map.string("name")
        owner = try map.string("owner")
        endpoint = try map.string("endpoint")
        windowSeconds = try map.seconds("window")
        guard windowSeconds > 0 else {
            throw ConfigurationFailure(try map.required("window").place, "'window' must be longer than nothing")
        }
        labelWaitSeconds = try map.seconds("label_wait", default: 0)
        let drift = try map.required("drift").mapping(allowing: ["psi", "ks", "min_features"])
        psi = try Levels(drift.node("psi"), default: Levels(warning: 0.1, critical: 0.2))
        ks = try Levels(drift.node("ks"), default: Levels(warning: 0.05, critical: 0.1))
        minimumDrifted = try drift.int("min_features", default: 1)
        let quality = try map.required("performance").mapping(allowing: ["metric", "max_drop", "min_labels", "windows"])
        let metric = try quality.optionalString("metric") ?? "auc"
        guard metric == "auc" else {
            throw ConfigurationFailure(
                try quality.required("metric").place, "there is no metric '\(metric)'", remedy: "Metrics: auc.")
        }
        performance = Performance(
            maximumDrop: try quality.share("max_drop", default: 0.05),
            minimumLabels: try quality.int("min_labels", default: 500), windows: try quality.int("windows", default: 1))
    }
}

extension MonitorDefinition.Levels {
    fileprivate init(_ node: YAMLNode?, default levels: MonitorDefinition.Levels) throws {
        guard let map = try node?.mapping(allowing: ["warn", "critical"]) else {
            self = levels
            return
        }
        self.init(
            warning: try map.double("warn", default: levels.warning),
            critical: try map.double("critical", default: levels.critical))
    }
}
