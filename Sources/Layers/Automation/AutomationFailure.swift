import Basics

/// What can go wrong in the control loop.
public enum AutomationFailure: Failure {
    case rolloutUnderWay(endpoint: String, candidate: String)
    /// A stored run of a pipeline came to a step without what an earlier step should have left.
    case incompleteRun(String, step: PipelineRun.Step, missing: String)
    case clockGoesBack(now: Timestamp, asked: Timestamp)
    case clockIsSystem
    case nothingToPromote(endpoint: String)
    case notSplit(endpoint: String)
    case isSplit(endpoint: String)
    case gatesRefused(candidate: String, verdicts: [String])

    public var code: FailureCode {
        switch self {
        case .rolloutUnderWay, .clockIsSystem, .gatesRefused, .nothingToPromote, .notSplit, .isSplit:
            .failedPrecondition
        case .incompleteRun: .dataLoss
        case .clockGoesBack: .invalidArgument
        }
    }

    public var message: String {
        switch self {
        case .rolloutUnderWay(let endpoint, let candidate): "\(candidate) is already being rolled out on '\(endpoint)'"
        case .incompleteRun(let id, let step, let missing):
            "the stored pipeline run '\(id)' came to its step '\(step.rawValue)' without a \(missing)"
        case .clockGoesBack(let now, let asked): "the clock is at \(now) and can not go back to \(asked)"
        case .clockIsSystem: "this factory runs on the system's clock"
        case .nothingToPromote(let endpoint): "no rollout is under way on '\(endpoint)'"
        case .notSplit(let endpoint): "the traffic of '\(endpoint)' is not split"
        case .isSplit(let endpoint): "the traffic of '\(endpoint)' is split"
        case .gatesRefused(let candidate, let verdicts):
            "the gates refuse \(candidate): \(verdicts.joined(separator: "; "))"
        }
    }

    public var remedy: String? {
        switch self {
        case .rolloutUnderWay(let endpoint, _): "Wait for it, or take it back with 'modelworks rollback \(endpoint)'."
        case .incompleteRun: "Wait for the next alert, which starts the pipeline anew; this run can not go on."
        case .clockGoesBack: "Advance to a later time."
        case .clockIsSystem: "Set 'clock: replay' in works.yaml to drive it yourself."
        case .nothingToPromote(let endpoint):
            "Start one with 'modelworks deploy \(endpoint) MODEL/VERSION --canary', or deploy without it."
        case .notSplit(let endpoint): "Split it with 'modelworks traffic split \(endpoint) --arms VERSION=SHARE,...'."
        case .isSplit(let endpoint): "End that with 'modelworks traffic split \(endpoint) --off'."
        case .gatesRefused: "Look at the run's metrics; improve the model, or change the gates in its training."
        }
    }
}
