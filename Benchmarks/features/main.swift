import Foundation

/// Measurements of the feature store beside its peers, one word each. `all [--quick]` runs them one after another, in
/// processes of their own; quick ones only tell that they work.
let benches: [(word: String, quick: [String]?, run: @Sendable ([String]) async throws -> Void)] = [
    ("materialize", ["--rows", "20000"], MaterializeBench.run),
    ("read", ["--entities", "2000", "--rounds", "1"], ReadBench.run),
    ("stream", ["--rate", "500", "--seconds", "1", "--history", "10000"], StreamBench.run),
    ("history", ["--entities", "2000", "--rows", "20000"], HistoryBench.run),
    ("online", nil, OnlineBench.run),
]

let words = Array(CommandLine.arguments.dropFirst())
if words.first == "all" {
    print(BenchRow.header)
    // Before the others write.
    fflush(nil)
    let isQuick = words.contains("--quick")
    var runs = benches.compactMap { bench in isQuick ? bench.quick.map { [bench.word] + $0 } : [bench.word] }
    if !isQuick { runs.insert(["materialize", "--redis"], at: 1) }
    for run in runs {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = run + [BenchRow.continued]
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { exit(1) }
    }
} else if let bench = benches.first(where: { $0.word == words.first }) {
    if !words.contains(BenchRow.continued), !words.contains("--part") { print(BenchRow.header) }
    try await bench.run(Array(words.dropFirst()))
} else {
    print("usage: bench-features all [--quick] | \(benches.map(\.word).joined(separator: " | "))")
    exit(2)
}
