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
    /// A folder or pattern under which there is no file to read.
    case noFiles(path: String, reason: String)
    case unreadable(path: String, reason: String)
    case changedWhileRead(path: String)
    case missingColumns(place: String, columns: [String], found: [String])
    case changedType(place: String, column: String, declared: String, found: String)
    case badHeader(file: String, reason: String)
    case empty(table: String, quarantined: Int64)
    case badReference(String)
    case noVersion(reference: String, known: [String])
    /// A table format asks for what is not read here.
    case unsupported(place: String, what: String, remedy: String)
    /// The log of a Delta or Iceberg table does not tell its state.
    case brokenLog(place: String, reason: String)
    case noMoment(place: String, wanted: String, known: String)
    case dvcMismatch(path: String, expected: String, found: String)
    case badDVC(path: String, reason: String)
    case unwritable(path: String, reason: String)

    public var code: FailureCode {
        switch self {
        case .unknown, .missingFile, .noFiles, .noVersion, .noMoment: .notFound
        case .wrongHash, .brokenLog, .dvcMismatch: .dataLoss
        case .expectation, .wholeExpectation, .notIngested, .missingColumns, .changedType, .empty, .unsupported:
            .failedPrecondition
        case .unreadable, .changedWhileRead, .unwritable: .unavailable
        case .badExpectation, .badSuite, .fileOfManyTables, .badHeader, .badReference, .badDVC: .invalidArgument
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
        case .noFiles(let path, let reason): "there is no file to read under \(path): \(reason)"
        case .unreadable(let path, let reason): "\(path) can not be read: \(reason)"
        case .changedWhileRead(let path): "the file \(path) changed while it was read"
        case .missingColumns(let place, let columns, _):
            "\(place) lacks the declared column\(columns.count == 1 ? "" : "s") \(columns.joined(separator: ", "))"
        case .changedType(let place, let column, let declared, let found):
            "the column '\(column)' of \(place) holds \(found) where \(declared) is declared"
        case .badHeader(let file, let reason): "the first line of \(file) names no columns: \(reason)"
        case .empty(let table, let quarantined):
            quarantined == 0
                ? "the source of the table '\(table)' has no rows"
                : "no row of the table '\(table)' is left: all \(quarantined) were put into quarantine"
        case .badReference(let text): "'\(text)' names no version of a table"
        case .noVersion(let reference, _): "there is no dataset version '\(reference)'"
        case .unsupported(let place, let what, _): "\(place) uses \(what), which is not read here"
        case .brokenLog(let place, let reason): "the log of \(place) does not tell its state: \(reason)"
        case .noMoment(let place, let wanted, _): "\(place) has no \(wanted)"
        case .dvcMismatch(let path, let expected, let found):
            "the content of \(path) is not what \(path).dvc says: expected md5 \(expected), found \(found)"
        case .badDVC(let path, let reason): "\(path) is no DVC file that can be used: \(reason)"
        case .unwritable(let path, let reason): "\(path) can not be written: \(reason)"
        }
    }

    public var remedy: String? {
        switch self {
        case .unknown(_, _, let known): known.isEmpty ? nil : "Known: \(known.sorted().joined(separator: ", "))."
        case .missingFile, .noFiles:
            "Check 'path' in the table's definition and 'data' in works.yaml."
        case .wrongHash: "Fetch the file again, or change 'sha256' in the definition if the new content is intended."
        case .expectation:
            "Mend the data, or change the expectation's severity to quarantine if such rows can be left out."
        case .wholeExpectation: "Mend the data, or change the expectation or its severity."
        case .badExpectation(_, _, _, let remedy): remedy
        case .badSuite: "Give the JSON that Great Expectations saves a suite as."
        case .fileOfManyTables: "Name the table that the file is of."
        case .notIngested: "Run 'modelworks data ingest'."
        case .unreadable, .unwritable: "Check that it exists, is whole, and that this user may use it."
        case .changedWhileRead:
            "Ingest again when nothing writes to it; write files under another name and rename them."
        case .missingColumns(_, _, let found):
            "Mend the source, or the columns of the definition. Found: \(found.joined(separator: ", "))."
        case .changedType: "Mend the source, or declare the type that it has now."
        case .badHeader: "A CSV file starts with a line of column names, in the delimiter that the definition says."
        case .empty: "Mend the source, or say 'may_be_empty: true' where a table without rows is right."
        case .badReference: "Write TABLE, TABLE@NUMBER or TABLE@DIGEST with at least 6 digits."
        case .noVersion(_, let known):
            known.isEmpty ? "Run 'modelworks data ingest'." : "Known: \(known.joined(separator: ", "))."
        case .unsupported(_, _, let remedy): remedy
        case .brokenLog: "Check that the table's folder is whole, or read a version whose files are there."
        case .noMoment(_, _, let known): "It has \(known)."
        case .dvcMismatch: "Run 'dvc checkout' or 'dvc pull', or 'modelworks data dvc add' if the change is intended."
        case .badDVC: "Write it anew with 'modelworks data dvc add PATH'."
        }
    }
}
