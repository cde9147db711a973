import Basics
import Foundation

/// Expectations as YAML text, as a table's definition takes it.
public struct ExpectationYAML: Sendable {
    public let text: String

    /// - Returns: the key `expectations` and its list.
    public init(_ expectations: [Expectation]) {
        guard !expectations.isEmpty else {
            text = "expectations: []\n"
            return
        }
        text =
            "expectations:\n"
            + expectations.map { expectation in
                var lines = ["  - name: \(Flow.text(expectation.name).rendered)"]
                lines.append("    severity: \(expectation.severity.rawValue)")
                if let mostly = expectation.mostly { lines.append("    mostly: \(mostly)") }
                lines.append("    \(expectation.rule.key): \(expectation.rule.flow.rendered)")
                return lines.joined(separator: "\n") + "\n"
            }.joined()
    }
}

/// A value in YAML's flow style.
private indirect enum Flow {
    /// As it stands: a number, a word without any meaning of its own.
    case word(String)
    case text(String)
    case list([Flow])
    case map([(String, Flow)])

    static func texts(_ items: [String]) -> Flow { .list(items.map { .text($0) }) }

    var rendered: String {
        switch self {
        case .word(let word): word
        case .text(let text): Flow.isPlain(text) ? text : Flow.quoted(text)
        case .list(let items): "[" + items.map(\.rendered).joined(separator: ", ") + "]"
        case .map(let entries): "{" + entries.map { "\($0): \($1.rendered)" }.joined(separator: ", ") + "}"
        }
    }

    private static func isPlain(_ text: String) -> Bool {
        let reserved = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"]
        guard let first = text.utf8.first, !reserved.contains(text.lowercased()) else { return false }
        let letters = (65...90, 97...122)
        func isLetter(_ byte: UInt8) -> Bool { letters.0.contains(Int(byte)) || letters.1.contains(Int(byte)) }
        return isLetter(first) && text.utf8.allSatisfy { isLetter($0) || (48...57).contains($0) || $0 == 95 }
    }

    /// In double quotes, whose escapes are those of JSON.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            case _ where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || scalar.value == 0xFEFF:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

extension ExpectationLiteral {
    fileprivate var flow: Flow {
        switch self {
        case .integer(let value): .word("\(value)")
        case .number(let value): .word("\(value)")
        case .text(let value): .text(value)
        case .moment(let value): .text(value.description)
        case .truth(let value): .word("\(value)")
        }
    }
}

extension ExpectationBounds {
    fileprivate var entries: [(String, Flow)] {
        [
            minimum.map { ("min", $0.flow) }, maximum.map { ("max", $0.flow) },
            strictMinimum ? ("strict_min", .word("true")) : nil, strictMaximum ? ("strict_max", .word("true")) : nil,
        ].compactMap { $0 }
    }
}

extension Expectation.Rule {
    fileprivate var flow: Flow {
        func of(_ column: String, _ entries: [(String, Flow)]) -> Flow { .map([("column", .text(column))] + entries) }
        func strictly(_ strictly: Bool) -> [(String, Flow)] { strictly ? [("strictly", .word("true"))] : [] }
        func ignore(_ missing: Expectation.Missing) -> [(String, Flow)] {
            missing == .any ? [] : [("ignore", .text(missing.rawValue))]
        }
        switch self {
        case .notNull(let columns), .null(let columns): return .texts(columns)
        case .between(let column, let bounds), .length(let column, let bounds), .statistic(_, let column, let bounds):
            return of(column, bounds.entries)
        case .inSet(let column, let values), .notInSet(let column, let values):
            return of(column, [("values", .list(values.map(\.flow)))])
        case .matches(let column, let pattern), .notMatches(let column, let pattern):
            return of(column, [("pattern", .text(pattern))])
        case .unique(let columns, let nullsEqual):
            return nullsEqual ? .map([("columns", .texts(columns)), ("nulls", .text("equal"))]) : .texts(columns)
        case .increasing(let column, let strict), .decreasing(let column, let strict):
            return of(column, strictly(strict))
        case .compare(let left, let comparison, let right, let missing):
            return .map(
                [("left", .text(left)), ("op", .text(comparison.rawValue)), ("right", .text(right))] + ignore(missing))
        case .sumTo(let columns, let total, let missing):
            return .map([("columns", .texts(columns)), ("total", .word("\(total)"))] + ignore(missing))
        case .sql(let text), .query(let text): return .text(text)
        case .rowCount(let bounds): return .map(bounds.entries)
        case .columns(.exist(let names)): return .map([("exist", .texts(names))])
        case .columns(.set(let names)): return .map([("set", .texts(names))])
        case .columns(.ordered(let names)): return .map([("ordered", .texts(names))])
        case .types(let types):
            return .map(
                types.map { column in
                    (Flow.text(column.column).rendered, .texts(column.types.map(\.rawValue)))
                })
        case .nullFraction(let column, let maximum): return of(column, [("max", .word("\(maximum)"))])
        case .quantile(let column, let ranges, let nearest):
            func end(_ value: Double?) -> Flow { .word(value.map { "\($0)" } ?? "~") }
            let at = ranges.map { ("\($0.at)", Flow.list([end($0.minimum), end($0.maximum)])) }
            return of(column, [("at", .map(at))] + (nearest ? [("interpolation", .text("nearest"))] : []))
        case .freshness(let column, let seconds): return of(column, [("within", .word("\(seconds)s"))])
        case .distribution(let column, let reference, let measure, let maximum):
            let source: (String, Flow) =
                switch reference {
                case .version(let table, let digest): ("reference", .text("\(table)@\(digest ?? "latest")"))
                case .profile(let path): ("profile", .text(path))
                }
            return of(column, [source, (measure.rawValue, .word("\(maximum)"))])
        }
    }
}
