import Basics

/// What can go wrong between dataset versions and feature values.
public enum FeaturesFailure: Failure {
    case definition(String, remedy: String)
    case unknown(kind: String, name: String, known: [String])
    case badEvents(name: String, problem: String)
    case badView(view: String, problem: String)
    case leak(LeakFinding)
    /// A history whose values are distributed otherwise than its reference, of a view that blocks such.
    case drifted(DriftFinding)
    /// A view whose source data is too old, and which says that this is a failure.
    case stale(StaleView)
    case notProfiled(view: String)
    /// What a caller sent can not be used.
    case request(String, remedy: String?)
    /// Another engine that was to compute a history.
    case offlineEngine(String, remedy: String)

    public var code: FailureCode {
        switch self {
        case .definition, .badView, .badEvents, .request: .invalidArgument
        case .unknown, .notProfiled: .notFound
        case .leak, .drifted, .stale: .failedPrecondition
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
        case .drifted(let finding):
            "the new history of the feature view '\(finding.view)' is blocked: the population stability index of "
                + "'\(finding.feature)' is \((finding.psi * 1000).rounded() / 1000), and may be \(finding.bound)"
        case .stale(let view): view.warning
        case .notProfiled(let view): "there is no profile of the feature view '\(view)' yet"
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
        case .drifted(let finding):
            "See 'modelworks features profile \(finding.view)'. Mend the source, or take the new distribution as the "
                + "reference with 'modelworks features accept \(finding.view)'."
        case .stale: "Ingest newer data, or change 'freshness' in the view's definition."
        case .notProfiled: "Run 'modelworks features build' once there is new data."
        case .leak: "Let the view use only rows whose available_at is not after the row it publishes."
        }
    }
}
