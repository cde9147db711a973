import Basics
import Configuration
import Jobs

/// A command that a factory runs again and again, or when it is asked to, as written under `pipelines/` with
/// `kind: job`, or `kind: score` for the command that scores a table.
struct JobDefinition: Codable, Equatable, Sendable {
    let name: String
    let description: String
    /// What is submitted for each run.
    let request: JobRequest
    /// Nil: only when it is asked for.
    let schedule: JobSchedule?

    /// Names of schedules that definitions made begin so.
    static let schedulePrefix = "job/"

    /// Reads what stands under `pipelines/`.
    /// - Throws: `ConfigurationFailure`, or what refuses the request or the schedule.
    static func all(_ documents: FactoryDocuments) throws -> [JobDefinition] {
        var names: Set<String> = []
        let nodes =
            try documents.automations(of: .job).map { ($0, false) }
            + documents.automations(of: .score).map { ($0, true) }
        return try nodes.map { node, scores in
            let definition = try JobDefinition(node, scores: scores)
            guard names.insert(definition.name).inserted else {
                throw ConfigurationFailure(node.place, "there are two jobs '\(definition.name)'")
            }
            return definition
        }
    }

    private static let keys = [
        "kind", "name", "owner", "description", "environment", "secrets", "directory", "every", "anchor", "catch_up",
        "queue", "priority", "tags", "retries", "time_limit", "resources",
    ]

    private init(_ node: YAMLNode, scores: Bool) throws {
        let map = try node.mapping(allowing: Self.keys + (scores ? ScoreStep.keys : ["command", "arguments"]))
        name = try map.string("name")
        description = try map.optionalString("description") ?? ""
        var environment: [String: String] = [:]
        for entry in try map.node("environment")?.mapping().entries ?? [] {
            environment[entry.key] = try entry.value.string()
        }
        do {
            let step = scores ? try ScoreStep(map) : nil
            var request = try CommandJob(
                command: try step?.program ?? map.string("command"),
                arguments: try step?.arguments ?? map.strings("arguments", default: []),
                environment: environment, secrets: try map.strings("secrets", default: []),
                directory: try map.optionalString("directory")
            ).request()
            request.owner = try map.string("owner")
            request.queue = try map.optionalString("queue") ?? request.queue
            request.priority = try map.int("priority", default: 0)
            request.tags = try map.strings("tags", default: [])
            request.retry.attempts = try map.int("retries", default: 2).clampedAdding(1)
            request.timeLimitSeconds = try map.optionalSeconds("time_limit").map { Int(clamping: $0) }
            if let resources = map.node("resources") { request.resources = try JobDefinition.resources(resources) }
            try request.checked()
            self.request = request
            schedule = try JobDefinition.schedule(map, name: name, request: request)
            try schedule?.check()
        } catch let failure as JobFailure {
            throw ConfigurationFailure(node.place, "the job '\(name)': \(failure.message)", remedy: failure.remedy)
        }
    }

    private static func schedule(_ map: ConfigurationMapping, name: String, request: JobRequest) throws -> JobSchedule?
    {
        guard let every = try map.optionalSeconds("every") else {
            for key in ["anchor", "catch_up"] {
                guard let node = map.node(key) else { continue }
                throw ConfigurationFailure(node.place, "'\(key)' means nothing without 'every'")
            }
            return nil
        }
        return JobSchedule(
            name: schedulePrefix + name, everySeconds: every,
            anchor: map.node("anchor") == nil ? Timestamp(microseconds: 0) : try map.timestamp("anchor"),
            catchUp: try map.int("catch_up", default: 0), request: request)
    }

    private static func resources(_ node: YAMLNode) throws -> JobResources {
        let map = try node.mapping(allowing: ["slots", "cores", "memory", "tokens"])
        let cores = try map.double("cores", default: 0)
        guard let millicores = Int(exactly: (cores * 1000).rounded()) else {
            throw ConfigurationFailure(try map.required("cores").place, "'cores' is too large")
        }
        var resources = JobResources(
            slots: try map.int("slots", default: 1), millicores: millicores,
            memoryBytes: try map.bytes("memory", default: 0))
        if let tokens = try map.node("tokens")?.mapping() {
            for entry in tokens.entries { resources.tokens[entry.key] = try tokens.int(entry.key) }
        }
        return resources
    }
}

extension Int {
    fileprivate func clampedAdding(_ other: Int) -> Int {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
