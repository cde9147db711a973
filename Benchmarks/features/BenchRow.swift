import Foundation

/// One line of the table that a note can take over, in Markdown.
struct BenchRow {
    /// What was measured.
    let what: String
    var ours: String
    var peer = ""
    var ratio = ""
    /// p50 and p99.
    var latency = ""
    var memory = ""

    /// Says that another has written ``header``.
    static let continued = "--continued"
    static let header = """
        | measured | ours | peer | ratio | p50 / p99 | memory | command |
        |---|---|---|---|---|---|---|
        """

    /// Prints the line, with the command that measured it.
    func show() {
        let words = CommandLine.arguments.dropFirst().filter { $0 != Self.continued }
        let cells = [what, ours, peer, ratio, latency, memory, "`bench-features \(words.joined(separator: " "))`"]
        print("| \(cells.joined(separator: " | ")) |")
    }

    /// A number with so many places after the point.
    static func number(_ value: Double, _ places: Int = 2) -> String { String(format: "%.\(places)f", value) }
}
