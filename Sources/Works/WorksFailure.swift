import Basics

/// What can go wrong with a factory as a whole.
public enum WorksFailure: Failure {
    case rootInUse(root: String, pid: Int32?)
    case rootUnusable(root: String, reason: String)
    case brokenReference(file: String, problem: String, known: [String])
    case badFile(String, problem: String)
    case otherStore(String, named: String, running: String)
    case otherProcessDrives(holder: String)

    public var code: FailureCode {
        switch self {
        case .rootInUse, .otherStore, .otherProcessDrives: .failedPrecondition
        case .rootUnusable: .unavailable
        case .brokenReference, .badFile: .invalidArgument
        }
    }

    public var message: String {
        switch self {
        case .rootInUse(let root, let pid):
            "the root \(root) is in use by another modelworks" + (pid.map { " (process \($0))" } ?? "")
        case .rootUnusable(let root, let reason): "the root \(root) can not be used: \(reason)"
        case .brokenReference(let file, let problem, _): "\(file): \(problem)"
        case .badFile(let path, let problem): "\(path): \(problem)"
        case .otherStore(let store, let named, let running):
            "works.yaml names \(named) as its '\(store)' store, and this factory runs on \(running)"
        case .otherProcessDrives(let holder): "another process drives this factory's clock: \(holder)"
        }
    }

    public var remedy: String? {
        switch self {
        case .rootInUse: "Stop that process, or choose another root with --root."
        case .rootUnusable: "Choose a folder you may write to with --root, and check the free space of its disk."
        case .brokenReference(_, _, let known):
            known.isEmpty ? nil : "Defined: \(known.sorted().joined(separator: ", "))."
        case .badFile: nil
        case .otherStore:
            "Move what is stored with 'modelworks migrate', then start with 'modelworks up DIRECTORY'."
        case .otherProcessDrives: "Send the request to that process, or stop it."
        }
    }
}
