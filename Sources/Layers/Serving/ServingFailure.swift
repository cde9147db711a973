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
    case unknownModel(String, known: [String])
    case unknownVersion(String, String, known: [String])
    /// Nothing decides how many replicas the model has.
    case notScaled(String)
    /// The model or version is there and does not answer.
    case modelNotReady(String, reason: String)
    case queueFull(String, limit: Int)
    case deadlineExceeded(String)
    case modelTooLarge(bytes: Int, limit: Int)
    case badModelsFolder(String, String)
    case unknownPrediction(String)
    /// What is to be made unreadable is no input or column of the model.
    case badRedaction(String, model: String, known: [String])
    /// A caller would load or unload models where callers do not decide.
    case notExplicit

    public var code: FailureCode {
        switch self {
        case .unknownEndpoint, .unknownModel, .unknownVersion, .unknownPrediction, .notScaled: .notFound
        case .notDeployed, .notRecorded, .modelNotReady, .queueFull: .unavailable
        case .deadlineExceeded: .deadlineExceeded
        case .modelTooLarge: .resourceExhausted
        case .badModelsFolder, .badRedaction: .invalidArgument
        case .notExplicit: .failedPrecondition
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
        case .unknownModel(let name, _): "there is no model '\(name)'"
        case .unknownVersion(let name, let version, _): "the model '\(name)' has no version '\(version)'"
        case .notScaled(let name): "nothing decides how many replicas '\(name)' has"
        case .modelNotReady(let name, let reason): "the model '\(name)' is not ready: \(reason)"
        case .queueFull(let name, let limit): "\(limit) requests already wait for the model '\(name)'"
        case .deadlineExceeded(let name):
            "the deadline of a request to the model '\(name)' passed before it was its turn"
        case .modelTooLarge(let bytes, let limit): "the model takes \(bytes) bytes, and all together may take \(limit)"
        case .badModelsFolder(let folder, let problem): "the models folder '\(folder)' can not be read: \(problem)"
        case .unknownPrediction(let id): "no record of a prediction '\(id)' is kept"
        case .badRedaction(let what, let model, _):
            "the record of '\(model)' is to be redacted at '\(what)', which the model has not"
        case .notExplicit: "models are not loaded and unloaded by callers here"
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
        case .unknownModel(_, let known), .unknownVersion(_, _, let known):
            known.isEmpty
                ? "Put a model into the models folder, or load one." : "Known: \(known.joined(separator: ", "))."
        case .notScaled: "Give it 'scaling' in its configuration, or serve with --python-workers MIN:MAX."
        case .modelNotReady: "See the repository's index; load the model again once its cause is mended."
        case .queueFull: "Send it again a moment later, or give the model more instances."
        case .deadlineExceeded: "Allow more time, or send fewer requests at once."
        case .modelTooLarge: "Allow models more memory."
        case .badModelsFolder: "Check the path and its permissions."
        case .unknownPrediction: "It may not have been sampled, or be older than records are kept."
        case .badRedaction(_, _, let known): "It has: \(known.joined(separator: ", "))."
        case .notExplicit: "Start the server with '--model-control explicit'."
        case .nothingToRollBack: "Deploy another version instead."
        }
    }
}
