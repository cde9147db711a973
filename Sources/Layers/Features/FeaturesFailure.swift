import Basics

/// What can go wrong between dataset versions and feature values.
public enum FeaturesFailure: Failure {
    case definition(String, remedy: String)
    case unknown(kind: String, name: String, known: [String])
    case badEvents(name: String, problem: String)
    case badView(view: String, problem: String)
    case leak(LeakFinding)
    /// What a caller sent can not be used.
    case request(String, remedy: String?)
    /// Another engine that was to compute a history.
    case offlineEngine(String, remedy: String)

    public var code: FailureCode {
        switch self {
        case .definition, .badView, .badEvents, .request: .invalidArgument
        case .unknown: .notFound
        case .leak: .failedPrecondition
        case .offlineEngine: .unavailable
        }
    }

    public var message: String {
        switch self {
        case .definition(let problem, _), .request(let problem, _), .offlineEngine(let problem, _): problem
        case .unknown(let kind, let name, _): "there is no \(kind) '\(name)'"
        case .badEvents(let name, let problem): "the event source '\(name)' can not be used: \(problem)"
        case .badView(let view, let problem): "the feature view '\(view)' can not be used: \(problem)"
        case .leak(let finding): "the feature view '\(finding.view)' sees the future: \(finding.explanation)"
        }
    }

    public var remedy: String? {
        switch self {
        case .definition(_, let remedy), .offlineEngine(_, let remedy): remedy
        case .request(_, let remedy): remedy
        case .unknown(_, let name, let known):
            known.isEmpty
                ? nil
                : (NearestWord.of(name, among: known).map { "Did you mean '\($0)'? " } ?? "")
                    + "Known: \(known.sorted().joined(separator: ", "))."
        case .badEvents, .badView: "Correct its definition and apply again."
        case .leak: "Let the view use only rows whose available_at is not after the row it publishes."
        }
    }
}
