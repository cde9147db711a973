import Basics

/// What can go wrong with models and their versions.
public enum RegistryFailure: Failure {
    case unknownModel(String)
    case unknownVersion(ModelVersionID)
    case forbiddenTransition(ModelVersionID, from: Stage, to: Stage)
    case incomplete(ModelVersionID, missing: [String])
    case badReference(String)
    case noProfile(Digest)

    public var code: FailureCode {
        switch self {
        case .unknownModel, .unknownVersion, .noProfile: .notFound
        case .forbiddenTransition, .incomplete: .failedPrecondition
        case .badReference: .invalidArgument
        }
    }

    public var message: String {
        switch self {
        case .unknownModel(let name): "there is no model '\(name)'"
        case .unknownVersion(let id): "there is no model version \(id)"
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
        case .noProfile: "Register a version trained here."
        case .badReference: "Write MODEL/VERSION, for example flight-delay/3."
        }
    }
}
