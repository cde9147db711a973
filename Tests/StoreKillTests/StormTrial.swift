import Basics
import Engines
import Foundation
import Storms
import TestSupport
import Testing

/// Kills at random moments what is at work on a store, and checks the store after every kill.
struct StormTrial {
    let kind: StormKind
    let runs: Int
    let seed: UInt64
    /// Whether the server writes each change to the disk before it acknowledges it.
    var isDurable = true
    /// After so many kills a fresh store keeps the checks short.
    private static let runsPerStore = 10
    private static let writers = 4

    /// `MODELWORKS_SEED`, or 1.
    static var seed: UInt64 { UInt64(ProcessInfo.processInfo.environment["MODELWORKS_SEED"] ?? "") ?? 1 }

    /// What came of all kills together.
    struct Totals: Sendable {
        var kills = 0
        var acknowledged = 0
        var unknown = 0
        var refused = 0
        var effects = 0
        var verdict = StormLedger.Verdict()

        mutating func add(_ more: StormLedger.Verdict) {
            verdict.lost += more.lost
            verdict.doubled += more.doubled
            verdict.unasked += more.unasked
            verdict.words += more.words
        }

        mutating func add(_ ledger: StormLedger) {
            acknowledged += ledger.acknowledged.count
            unknown += ledger.unknown.count
            refused += ledger.refused.count
            effects += ledger.effects.count
        }
    }

    /// Fails the test where the store did not do what it must.
    func run() async throws {
        let totals = try await rage()
        let verdict = totals.verdict
        #expect(verdict.words.isEmpty, "\(kind), seed \(seed): \(verdict.words.joined(separator: "; "))")
        #expect(verdict.lost + verdict.doubled + verdict.unasked == 0)
        #expect(totals.acknowledged > runs, "\(kind): hardly anything was acknowledged")
        if !kind.killsServer { #expect(totals.refused + totals.unknown == 0, "\(kind) was there all the time") }
    }

    /// Kills, and ends early where something is wrong.
    func rage() async throws -> Totals {
        let program = try KafkaServer.program("storm", "MODELWORKS_STORM")
        let (kind, isDurable) = (kind, isDurable)
        let place = try await Self.blocking { try StormPlace(kind, isDurable: isDurable) }
        let random = SeededRandom(seed: seed ^ SplitMix.hash(kind.rawValue))
        let started = SystemTime.monotonicNanoseconds
        var totals = Totals()
        for (number, first) in stride(from: 0, to: runs, by: Self.runsPerStore).enumerated() {
            let store = try await place.store(number)
            let count = min(Self.runsPerStore, runs - first)
            let trial = StormRounds(kind: kind, program: program, place: place, store: store, random: random)
            let outcome =
                kind.killsServer
                ? try await trial.serverKills(count, writers: Self.writers)
                : try await trial.clientKills(count, writers: Self.writers)
            totals.kills += count
            totals.add(outcome.verdict)
            totals.add(outcome.ledger)
            if !outcome.verdict.words.isEmpty { break }
        }
        let seconds = Double(SystemTime.monotonicNanoseconds - started) / 1e9
        let verdict = totals.verdict
        print(
            "kill storm: \(kind), seed \(seed), kills \(totals.kills), acknowledged \(totals.acknowledged), "
                + "effects \(totals.effects), unknown \(totals.unknown), refused \(totals.refused), "
                + "lost \(verdict.lost), doubled \(verdict.doubled), unasked \(verdict.unasked), "
                + "faults \(verdict.words.count), seconds \(Int(seconds.rounded()))")
        return totals
    }

    /// Runs what blocks on a thread of its own.
    static func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await BlockingThread(name: "storm").run(body)
    }
}
