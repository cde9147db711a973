import Basics
import Registry

/// What can go wrong between a prediction request and its answer.
public enum ServingFailure: Failure {
    case unknownEndpoint(String, known: [String])
    case notDeployed(String)
    case badRequest(String, remedy: String)
    case modelFailed(ModelVersionID, String)
    case signatureMismatch(ModelVersionID, missing: [String])
    case serviceMismatch(ModelVersionID, endpoint: String)
    case otherModel(ModelVersionID, endpoint: String, model: String)
    case notRecorded(endpoint: String, reason: String)
    case nothingToRollBack(endpoint: String)
    /// Another process changed who answers while a change was under way.
    case trafficChanged(endpoint: String)

    public var code: FailureCode {
        switch self {
        case .unknownEndpoint: .notFound
        case .notDeployed, .notRecorded: .unavailable
        case .badRequest: .invalidArgument
        case .modelFailed: .internal
        case .signatureMismatch, .serviceMismatch, .otherModel, .nothingToRollBack, .trafficChanged:
            .failedPrecondition
        }
    }

    public var message: String {
        switch self {
        case .unknownEndpoint(let name, _): "there is no endpoint '\(name)'"
        case .notDeployed(let name): "the endpoint '\(name)' has no model version deployed"
        case .badRequest(let problem, _): problem
        case .modelFailed(let id, let problem): "\(id) could not answer: \(problem)"
        case .signatureMismatch(let id, let missing):
            "\(id) wants inputs that its feature service does not give: \(missing.joined(separator: ", "))"
        case .serviceMismatch(let id, let endpoint):
            "\(id) was trained on other feature definitions than the endpoint '\(endpoint)' serves"
        case .otherModel(let id, let endpoint, let model):
            "\(id) is no version of '\(model)', which '\(endpoint)' serves"
        case .notRecorded(let endpoint, let reason):
            "the answer of '\(endpoint)' could not be recorded, and so is not given: \(reason)"
        case .nothingToRollBack(let endpoint): "the endpoint '\(endpoint)' has nothing to roll back to"
        case .trafficChanged(let endpoint):
            "the traffic of '\(endpoint)' was changed at the same time, and this change was not made"
        }
    }

    public var remedy: String? {
        switch self {
        case .unknownEndpoint(_, let known):
            known.isEmpty ? "Define one under serving/ and apply." : "Known: \(known.sorted().joined(separator: ", "))."
        case .notDeployed(let name): "Run 'modelworks deploy \(name) MODEL/VERSION'."
        case .badRequest(_, let remedy): remedy
        case .modelFailed: "See the server's log for the request; roll back if it goes on."
        case .signatureMismatch, .serviceMismatch: "Train a version on the current feature service."
        case .otherModel: "Deploy a version of that model, or change the endpoint's definition."
        case .notRecorded: "Free some space on the disk of the root; nothing else is needed."
        case .trafficChanged: "Look at who answers now, then decide again."
        case .nothingToRollBack: "Deploy another version instead."
        }
    }
}
