import Basics
import Engines
import Experiments
import Foundation
import SQL
import TestSupport
import Testing

/// Searches give what a walk over all runs gives, by rules that are written down a second time here.
@Suite(.serialized) struct RunSearchTests {
    private struct Toy {
        var id = ""
        var started: Int64 = 0
        var metrics: [String: Double] = [:]
        var parameters: [String: String] = [:]
        var tags: [String: String] = [:]
        var isDeleted = false
    }

    private static let words = [
        "Tree", "tree", "linear", "a_b", "a%b", "", "x\\y", String(repeating: "long", count: 40),
    ]

    /// Draws runs with few values, so that many are equal and many are missing.
    private func fill(
        _ lab: Laboratory, _ random: SeededRandom, in experiment: Int64 = 0
    ) async throws -> [Toy] {
        func draw(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }
        var toys: [Toy] = []
        for index in 0..<60 {
            var toy = Toy()
            toy.started = Int64(draw(20))
            toy.id = try await lab.run(in: experiment, started: toy.started)
            for key in ["loss", "auc"] where draw(4) != 0 {
                toy.metrics[key] = draw(6) == 0 ? .nan : Double(draw(5)) / 4
            }
            for key in ["p", "q"] where draw(3) != 0 { toy.parameters[key] = Self.words[draw(Self.words.count)] }
            if draw(2) == 0 { toy.tags["t"] = "\(draw(3))" }
            try await lab.store.log(
                RunBatch(
                    metrics: toy.metrics.map {
                        MetricEntry(MetricPoint(key: $0.key, value: $0.value, step: 1, time: Timestamp(seconds: 1)))
                    }, parameters: toy.parameters.map { Pair(key: $0.key, value: $0.value) },
                    tags: toy.tags.map { Pair(key: $0.key, value: $0.value) }), to: toy.id)
            if index % 9 == 0 {
                try await lab.store.moveRun(toy.id, to: .deleted, by: "user:test")
                toy.isDeleted = true
            }
            toys.append(toy)
        }
        return toys
    }

    /// A filter as text and what it means.
    private func draw(_ random: SeededRandom) -> (text: String, holds: (Toy) -> Bool) {
        func draw(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }
        switch draw(4) {
        case 0:
            let key = ["loss", "auc"][draw(2)]
            let limit = Double(draw(6)) / 4 - 0.25
            let signs: [(String, (Double, Double) -> Bool)] = [
                (">", { $0 > $1 }), (">=", { $0 >= $1 }), ("<", { $0 < $1 }), ("<=", { $0 <= $1 }), ("=", { $0 == $1 }),
                ("!=", { $0 != $1 }),
            ]
            let (sign, compare) = signs[draw(signs.count)]
            return ("metrics.\(key) \(sign) \(limit)", { $0.metrics[key].map { compare($0, limit) } ?? false })
        case 1:
            let key = ["p", "q"][draw(2)]
            let word = Self.words[draw(Self.words.count)]
            return draw(2) == 0
                ? ("params.\(key) = '\(word)'", { $0.parameters[key] == word })
                : ("params.\(key) != '\(word)'", { $0.parameters[key].map { $0 != word } ?? false })
        case 2:
            let key = ["p", "q"][draw(2)]
            let pattern = ["T%", "%e", "a_b", "%\\%", "%", "_ree", "LIN%"][draw(7)]
            let anyCase = draw(2) == 0
            return (
                "params.\(key) \(anyCase ? "ILIKE" : "LIKE") '\(pattern)'",
                { $0.parameters[key].map { Self.like($0, pattern, anyCase: anyCase) } ?? false }
            )
        default:
            return draw(2) == 0
                ? ("tags.t IS NULL", { $0.tags["t"] == nil }) : ("tags.t IS NOT NULL", { $0.tags["t"] != nil })
        }
    }

    private static func like(_ text: String, _ pattern: String, anyCase: Bool) -> Bool {
        func match(_ text: Substring, _ pattern: Substring) -> Bool {
            guard let first = pattern.first else { return text.isEmpty }
            if first == "%" {
                return match(text, pattern.dropFirst()) || (!text.isEmpty && match(text.dropFirst(), pattern))
            }
            guard let letter = text.first else { return false }
            return (first == "_" || first == letter) && match(text.dropFirst(), pattern.dropFirst())
        }
        return anyCase
            ? match(Substring(text.lowercased()), Substring(pattern.lowercased()))
            : match(Substring(text), Substring(pattern))
    }

