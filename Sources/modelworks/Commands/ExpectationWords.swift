import Basics
import Datasets
import Foundation

/// What `modelworks data` does about expectations.
enum ExpectationWords {
    static let options: [Usage.Option] = [
        .init(name: "file", value: "FILE", help: "validate: read this file in place of the table's own"),
        .init(name: "junit", value: "FILE", help: "validate: write the results as JUnit XML too"),
        .init(name: "table", value: "TABLE", help: "expectations import: the table that the suite is for"),
        .init(name: "reason", value: "NAME", help: "quarantine: only rows that this expectation left out"),
        .init(name: "limit", value: "N", help: "quarantine: how many rows (default 20)"),
    ]

    static var all: [Word] {
        [
            Word("validate") { try await validate($0, $1, $2) },
            Word("quarantine", needs: "TABLE") { try await quarantine($0, $1) },
            Word("expectations", needs: "import|export", "SUITE|TABLE") { try await expectations($0, $1, $2) },
        ]
    }

    private static let results = Listing(
        "/data/validate",
        [
            "expectation": "name", "severity": "severity", "holds": "success", "rows": "rows",
            "unexpected": "result.unexpected_count", "problem": "problem",
        ], empty: "No expectations.")

    private static let reasons = Listing(
        "/data", ["expectation": "expectation", "rows": "rows"], empty: "No row was left out.")

    private static func validate(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        struct Body: Encodable {
            var tables: [String]?
            var file: String?
        }
        let document = try await client.post(
            "/data/validate",
            Body(tables: arguments.positional(1).map { [$0] }, file: arguments.option("file").map(context.absolute)))
        let reports = try JSON.decode([ValidationReport].self, from: try JSON.canonical(document))
        if let path = arguments.option("junit") {
            try write(JUnitReport(reports).text, to: context.absolute(path))
        }
        let text = zip(reports, document.array ?? []).map { report, document in
            let heading = "\(report.table): \(report.verdict.rawValue), \(report.rows) rows"
            return heading + "\n" + results.text(document["results"] ?? .array([]))
        }.joined(separator: "\n\n")
        return Output(
            document: document, text: text.isEmpty ? "No tables are defined." : text,
            good: reports.allSatisfy(\.success))
    }

    private static func quarantine(_ arguments: Arguments, _ client: Client) async throws -> Output {
        let limit = try arguments.integer("limit", default: 20, in: 0...10_000)
        let document = try await client.get(
            "/data/\(Client.escape(arguments.required(1)))/quarantine",
            [("limit", "\(limit)"), ("reason", arguments.option("reason"))])
        let found = try JSON.decode(QuarantinedRows.self, from: try JSON.canonical(document))
        let rows = try found.rows.map { row in
            "row \(row.position): \(row.reasons.joined(separator: ", "))\n  \(try JSON.string(row.values))"
        }
        let heading = "\(found.quarantined) rows are left out of \(found.table)."
        return Output(
            document: document,
            text: ([heading] + (found.quarantined > 0 ? [reasons.text(document["reasons"] ?? .array([]))] : []) + rows)
                .joined(separator: "\n"))
    }

    private static func expectations(_ arguments: Arguments, _ client: Client, _ context: Context) async throws
        -> Output
    {
        switch arguments.required(1) {
        case "export":
            let document = try await client.get("/data/\(Client.escape(arguments.required(2)))/expectations")
            warn(document)
            return Output(document: document, text: try JSON.pretty(document["suite"] ?? .null))
        case "import":
            guard let table = arguments.option("table") else {
                throw UsageError("'modelworks data expectations import' needs --table TABLE")
            }
            let path = context.absolute(arguments.required(2))
            guard let data = FileManager.default.contents(atPath: path) else {
                throw CommandFailure(.notFound, "there is no file \(path)", remedy: "Name the JSON of a suite.")
            }
            let document = try await client.post(
                "/data/\(Client.escape(table))/expectations",
                ["suite": try JSON.decode(JSONValue.self, from: data)])
            warn(document)
            return Output(document: document, text: document["yaml"]?.string ?? "")
        case let word:
            throw UsageError(
                "'modelworks data expectations' knows no '\(word)'", remedy: "Use import SUITE.json or export TABLE.")
        }
    }

    /// Beside the text, which may be sent into a file.
    private static func warn(_ document: JSONValue) {
        for warning in document["warnings"]?.array?.compactMap(\.string) ?? [] {
            FileHandle.standardError.write(Data("modelworks: not taken over: \(warning)\n".utf8))
        }
    }

    private static func write(_ text: String, to path: String) throws {
        do {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw CommandFailure(
                .unavailable, "\(path) could not be written: \(error.localizedDescription)",
                remedy: "Check that its folder exists and may be written to.")
        }
    }
}
