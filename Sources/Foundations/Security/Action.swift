import HTTP

/// What can be done in a factory. This is the one table of which role may do what.
public enum Action: String, Sendable, Hashable, Codable, CaseIterable {
    /// Look at anything that is no secret.
    case read
    /// Ask an endpoint for predictions.
    case infer
    /// Tell what became of what was predicted.
    case label
    /// Log experiments and runs, store objects, score again.
    case experiment
    /// Start a training.
    case train
    /// Apply definitions, ingest data, compute features.
    case define
    /// Make model versions.
    case register
    /// Move a model version to another stage.
    case promote
    /// Give an endpoint's traffic to a model version.
    case deploy
    /// Give it back to the version before.
    case rollback
    /// Run the factory: its clock, its jobs.
    case operate
    /// Principals, roles and tokens.
    case administer

    /// The least role that may do it.
    public var role: Role {
        switch self {
        case .read, .infer: .viewer
        case .label, .experiment, .train: .scientist
        case .define, .register: .engineer
        case .promote, .deploy, .rollback, .operate: .operator
        case .administer: .admin
        }
    }
}

extension RouteNeed {
    /// The right to do something in the whole factory.
    public static func right(to action: Action) -> RouteNeed { .action(action.rawValue) }

    /// The right to do something to one resource.
    /// - Parameters:
    ///   - kind: such as `model`.
    ///   - parameter: the parameter of the path that names it; the kind itself where nothing else is said.
    public static func right(to action: Action, on kind: String, named parameter: String? = nil) -> RouteNeed {
        .action(action.rawValue, on: kind, named: parameter)
    }

    /// The right to do something to a resource that the handler names.
    /// - Parameter kind: such as `model`.
    public static func right(to action: Action, onSome kind: String) -> RouteNeed {
        .action(action.rawValue, onSome: kind)
    }
}
