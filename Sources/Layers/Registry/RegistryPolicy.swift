import Basics
import Configuration

/// What a factory asks before a version moves.
public struct RegistryPolicy: Sendable, Codable, Equatable {
    /// What must be known of a version that goes to Production.
    public var required: [RequiredFact]
    /// How many people besides the one who asks must agree to a move to a stage; none where it is not named.
    public var approvals: [Stage: Int]
    /// How long a request may wait, in seconds.
    public var requestSeconds: Int64
    /// The hosts that webhooks may be sent to, each as `HOST`, `HOST:PORT` or `*.DOMAIN`; nil for any.
    public var webhookHosts: [String]?

    /// How long a request waits where nothing else is said.
    public static let weekSeconds: Int64 = 7 * 86_400

    public init(
        required: [RequiredFact], approvals: [Stage: Int] = [:], requestSeconds: Int64 = weekSeconds,
        webhookHosts: [String]? = nil
    ) {
        self.required = required
        self.approvals = approvals
        self.requestSeconds = requestSeconds
        self.webhookHosts = webhookHosts
    }

    /// Of a server without a factory: as little as keeps a record of where a version came from, so that scripts written
    /// for MLflow go on working.
    public static let open = RegistryPolicy(required: [.run, .metrics])

    /// Of a factory whose `works.yaml` says nothing else: everything that a version is made again from.
    public static let standard = RegistryPolicy(required: [
        .run, .code, .data, .parameters, .metrics, .environment,
    ])

    /// Reads the key `registry` of `works.yaml`.
    public init(_ node: YAMLNode?) throws {
        self = .standard
        guard let map = try node?.mapping(allowing: ["required", "approvals", "request_expires", "webhook_hosts"])
        else { return }
        if map.node("required") != nil {
            let known = RequiredFact.allCases.map(\.rawValue)
            required = try map.strings("required").map { name in
                guard let fact = RequiredFact(rawValue: name) else {
                    throw ConfigurationFailure(
                        try map.required("required").place, "there is no fact '\(name)'",
                        remedy: "Facts: \(known.joined(separator: ", ")).")
                }
                return fact
            }
        }
        if let stages = try map.node("approvals")?.mapping(allowing: Stage.allCases.map(\.rawValue)) {
            for stage in Stage.allCases where stages.node(stage.rawValue) != nil {
                let count = try stages.int(stage.rawValue)
                guard (0...20).contains(count), stage != .none else {
                    throw ConfigurationFailure(
                        try stages.required(stage.rawValue).place,
                        "approvals are 0 to 20, of Staging, Production or Archived")
                }
                approvals[stage] = count
            }
        }
        requestSeconds = try map.seconds("request_expires", default: Self.weekSeconds)
        guard requestSeconds > 0 else {
            throw ConfigurationFailure(try map.required("request_expires").place, "a request must have time to wait")
        }
        if map.node("webhook_hosts") != nil { webhookHosts = try map.strings("webhook_hosts") }
    }

    /// What is not known of a version that should be.
    func missing(in version: ModelVersion) -> [RequiredFact] { required.filter { !$0.isKnown(of: version) } }

    /// How many must agree to a move.
    func approvals(to stage: Stage) -> Int { approvals[stage] ?? 0 }
}
