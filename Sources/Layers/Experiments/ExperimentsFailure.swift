import Basics

/// What can go wrong with experiments, runs and their records. The words are those that MLflow's clients know.
public enum ExperimentsFailure: Failure {
    /// A parameter that has a value and was given another.
    public struct ChangedParameter: Sendable, Equatable {
        public var key: String
        public var old: String
        public var new: String
    }

    case unknownRun(String)
    case runEnded(String, RunStatus)
    case runDeleted(String)
    case badExperimentID(String)
    case unknownExperiment(Int64)
    case unknownExperimentName(String)
    case experimentExists(String)
    case experimentDeleted(Int64)
    case renameOfDeleted(Int64)
    case unknownTag(String)
    case changedParameters([ChangedParameter], run: String)
    /// A value that its rules do not allow.
    case invalid(String, remedy: String?)
    /// A filter or an order that can not be understood.
    case search(String)
    case artifactPath(String)
    case unknownArtifact(String)
    case unknownLoggedModel(String)
    /// What is to be imported is here already, and is another thing.
    case takenByAnother(String, remedy: String)
    /// A model version is made of what would change.
    case artifactPinned(String, holder: String)
    /// While a version was made of what lies at a location, it became something else.
    case artifactsChanged(String)
    /// Stored points of a metric can not be read.
    case damagedHistory(String)
    case unknownTrace(String)
    /// Some of its spans have not come yet.
    case unfinishedTrace(String)

    public var code: FailureCode {
        switch self {
        case .unknownRun, .unknownExperiment, .unknownExperimentName, .unknownTag, .unknownArtifact,
            .unknownLoggedModel, .unknownTrace, .unfinishedTrace:
            .notFound
        case .runEnded, .runDeleted, .experimentDeleted, .renameOfDeleted, .artifactPinned: .failedPrecondition
        case .artifactsChanged: .unavailable
        case .experimentExists, .takenByAnother: .alreadyExists
        case .badExperimentID, .changedParameters, .invalid, .search, .artifactPath: .invalidArgument
        case .damagedHistory: .dataLoss
        }
    }

    public var message: String {
        switch self {
        case .unknownRun(let id): "Run with id=\(id) not found"
        case .runEnded(let id, let status): "the run '\(id)' has ended already (\(status.rawValue))"
        case .runDeleted(let id): "The run \(id) must be in the 'active' state. Current state is deleted."
        case .badExperimentID(let text): "Invalid experiment ID '\(text)'"
        case .unknownExperiment(let id): "No Experiment with id=\(id) exists"
        case .unknownExperimentName(let name): "Could not find experiment with name '\(name)'"
        case .experimentExists(let name): "Experiment(name=\(name)) already exists"
        case .experimentDeleted(let id):
            "The experiment \(id) must be in the 'active' state. Current state is deleted."
        case .renameOfDeleted: "Cannot rename a non-active experiment."
        case .unknownTag(let key): "No tag with name: \(key)"
        case .changedParameters(let changes, let run): Self.text(of: changes, run: run)
        case .invalid(let text, _), .search(let text): text
        case .artifactPath(let path) where path.utf8.count > ArtifactPath.lengthLimit:
            "Invalid path: it has more than \(ArtifactPath.lengthLimit) bytes"
        case .artifactPath(let path): "Invalid path: '\(path)'"
        case .unknownArtifact(let path): "No such artifact: '\(path)'"
        case .takenByAnother(let what, _): "\(what) is here already, and is not the one to be imported"
        case .unknownLoggedModel(let id): "Logged model with ID '\(id)' not found."
        case .artifactPinned(let path, let holder): "'\(path)' can not be changed: \(holder) is made of it"
        case .artifactsChanged(let location): "the files at '\(location)' changed while they were registered"
        case .damagedHistory(let key): "the stored history of the metric '\(key)' can not be read"
        case .unknownTrace(let id): "Trace with ID '\(id)' not found."
        case .unfinishedTrace(let id): "Trace with ID \(id) is not fully exported yet, please try again later."
        }
    }

    public var remedy: String? {
        switch self {
        case .unknownRun: "List them with 'modelworks runs'."
        case .badExperimentID: "Ids are whole numbers."
        case .runEnded, .changedParameters: "Start a new run."
        case .runDeleted, .experimentDeleted: "Restore it first."
        case .experimentExists: "Names of deleted experiments stay taken; restore it or choose another name."
        case .invalid(_, let remedy): remedy
        case .takenByAnother(_, let remedy): remedy
        case .artifactPinned: "Log it under another path, or delete the version first."
        case .artifactsChanged: "Register them again when they are complete."
        case .artifactPath: "A path is relative, has no '..' in it, and at most \(ArtifactPath.lengthLimit) bytes."
        case .damagedHistory: "Check the database with 'modelworks doctor', and restore it from a backup."
        default: nil
        }
    }

    private static func text(of changes: [ChangedParameter], run: String) -> String {
        if changes.count == 1, let change = changes.first {
            return "Changing param values is not allowed. Param with key='\(change.key)' was already logged with "
                + "value='\(change.old)' for run ID='\(run)'. Attempted logging new value '\(change.new)'."
        }
        let list = changes.map { "{'key': '\($0.key)', 'old_value': '\($0.old)', 'new_value': '\($0.new)'}" }
        return "Changing param values is not allowed. Params were already logged='[\(list.joined(separator: ", "))]' "
            + "for run ID='\(run)'."
    }
}
