import Foundation

/// One line of the table that a note can take over, in Markdown: ours, MLflow's, and what was promised.
struct TrackingRow {
    static let header = """
        | measured | ours | MLflow | ratio | target | |
        |---|---|---|---|---|---|
        """

    /// What has to hold.
    enum Target {
        /// So many times faster than MLflow.
        case times(Double)
        /// Ours below a limit, whose unit is that of the figure.
        case below(Double, String)
        /// At most so many times what the peer takes.
        case within(Double, of: String)
        case none
    }

    let what: String
    /// What a lower figure of is better: seconds, bytes.
    var ours: Double
    var peer: Double?
    var target: Target = .none
    /// How a figure is written.
    var format: (Double) -> String = Format.time
    var note = ""

    /// Prints the line.
    func show() {
        let ratio = peer.map { $0 / max(ours, 1e-12) }
        var wanted = ""
        var holds: Bool?
        switch target {
        case .times(let least):
            wanted = "at least \(Int(least)) times"
            holds = ratio.map { $0 >= least }
        case .below(let limit, let text):
            wanted = "below \(text)"
            holds = ours < limit
        case .within(let most, let name):
            wanted = "at most \(most) times \(name)"
            holds = peer.map { ours <= $0 * most }
        case .none: break
        }
        let verdict = holds.map { $0 ? "holds" : "MISSED" } ?? ""
        let cells = [
            what, format(ours) + (note.isEmpty ? "" : " (\(note))"), peer.map(format) ?? "",
            ratio.map { String(format: $0 < 10 ? "%.2f" : "%.0f", $0) } ?? "", wanted, verdict,
        ]
        print("| \(cells.joined(separator: " | ")) |")
        fflush(nil)
    }
}

/// How figures are written.
enum Format {
    static func time(_ seconds: Double) -> String {
        seconds < 0.001
            ? String(format: "%.0f us", seconds * 1e6)
            : seconds < 1 ? String(format: "%.2f ms", seconds * 1e3) : String(format: "%.2f s", seconds)
    }

    /// Seconds a call as calls a second.
    static func rate(_ seconds: Double) -> String { String(format: "%.0f/s", 1 / seconds) }

    static func bytes(_ bytes: Double) -> String { String(format: "%.1f MB", bytes / 1e6) }
}
