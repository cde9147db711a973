import Basics

/// Validation reports as JUnit XML, the form that CI systems show.
///
/// A table is a suite and an expectation a case. A broken one of severity `stop` is a failure; one of severity `warn` or
/// `quarantine` passes and says what it found in `system-out`, for it stops nothing.
public struct JUnitReport: Sendable {
    public let text: String

    public init(_ reports: [ValidationReport]) {
        let tests = reports.reduce(0) { $0 + $1.results.count }
        let failures = reports.reduce(0) { $0 + Self.stops($1).count }
        var lines = [
            #"<?xml version="1.0" encoding="UTF-8"?>"#,
            #"<testsuites name="data" tests="\#(tests)" failures="\#(failures)" errors="0">"#,
        ]
        for report in reports {
            // The schema of JUnit takes no zone.
            let moment = report.validated.description.prefix(19)
            lines.append(
                #"  <testsuite name="\#(Self.escape("data.\(report.table)"))" tests="\#(report.results.count)" "#
                    + #"failures="\#(Self.stops(report).count)" errors="0" skipped="0" time="0" timestamp="\#(moment)">"#
            )
            for result in report.results { lines += Self.testCase(result, report.table) }
            lines.append("  </testsuite>")
        }
        lines.append("</testsuites>\n")
        text = lines.joined(separator: "\n")
    }

    private static func stops(_ report: ValidationReport) -> [ExpectationResult] {
        report.results.filter { !$0.success && $0.severity == .stop }
    }

    private static func testCase(_ result: ExpectationResult, _ table: String) -> [String] {
        let start =
            #"    <testcase classname="\#(escape("data.\(table)"))" name="\#(escape(result.name))" time="0""#
        guard let problem = result.problem else { return [start + "/>"] }
        let detail = ([problem] + [result.example].compactMap { $0 }).joined(separator: "\n")
        guard !result.success, result.severity == .stop else {
            return [
                start + ">", "      <system-out>\(escape("\(result.severity.rawValue): \(detail)"))</system-out>",
                "    </testcase>",
            ]
        }
        return [
            start + ">",
            #"      <failure message="\#(escape(problem))" type="\#(escape(result.rule))">\#(escape(detail))</failure>"#,
            "    </testcase>",
        ]
    }

    /// A text as it may stand in XML 1.0, in an attribute too; characters that XML has no way to write become U+FFFD.
    public static func escape(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&apos;"
            case "\t", "\n", "\r": result += "&#\(scalar.value);"
            case _ where scalar.value < 0x20 || scalar.value == 0xFFFE || scalar.value == 0xFFFF: result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
