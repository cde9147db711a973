import Foundation
import Storms

/// What the processes of a storm said, and what must therefore be in the store.
struct StormLedger {
    private(set) var acknowledged: Set<StormItem> = []
    private(set) var refused: [StormItem: String] = [:]
    private(set) var unknown: Set<StormItem> = []
    private(set) var effects: Set<StormItem> = []
    /// The number that each writer of each process used last.
    private var last: [Writer: Int] = [:]

    private struct Writer: Hashable {
        let run: Int
        let writer: Int

        init(_ item: StormItem) { (run, writer) = (item.run, item.writer) }
    }

    /// What is wrong with a store.
    struct Verdict: Sendable {
        var lost = 0
        var doubled = 0
        /// Items that were refused, or that nobody was about to write.
        var unasked = 0
        var words: [String] = []
    }

    /// Takes in what a process printed; a last line without its end proves nothing.
    mutating func read(_ output: String) {
        for line in output.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            let words = line.split(separator: " ", maxSplits: 2)
            guard words.count > 1, let item = StormItem(words[1]) else { continue }
            switch words[0] {
            case "a": acknowledged.insert(item)
            case "f": refused[item] = words.count > 2 ? String(words[2]) : ""
            case "u": unknown.insert(item)
            case "e": effects.insert(item)
            default: continue
            }
            if words[0] != "e" { last[Writer(item)] = max(last[Writer(item)] ?? -1, item.number) }
        }
    }

    /// - Parameters:
    ///   - survey: what is in the store.
    ///   - later: what was known when the survey was over, where writers went on meanwhile.
    func judge(_ survey: StormSurvey, later: StormLedger? = nil) -> Verdict {
        var verdict = Verdict()
        let later = later ?? self
        let found = Set(survey.items)
        func note(_ items: some Collection<StormItem>, _ what: String) -> Int {
            if let first = items.min(by: { "\($0)" < "\($1)" }) {
                verdict.words.append("\(items.count) \(what), such as \(first)")
            }
            return items.count
        }
        verdict.lost = note(
            acknowledged.subtracting(found).filter { !survey.holds($0) }, "acknowledged items are lost")
        verdict.lost += note(effects.subtracting(survey.effects), "acknowledged effects are lost")
        verdict.doubled = note(Self.doubles(survey.items), "items are doubled")
        verdict.doubled += note(Self.doubles(survey.effects), "effects are doubled")
        verdict.unasked = note(found.filter { later.refused[$0] != nil }, "refused items are there")
        verdict.unasked += note(
            found.filter { $0.number > (later.last[Writer($0)] ?? -1) + 1 }, "items are there before their turn")
        verdict.unasked += note(Set(survey.effects).subtracting(found), "effects have no item")
        if survey.isOrdered {
            var highest: [Writer: Int] = [:]
            let late = survey.items.filter { item in
                defer { highest[Writer(item)] = item.number }
                return item.number < highest[Writer(item)] ?? 0
            }
            verdict.unasked += note(late, "items are out of order")
        }
        verdict.words += survey.faults
        return verdict
    }

    private static func doubles(_ items: [StormItem]) -> [StormItem] {
        var seen: Set<StormItem> = []
        return items.filter { !seen.insert($0).inserted }
    }
}
