import Basics

/// What can go wrong with models and their versions.
public enum RegistryFailure: Failure {
    case unknownModel(String)
    case unknownVersion(ModelVersionID)
    case forbiddenTransition(ModelVersionID, from: Stage, to: Stage)
    case incomplete(ModelVersionID, missing: [String])
    case badReference(String)
    case noProfile(Digest)
    case modelExists(String)
    case unknownAlias(String, model: String)
    case noVersions(String)
    case inProduction(ModelVersionID)
    /// A name or value that its rules do not allow.
    case invalid(String)
    case badSource(String, reason: String)

    public var code: FailureCode {
        switch self {
        case .unknownModel, .unknownVersion, .noVersions, .noProfile: .notFound
        case .forbiddenTransition, .incomplete: .failedPrecondition
        case .modelExists: .alreadyExists
        // As MLflow has it.
        case .unknownAlias: .invalidArgument
        case .inProduction: .failedPrecondition
        case .badReference, .invalid, .badSource: .invalidArgument
        }
    }

    public var message: String {
        switch self {
        case .unknownModel(let name): "Registered Model with name=\(name) not found"
        case .unknownVersion(let id): "Model Version (name=\(id.model), version=\(id.version)) not found"
        case .modelExists(let name): "Registered Model (name=\(name)) already exists."
        case .unknownAlias(let alias, _): "Registered model alias \(alias) not found."
        case .noVersions(let name): "Registered Model with name=\(name) has no versions"
        case .inProduction(let id): "\(id) is in Production"
        case .invalid(let text): text
        case .badSource(let source, let reason): "Invalid model version source: '\(source)'. \(reason)"
        case .forbiddenTransition(let id, let from, let to):
            "\(id) can not go from \(from.rawValue) to \(to.rawValue)"
        case .incomplete(let id, let missing):
            "\(id) can not go to Production: its record lacks \(missing.joined(separator: ", "))"
        case .badReference(let text): "'\(text)' is no model version"
        case .noProfile(let bundle): "the bundle \(bundle.short) holds no profile of its training"
        }
    }

    public var remedy: String? {
        switch self {
        case .unknownModel, .unknownVersion: "List them with 'modelworks models'."
        case .forbiddenTransition: "Allowed: None, Staging, Production and Archived, but nothing returns to None."
        case .incomplete: "Register a version from a tracked run."
        case .inProduction: "Archive it first."
        case .modelExists, .unknownAlias, .noVersions, .invalid, .badSource: nil
        case .noProfile: "Register a version trained here."
        case .badReference: "Write MODEL/VERSION, for example flight-delay/3."
        }
    }
}
