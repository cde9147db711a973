import Basics

/// What can go wrong between raw data and dataset versions.
public enum DatasetsFailure: Failure {
    case unknown(kind: String, name: String, known: [String])
    case missingFile(String)
    case wrongHash(file: String, expected: Digest, found: Digest)
    case expectation(table: String, expectation: String, failing: Int, of: Int, example: String)
    /// A rule about the whole table that does not hold.
    case wholeExpectation(table: String, expectation: String, problem: String)
    /// A rule that can not be judged as it is written.
    case badExpectation(table: String, expectation: String, problem: String, remedy: String)
    /// A document that is no suite of Great Expectations.
    case badSuite(String)
    /// One file was named, and not one table.
    case fileOfManyTables
    case notIngested(table: String)

    public var code: FailureCode {
        switch self {
        case .unknown, .missingFile: .notFound
        case .wrongHash: .dataLoss
        case .badExpectation, .badSuite, .fileOfManyTables: .invalidArgument
        case .expectation, .wholeExpectation, .notIngested: .failedPrecondition
        }
    }

    public var message: String {
        switch self {
        case .unknown(let kind, let name, _): "there is no \(kind) '\(name)'"
        case .missingFile(let path): "the data file \(path) does not exist"
        case .wrongHash(let file, let expected, let found):
            "the content of \(file) is not the pinned one: expected \(expected.short)…, found \(found.short)…"
        case .expectation(let table, let name, let failing, let rows, let example):
            "\(failing) of \(rows) rows of \(table) fail the expectation '\(name)', first: \(example)"
        case .wholeExpectation(let table, let name, let problem):
            "\(table) fails the expectation '\(name)': \(problem)"
        case .badExpectation(let table, let name, let problem, _):
            "the expectation '\(name)' of \(table) can not be judged: \(problem)"
        case .badSuite(let problem): "the document is no suite of Great Expectations: \(problem)"
        case .fileOfManyTables: "a file was given for more tables than one"
        case .notIngested(let table): "the table '\(table)' has no dataset version yet"
        }
    }

    public var remedy: String? {
        switch self {
        case .unknown(_, _, let known): known.isEmpty ? nil : "Known: \(known.sorted().joined(separator: ", "))."
        case .missingFile: "Check 'path' in the table's definition and 'data' in works.yaml."
        case .wrongHash: "Fetch the file again, or change 'sha256' in the definition if the new content is intended."
        case .expectation:
            "Mend the data, or change the expectation's severity to quarantine if such rows can be left out."
        case .wholeExpectation: "Mend the data, or change the expectation or its severity."
        case .badExpectation(_, _, _, let remedy): remedy
        case .badSuite: "Give the JSON that Great Expectations saves a suite as."
        case .fileOfManyTables: "Name the table that the file is of."
        case .notIngested: "Run 'modelworks data ingest'."
        }
    }
}
