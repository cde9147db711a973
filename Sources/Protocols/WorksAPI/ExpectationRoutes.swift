import Basics
import Datasets
import Features
import HTTP
import Security

extension WorksAPI {
    /// Validation, quarantine, and suites of Great Expectations.
    func installExpectations(on router: Router) {
        // As an ingest it can read any file, so it takes the same right.
        router.post(
            "\(Self.prefix)/data/validate", needs: .right(to: .define),
            about: .init(
                "Checks rows against the expectations of their tables", body: .json(ValidateBody.self),
                answer: .json([ValidationReport].self))
        ) { request in
            let options = try body(ValidateBody.self, request)
            return try .json(try await services.features.validate(options.tables, file: options.file))
        }
        router.get(
            "\(Self.prefix)/data/{table}/quarantine", needs: .right(to: .read, on: "table"),
            about: .init(
                "Shows rows that were kept out, with the reasons",
                query: [
                    .optional("version", "of the table"),
                    .optional("reason", "only rows kept out for it"),
                    .optional("limit", "rows at most", Int.self),
                ], answer: .json(QuarantinedRows.self))
        ) { request in
            try .json(
                try await services.features.datasets.quarantine(
                    of: try request.parameter("table"), version: request.query("version"),
                    reason: request.query("reason"), limit: try request.query("limit", as: Int.self) ?? 20))
        }
        router.get(
            "\(Self.prefix)/data/{table}/expectations", needs: .right(to: .read, on: "table"),
            about: .init(
                "Exports the expectations of a table as a suite of Great Expectations",
                answer: .json(SuiteDocument.self))
        ) { request in
            let table = try services.features.catalogue.table(try request.parameter("table"))
            let translation = GreatExpectationsSuite.exporting(table)
            return try .json(SuiteDocument(suite: translation.result.document, warnings: translation.warnings))
        }
        router.post(
            "\(Self.prefix)/data/{table}/expectations", needs: .right(to: .read, on: "table"),
            about: .init(
                "Translates a suite of Great Expectations for a table", body: .json(SuiteBody.self),
                answer: .json(SuiteTranslation.self))
        ) { request in
            let table = try services.features.catalogue.table(try request.parameter("table"))
            let suite = try GreatExpectationsSuite(try body(SuiteBody.self, request).suite)
            let translation = suite.expectations(for: table.columns, of: table.name)
            return try .json(
                SuiteTranslation(
                    yaml: ExpectationYAML(translation.result).text, expectations: translation.result.count,
                    warnings: translation.warnings))
        }
    }
}

private struct ValidateBody: Codable {
    var tables: [String]?
    var file: String?
}

private struct SuiteDocument: Codable {
    var suite: JSONValue
    var warnings: [String]
}

private struct SuiteBody: Codable { var suite: JSONValue }

private struct SuiteTranslation: Codable {
    var yaml: String
    var expectations: Int
    var warnings: [String]
}
