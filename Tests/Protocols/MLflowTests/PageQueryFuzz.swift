import Basics
import TestSupport
import Testing

@testable import MLflow

/// Questions of web pages that are none: each is refused, or chooses from any message.
@Suite struct PageQueryFuzz {
    private static let samples = [
        """
        query GetRun($data: MlflowGetRunInput!) @component(name: "a \\"b\\" ) {") {
          mlflowGetRun(input: $data) { apiError { code message } __typename run { info { runName startTime } 
            data { metrics { key value step } params { key, value } } experiment { tags { key } } } } }
        """, "{one(x:$y)}", "mutation A($a: B!) { two(input: $a) @c(d: [1]) { three { four } five } }",
    ]
    private static let pieces = [
        "{", "}", "(", ")", "$", "@", "\"", "\\", ":", "...", "input", "query ", "mutation ", "__typename", ",", "!",
        "[",
        "]", "{ a ", "#", "\u{0}", "é", "\u{FEFF}", "runs", "metrics { value }", "ǅ", "ß",
    ]
    private static let message: JSONValue = [
        "run": [
            "info": ["run_name": "n", "start_time": .integer(.max)],
            "data": ["metrics": [["key": "k", "value": "NaN", "step": 1]], "params": [["key": "a", "value": "b"]]],
        ], "runs": [["info": [:]], [[:]], .null, 1], "one": .null,
    ]
    private static let odd: [JSONValue] = [.null, "", 1, .number(0.5), true, [], [:], [[]], [["a": [1]]], "NaN"]

    private func depth(_ selection: PageQuery.Selection) -> Int {
        1 + (selection.selections.map(depth).max() ?? 0)
    }

    @Test func aQueryIsRefusedOrChooses() throws {
        let fuzzer = Fuzzer(pieces: Self.pieces)
        var (taken, refused) = (0, 0)
        for _ in fuzzer.rounds(atLeast: 8000) {
            let text = fuzzer.text(from: Self.samples)
            do {
                let query = try PageQuery(text)
                taken += 1
                #expect(!query.root.name.isEmpty && !query.variable.isEmpty)
                #expect(depth(query.root) <= 16, "seed \(fuzzer.seed): \(text.debugDescription)")
                let chosen = query.root.choose(from: fuzzer.mutated(Self.message, odd: Self.odd))
                _ = try JSON.canonical(chosen)
            } catch let failure as MLflowFailure {
                refused += 1
                #expect(failure.code == .invalidArgument)
            }
        }
        #expect(taken > 200 && refused > 200, "\(taken) taken, \(refused) refused")
    }
}
