import Foundation

/// Colours and weights for terminal text; plain text where nobody can see them or wants them.
struct Style: Sendable {
    /// Whether escape sequences are written at all.
    let isEnabled: Bool

    init(isEnabled: Bool) { self.isEnabled = isEnabled }

    /// On where `output` is a terminal that is not "dumb" and NO_COLOR (no-color.org) is absent or empty.
    init(for output: some TerminalOutput, environment: [String: String]) {
        let refused = !(environment["NO_COLOR"] ?? "").isEmpty || environment["TERM"] == "dumb"
        isEnabled = output.isTerminal && !refused
    }

    func bold(_ text: String) -> String { wrap(text, 1, 22) }
    func dim(_ text: String) -> String { wrap(text, 2, 22) }
    func red(_ text: String) -> String { wrap(text, 31, 39) }
    func green(_ text: String) -> String { wrap(text, 32, 39) }
    func yellow(_ text: String) -> String { wrap(text, 33, 39) }
    func blue(_ text: String) -> String { wrap(text, 34, 39) }
    func cyan(_ text: String) -> String { wrap(text, 36, 39) }

    private func wrap(_ text: String, _ on: Int, _ off: Int) -> String {
        isEnabled && !text.isEmpty ? "\u{1B}[\(on)m\(text)\u{1B}[\(off)m" : text
    }
}
