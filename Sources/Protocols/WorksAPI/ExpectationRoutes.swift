import Basics
import Datasets
import Features
import HTTP
import Security

extension WorksAPI {
    /// Validation, quarantine, and suites of Great Expectations.
    func installExpectations(on router: Router) {
        // As an ingest it can read any file, so it takes the same right.
        router.post("\(Self.prefix)/data/validate", needs: .right(to: .define)) { request in
            struct Body: Decodable {
                var tables: [String]?
                var file: String?
            }
            let options = try body(Body.self, request)
            return try .json(try await services.features.validate(options.tables, file: options.file))
        }
        router.get("\(Self.prefix)/data/{table}/quarantine", needs: .right(to: .read, on: "table")) { request in
            try .json(
                try await services.features.datasets.quarantine(
                    of: try request.parameter("table"), version: request.query("version"),
                    reason: request.query("reason"), limit: try request.query("limit", as: Int.self) ?? 20))
        }
        router.get("\(Self.prefix)/data/{table}/expectations", needs: .right(to: .read, on: "table")) { request in
            struct Answer: Encodable {
                var suite: JSONValue
                var warnings: [String]
            }
            let table = try services.features.catalogue.table(try request.parameter("table"))
            let translation = GreatExpectationsSuite.exporting(table)
            return try .json(Answer(suite: translation.result.document, warnings: translation.warnings))
        }
        router.post("\(Self.prefix)/data/{table}/expectations", needs: .right(to: .read, on: "table")) { request in
            struct Body: Decodable { var suite: JSONValue }
            struct Answer: Encodable {
                var yaml: String
                var expectations: Int
                var warnings: [String]
            }
            let table = try services.features.catalogue.table(try request.parameter("table"))
            let suite = try GreatExpectationsSuite(try body(Body.self, request).suite)
            let translation = suite.expectations(for: table.columns, of: table.name)
            return try .json(
                Answer(
                    yaml: ExpectationYAML(translation.result).text, expectations: translation.result.count,
                    warnings: translation.warnings))
        }
    }
}
