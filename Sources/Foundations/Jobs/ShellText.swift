/// Texts for a POSIX shell.
enum ShellText {
    /// One word, whatever it holds.
    static func quoted(_ text: String) -> String {
        "'" + text.replacing("'", with: #"'\''"#) + "'"
    }

    /// A line that runs a command in its folder and ends it after its time limit with exit code 124, as `timeout` does.
    static func line(_ spec: JobSpec) -> String {
        var words: [String] = []
        if let seconds = spec.limits.timeSeconds { words += ["timeout", "-k", "10", "\(max(1, seconds))"] }
        if spec.limits.nice > 0 { words += ["nice", "-n", "\(min(19, spec.limits.nice))"] }
        words += ([spec.command] + spec.arguments).map(quoted)
        let command = words.joined(separator: " ")
        guard let folder = spec.workingDirectory else { return command }
        return "cd \(quoted(folder)) && \(command)"
    }

    /// The exit code by which `timeout` says that the limit was reached.
    static let timedOut = 124
}