    @Test(arguments: SQLEngine.allCases)
    func searchesGiveWhatAWalkGives(_ engine: SQLEngine) async throws {
        let lab = try await Laboratory(engine)
        let random = SeededRandom(seed: 2026)
        let toys = try await fill(lab, random)
        var found = 0
        for _ in 0..<100 {
            let parts = (0..<Int(1 + random.next() % 3)).map { _ in draw(random) }
            let text = parts.map(\.text).joined(separator: " AND ")
            let wanted = toys.filter { toy in !toy.isDeleted && parts.allSatisfy { $0.holds(toy) } }
                .sorted { $0.started != $1.started ? $0.started > $1.started : $0.id < $1.id }
            // Whether clauses count as narrow or broad, or some of them, changes nothing.
            for narrowLimit in [1000, 0, 20] as [Int64] {
                let page = try await lab.find(text, narrowLimit: narrowLimit)
                #expect(page.items.map(\.info.id) == wanted.map(\.id), "\(text)")
            }
            found += wanted.count
        }
        #expect(found > 300)
        await lab.database.close()
    }

    private typealias Key = (text: String, rank: (Toy) -> (Int, Double))

    /// One to three keys of an order as text and how they rank runs: what is no number behind numbers, what is missing last.
    private func drawKeys(_ random: SeededRandom) -> [Key] {
        func rank(_ value: Double?, _ isAscending: Bool) -> (Int, Double) {
            value.map { $0.isNaN ? (1, 0) : (0, isAscending ? $0 : -$0) } ?? (2, 0)
        }
        var values: [(name: String, of: (Toy) -> Double?)] = [
            ("metrics.loss", { $0.metrics["loss"] }), ("metrics.auc", { $0.metrics["auc"] }),
            ("metrics.nowhere", { _ in nil }), ("tags.t", { $0.tags["t"].flatMap(Double.init) }),
            ("attributes.start_time", { Double($0.started) }),
        ]
        return (0...random.next() % 3).map { _ in
            let value = values.remove(at: Int(random.next() % UInt64(values.count)))
            let isAscending = random.next() % 2 == 0
            return ("\(value.name) \(isAscending ? "ASC" : "DESC")", { rank(value.of($0), isAscending) })
        }
    }

    @Test(arguments: SQLEngine.allCases)
    func ordersGiveWhatASortGives(_ engine: SQLEngine) async throws {
        let lab = try await Laboratory(engine)
        let random = SeededRandom(seed: 5)
        let other = try await lab.store.createExperiment(named: "other", location: nil, tags: [], by: "user:test")
        let (here, there) = (try await fill(lab, random), try await fill(lab, random, in: other))
        for round in 0..<80 {
            let keys = drawKeys(random)
            let filters = (0..<Int(random.next() % 3)).map { _ in draw(random) }
            let isWide = random.next() % 4 == 0
            let view = round % 3 == 0 ? StageView.all : .active
            let wanted = (isWide ? here + there : here)
                .filter { toy in (view == .all || !toy.isDeleted) && filters.allSatisfy { $0.holds(toy) } }
                .sorted { left, right in
                    for key in keys where key.rank(left) != key.rank(right) { return key.rank(left) < key.rank(right) }
                    return left.started != right.started ? left.started > right.started : left.id < right.id
                }
            for narrowLimit in [1000, 0] as [Int64] {
                var seen: [String] = []
                var offset: Int? = 0
                while let start = offset {
                    let page = try await lab.find(
                        filters.map(\.text).joined(separator: " AND "), order: keys.map(\.text), view: view, limit: 7,
                        offset: start, narrowLimit: narrowLimit, in: isWide ? [0, other] : [0])
                    #expect(page.items.count <= 7)
                    seen += page.items.map(\.info.id)
                    offset = page.next
                }
                #expect(seen == wanted.map(\.id), "\(filters.map(\.text)) \(keys.map(\.text))")
            }
        }
        #expect(try await lab.find("", view: .deleted).items.count == here.count { $0.isDeleted })
        #expect(try await lab.find("", view: .all).items.count == here.count)
        await lab.database.close()
    }
}
