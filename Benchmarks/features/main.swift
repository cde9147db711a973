import Foundation

/// Measurements of the feature store beside its peers, one word each.
let words: [String: @Sendable ([String]) async throws -> Void] = [
    "history": HistoryBench.run, "materialize": MaterializeBench.run, "online": OnlineBench.run, "read": ReadBench.run,
    "stream": StreamBench.run,
]

guard let word = CommandLine.arguments.dropFirst().first, let run = words[word] else {
    print("usage: bench-features \(words.keys.sorted().joined(separator: "|"))")
    exit(2)
}
try await run(Array(CommandLine.arguments.dropFirst(2)))
