import Basics
import Foundation

/// Wrong use of the command line: exit code 2.
struct UsageError: Failure {
    let code = FailureCode.invalidArgument
    let message: String
    let remedy: String?

    init(_ message: String, remedy: String? = nil) {
        self.message = message
        self.remedy = remedy
    }
}

/// What a verb takes, told once: the parser and the help both read it.
struct Usage: Sendable {
    var name: String
    var summary: String
    /// Positional arguments, such as `ENDPOINT`; in brackets where they may be left out, `[WORD...]` for any number.
    var positionals: [String] = []
    var options: [Option] = []
    var example: String

    struct Option: Sendable {
        var name: String
        /// The value's name, or nil for a flag.
        var value: String?
        var help: String
    }

    static let common = [
        Option(name: "root", value: "DIR", help: "the factory's state (default: ./.modelworks, or MODELWORKS_ROOT)"),
        Option(name: "url", value: "URL", help: "a running server, in place of a root (or MODELWORKS_URL)"),
        Option(name: "token-file", value: "FILE", help: "holds the token for the server (or MODELWORKS_TOKEN itself)"),
        Option(name: "json", value: nil, help: "print JSON"),
        Option(name: "help", value: nil, help: "show this"),
    ]

    /// Whether the last positional argument stands for any number of them.
    var takesMore: Bool { positionals.last?.hasSuffix("...]") == true }

    var allOptions: [Option] { options + Usage.common }

    var help: String {
        let synopsis = ["modelworks", name] + positionals + (options.isEmpty ? [] : ["[options]"])
        let width = (allOptions.map { label($0).count }.max() ?? 0) + 2
        let lines = allOptions.map { option in
            let label = label(option)
            return "  \(label)\(String(repeating: " ", count: width - label.count))\(option.help)"
        }
        return """
            \(summary)

            Usage: \(synopsis.joined(separator: " "))

            Options:
            \(lines.joined(separator: "\n"))

            Example:
              \(example)
            """
    }

    private func label(_ option: Option) -> String {
        option.value.map { "--\(option.name) \($0)" } ?? "--\(option.name)"
    }
}

/// Arguments read by a ``Usage``.
struct Arguments: Sendable {
    private(set) var positionals: [String] = []
    private var values: [String: [String]] = [:]

    init(_ words: some Sequence<String>, for usage: Usage) throws {
        var rest = Array(words)[...]
        var optionsOver = false
        while let word = rest.popFirst() {
            guard word.hasPrefix("--"), !optionsOver else {
                positionals.append(word)
                continue
            }
            if word == "--" {
                optionsOver = true
                continue
            }
            let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts.first ?? "")
            guard let option = usage.allOptions.first(where: { $0.name == name }) else {
                throw UsageError(
                    "'modelworks \(usage.name)' has no option '--\(name)'",
                    remedy: "See 'modelworks \(usage.name) --help'.")
            }
            if option.value == nil {
                guard parts.count == 1 else { throw UsageError("'--\(name)' takes no value") }
                values[name] = ["true"]
            } else if parts.count == 2, let value = parts.last {
                values[name, default: []].append(String(value))
            } else if let value = rest.popFirst() {
                values[name, default: []].append(value)
            } else {
                throw UsageError("'--\(name)' needs a value", remedy: "See 'modelworks \(usage.name) --help'.")
            }
        }
        let needed = usage.positionals.filter { !$0.hasPrefix("[") }.count
        if !flag("help"), positionals.count < needed {
            throw UsageError(
                "'modelworks \(usage.name)' needs \(usage.positionals[positionals.count])",
                remedy: "Usage: modelworks \(usage.name) \(usage.positionals.joined(separator: " ")).")
        }
        if positionals.count > usage.positionals.count, !usage.takesMore, let extra = positionals.last {
            throw UsageError("'\(extra)' is one argument too many", remedy: "See 'modelworks \(usage.name) --help'.")
        }
    }

    func flag(_ name: String) -> Bool { values[name] != nil }

    /// The value of an option; the last where it was given several times.
    func option(_ name: String) -> String? { values[name]?.last }

    /// Every value of an option that may be given several times.
    func all(_ name: String) -> [String] { values[name] ?? [] }

    /// An option whose value is a list with commas.
    func list(_ name: String) -> [String]? {
        option(name).map { $0.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) } }
    }

    func positional(_ index: Int) -> String? { positionals.indices.contains(index) ? positionals[index] : nil }

    func required(_ index: Int) -> String { positional(index) ?? "" }

    func integer(_ name: String, default value: Int, in range: ClosedRange<Int>) throws -> Int {
        guard let text = option(name) else { return value }
        guard let number = Int(text), range.contains(number) else {
            throw UsageError("'--\(name)' must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}
