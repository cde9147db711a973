import Basics
import Configuration

extension EndpointDefinition {
    /// Reads what stands under `serving/`.
    public static func all(_ documents: FactoryDocuments) throws -> [EndpointDefinition] {
        try (documents.folders["serving"] ?? []).map { try EndpointDefinition($0) }
    }

    private init(_ node: YAMLNode) throws {
        let map = try node.mapping(allowing: [
            "endpoint", "owner", "description", "model", "service", "latency_budget_ms", "latency_budget", "rollout",
            "split_by", "limits",
        ])
        name = try map.string("endpoint")
        owner = try map.string("owner")
        model = try map.string("model")
        service = try map.string("service")
        latencyBudgetMilliseconds = try map.double("latency_budget_ms", default: 100)
        rollout = try RolloutPlan(try map.required("rollout"))
        latencyBudget = try map.node("latency_budget").map { try LatencyBudget($0) }
        splitBy = try map.optionalString("split_by")
        limits = map.node("limits") == nil ? nil : try map.strings("limits")
    }
}

extension EndpointDefinition.RolloutPlan {
    init(_ node: YAMLNode) throws {
        let map = try node.mapping(allowing: [
            "steps", "step_every", "min_requests", "max_error_rate", "max_p99_ms", "failure_limit", "compare",
        ])
        steps = try map.strings("steps").map { text in
            guard
                let share = Double(text.hasSuffix("%") ? String(text.dropLast()) : text).map({
                    text.hasSuffix("%") ? $0 / 100 : $0
                })
            else {
                throw ConfigurationFailure(try map.required("steps").place, "'\(text)' is no share such as 5%")
            }
            return share
        }
        guard steps.last == 1, steps.allSatisfy({ $0 > 0 }), zip(steps, steps.dropFirst()).allSatisfy({ $0 < $1 })
        else {
            throw ConfigurationFailure(try map.required("steps").place, "the steps must rise and end with 100%")
        }
        stepSeconds = try map.seconds("step_every")
        minimumRequests = Int64(try map.int("min_requests", default: 100))
        maximumErrorRate = try map.share("max_error_rate", default: 0.01)
        maximumP99Milliseconds = try map.double("max_p99_ms", default: 100)
        failureLimit = Int64(try map.int("failure_limit", default: 5))
        comparison = try map.node("compare").map { try Comparison($0) } ?? Comparison()
    }
}

extension EndpointDefinition.RolloutPlan.Comparison {
    init(_ node: YAMLNode) throws {
        let map = try node.mapping(allowing: ["alpha", "max_slowdown", "max_output_shift"])
        let standard = Self()
        alpha = try map.share("alpha", default: standard.alpha)
        maximumSlowdown = try map.double("max_slowdown", default: standard.maximumSlowdown)
        maximumOutputShift = try map.double("max_output_shift", default: standard.maximumOutputShift)
        func demand(_ holds: Bool, _ key: String, _ rule: String) throws {
            guard holds else { throw ConfigurationFailure(try map.required(key).place, rule) }
        }
        try demand(alpha > 0 && alpha <= 0.5, "alpha", "alpha must be above 0 and at most 50%")
        try demand(maximumSlowdown >= 1, "max_slowdown", "max_slowdown must be 1 or more")
        try demand(maximumOutputShift >= 0, "max_output_shift", "max_output_shift must not be negative")
    }
}
