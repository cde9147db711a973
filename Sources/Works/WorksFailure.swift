import Basics
import Foundation
import WorksAPI

/// What can go wrong with a factory as a whole.
public enum WorksFailure: Failure {
    case rootInUse(root: String, pid: Int32?)
    case rootUnusable(root: String, reason: String)
    case brokenReference(file: String, problem: String, known: [String])
    case badFile(String, problem: String)
    case otherStore(String, named: String, running: String)
    case otherProcessDrives
    case appliedMeanwhile
    case wouldBreak(FactoryPlan.Impact)
    /// A model that is served has the name of an endpoint to be.
    case nameTaken(endpoint: String)
    case moveDiffers(part: String, reason: String)
    case nothingToMove(from: [String], to: [String])
    /// A store of the factory can not be opened, for a reason that its room tells.
    case storeUnusable(String, cause: any Failure)
    case storeSilent(String, at: String, seconds: Int)
    /// Processes of the factory work on a store that is to be moved.
    case storeBusy(String, processes: Int)

    /// A root that the system refuses.
    static func rootUnusable(root: String, _ error: any Error) -> WorksFailure {
        .rootUnusable(
            root: root,
            reason: (error as NSError).localizedDescription.trimmingCharacters(in: .punctuationCharacters))
    }

    public var code: FailureCode {
        switch self {
        case .rootInUse, .otherStore, .otherProcessDrives, .appliedMeanwhile: .failedPrecondition
        case .nothingToMove: .invalidArgument
        case .moveDiffers: .dataLoss
        case .rootUnusable: .unavailable
        case .storeUnusable(_, let cause): cause.code
        case .storeSilent: .deadlineExceeded
        case .storeBusy, .wouldBreak: .failedPrecondition
        case .brokenReference, .badFile, .nameTaken: .invalidArgument
        }
    }

    public var message: String {
        switch self {
        case .rootInUse(let root, let pid):
            "the root \(root) is in use by another modelworks" + (pid.map { " (process \($0))" } ?? "")
        case .rootUnusable(let root, let reason): "the root \(root) can not be used: \(reason)"
        case .brokenReference(let file, let problem, _): "\(file): \(problem)"
        case .badFile(let path, let problem): "\(path): \(problem)"
        case .wouldBreak(let impact):
            "the feature service '\(impact.service)' would break \(impact.consumers.joined(separator: ", ")): "
                + impact.explanation
        case .nameTaken(let name): "the endpoint '\(name)' has the name of a model that is served"
        case .otherStore(let store, let named, let running):
            "works.yaml names \(named) as its '\(store)' store, and this factory runs on \(running)"
        case .moveDiffers(let part, let reason): "\(part) is not the same on both sides: \(reason)"
        case .nothingToMove(let from, let to):
            "there is nothing to move from \(from.joined(separator: ", ")) to \(to.joined(separator: ", "))"
        case .storeUnusable(let store, let cause): "the '\(store)' store can not be used: \(cause.message)"
        case .storeSilent(let store, let address, let seconds):
            "the '\(store)' store at \(address) gave no answer within \(seconds) s"
        case .storeBusy(let store, let processes):
            "\(processes == 1 ? "a process works" : "\(processes) processes work") on the factory at \(store)"
        case .otherProcessDrives: "another process drives this factory's clock"
        case .appliedMeanwhile: "other definitions were applied at the same time, and these were not"
        }
    }

    public var remedy: String? {
        switch self {
        case .rootInUse: "Stop that process, or choose another root with --root."
        case .rootUnusable: "Choose a folder you may write to with --root, and check the free space of its disk."
        case .brokenReference(_, _, let known):
            known.isEmpty ? nil : "Defined: \(known.sorted().joined(separator: ", "))."
        case .badFile: nil
        case .wouldBreak:
            "Give the changed definition another name and train on it first, archive those versions, or apply with "
                + "--allow-breaking."
        case .nameTaken: "Rename the endpoint, or the model in the models folder and start again."
        case .otherStore:
            "Move what is stored with 'modelworks migrate', then start with 'modelworks up DIRECTORY'."
        case .moveDiffers: "Make sure that nothing works on either side, then run it again."
        case .nothingToMove: "Name two different stores of one kind."
        case .storeUnusable(_, let cause): cause.remedy
        case .storeSilent: "Check that the server runs and is not overloaded, and that no firewall lies between."
        case .storeBusy:
            "Stop every modelworks that uses it, then run it again; one that died counts for 10 s."
        case .appliedMeanwhile: "Look at what 'modelworks plan' says now, then apply again."
        case .otherProcessDrives: "Send the request to that process, or stop it."
        }
    }
}
