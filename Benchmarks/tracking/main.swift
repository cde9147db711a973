import Foundation

/// Measurements of tracking beside a real `mlflow server`, one word each. `all [--quick]` runs them one after another, in
/// processes of their own; quick ones only tell that they work.
///
/// Ours is `MODELWORKS_BINARY` (a release build), MLflow is in `MODELWORKS_MLFLOW` (by default `.deps/mlflow`); `--alone` leaves it out.
let benches: [(words: [String], quick: [String], run: @Sendable (Words) throws -> Void)] = [
    (["start"], ["start", "--alone"], StartBench.run),
    (["calls"], ["calls", "--seconds", "0.1", "--alone"], CallsBench.run),
    (["search"], ["search", "--runs", "300", "--alone"], SearchBench.run),
    (["search", "--runs", "100000"], [], SearchBench.run),
    (["history"], ["history", "--points", "20000", "--alone"], HistoryBench.run),
    (["artifacts"], ["artifacts", "--megabytes", "10"], ArtifactBench.run),
]

/// The words of a command line.
struct Words {
    let all: [String]

    /// Says that another has written the header.
    static let continued = "--continued"

    /// Whether MLflow is measured too.
    var withPeer: Bool { !all.contains("--alone") }

    func number(_ name: String, _ standard: Double) -> Double {
        all.firstIndex(of: name).flatMap { $0 + 1 < all.count ? Double(all[$0 + 1]) : nil } ?? standard
    }
}

let words = Array(CommandLine.arguments.dropFirst())
if words.first == "all" {
    print(TrackingRow.header)
    fflush(nil)
    let isQuick = words.contains("--quick")
    for bench in benches {
        let run = isQuick ? bench.quick : bench.words
        guard !run.isEmpty else { continue }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = run + [Words.continued]
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { exit(1) }
    }
} else if let bench = benches.first(where: { $0.words.first == words.first }) {
    if !words.contains(Words.continued) { print(TrackingRow.header) }
    try bench.run(Words(all: words))
} else {
    print(
        "usage: bench-tracking all [--quick] | \(Set(benches.compactMap(\.words.first)).sorted().joined(separator: " | "))"
    )
    exit(2)
}
