import Basics

/// What can go wrong between raw data and feature values.
public enum FeaturesFailure: Failure {
    case definition(String, remedy: String)
    case unknown(kind: String, name: String, known: [String])
    case missingFile(String)
    case wrongHash(file: String, expected: Digest, found: Digest)
    case expectation(table: String, expectation: String, failing: Int, of: Int, example: String)
    case badEvents(name: String, problem: String)
    case badView(view: String, problem: String)
    case notIngested(table: String)
    case leak(LeakFinding)

    public var code: FailureCode {
        switch self {
        case .definition, .badView, .badEvents: .invalidArgument
        case .unknown, .missingFile: .notFound
        case .wrongHash: .dataLoss
        case .expectation, .notIngested, .leak: .failedPrecondition
        }
    }

    public var message: String {
        switch self {
        case .definition(let problem, _): problem
        case .unknown(let kind, let name, _): "there is no \(kind) '\(name)'"
        case .missingFile(let path): "the data file \(path) does not exist"
        case .wrongHash(let file, let expected, let found):
            "the content of \(file) is not the pinned one: expected \(expected.short)…, found \(found.short)…"
        case .expectation(let table, let name, let failing, let rows, let example):
            "\(failing) of \(rows) rows of \(table) fail the expectation '\(name)', first: \(example)"
        case .badEvents(let name, let problem): "the event source '\(name)' can not be used: \(problem)"
        case .badView(let view, let problem): "the feature view '\(view)' can not be used: \(problem)"
        case .notIngested(let table): "the table '\(table)' has no dataset version yet"
        case .leak(let finding): "the feature view '\(finding.view)' sees the future: \(finding.explanation)"
        }
    }

    public var remedy: String? {
        switch self {
        case .definition(_, let remedy): remedy
        case .unknown(_, _, let known): known.isEmpty ? nil : "Known: \(known.sorted().joined(separator: ", "))."
        case .missingFile: "Check 'path' in the table's definition and 'data' in works.yaml."
        case .wrongHash: "Fetch the file again, or change 'sha256' in the definition if the new content is intended."
        case .expectation:
            "Mend the data, or change the expectation's severity to quarantine if such rows can be left out."
        case .badEvents, .badView: "Correct its definition and apply again."
        case .notIngested: "Run 'modelworks data ingest'."
        case .leak: "Let the view use only rows whose available_at is not after the row it publishes."
        }
    }
}
