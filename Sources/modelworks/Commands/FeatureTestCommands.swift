import Basics
import Features
import Foundation
import WorksAPI

/// The word of `features` that runs the tests beside the definitions.
enum FeatureTestCommands {
    static let options: [Usage.Option] = [
        .init(name: "only", value: "NAME,…", help: "test: only these tests"),
        .init(name: "junit", value: "FILE", help: "test: write the result as JUnit XML"),
        .init(name: "min-coverage", value: "SHARE", help: "test: fail where less of the features is asserted, 0 to 1"),
    ]

    static let words = [
        Word("test") { arguments, client, context in
            struct Body: Encodable {
                var root: String
                var files: [String: String]
                var names: [String]?
            }
            let wanted = try arguments.option("min-coverage").map { text in
                guard let share = Double(text), (0...1).contains(share) else {
                    throw UsageError("'--min-coverage' must be from 0 to 1, and is '\(text)'")
                }
                return share
            }
            let files = try FactoryDirectoryReader.read(context.absolute(arguments.positional(1) ?? "."))
            let names = arguments.option("only").map { $0.split(separator: ",").map(String.init) }
            let document = try await client.post(
                "/features/test", Body(root: files.root, files: files.files, names: names))
            let report = try JSON.decode(FeatureTestReport.self, from: try JSON.canonical(document))
            if let path = arguments.option("junit") {
                try report.junit.write(toFile: context.absolute(path), atomically: true, encoding: .utf8)
            }
            return Output(
                document: document, text: text(report),
                good: report.passed && report.coverage.share >= (wanted ?? 0))
        }
    ]

    private static func text(_ report: FeatureTestReport) -> String {
        var lines: [String] = []
        for test in report.tests {
            lines.append(
                "\(test.problems.isEmpty ? "passed" : "FAILED")  \(test.name) (\(test.target), \(test.values) values)")
            lines += test.problems.map { "        \($0)" }
        }
        lines.append("")
        for view in report.coverage.views {
            let asserted = "\(view.features - view.missing.count) of \(view.features)"
            let missing = view.missing.isEmpty ? "" : "; not: \(view.missing.joined(separator: ", "))"
            lines.append("\(view.kind) \(view.name): \(asserted) features asserted\(missing)")
        }
        let failed = report.tests.count { !$0.problems.isEmpty }
        let share = Int((report.coverage.share * 100).rounded())
        lines.append(
            "\(report.tests.count) tests, \(failed) failed; \(report.coverage.asserted) of \(report.coverage.features) "
                + "features asserted (\(share) %).")
        return lines.joined(separator: "\n")
    }
}
