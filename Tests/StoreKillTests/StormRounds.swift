import Basics
import Engines
import Foundation
import Storms
import TestSupport

/// Some kills over one store.
struct StormRounds: Sendable {
    let kind: StormKind
    let program: String
    let place: StormPlace
    let store: StormPlace.Store
    let random: SeededRandom

    struct Outcome {
        var ledger = StormLedger()
        var verdict = StormLedger.Verdict()
    }

    /// One process after another writes and is killed: mostly among its writes, sometimes before it has begun.
    func clientKills(_ count: Int, writers: Int) async throws -> Outcome {
        var outcome = Outcome()
        for run in 0..<count {
            let output = try await StormTrial.blocking {
                let child = try start(run, writers: writers)
                if random.next() % 8 != 0 {
                    try waitUntil("run \(run) on \(kind) writes: \(child.output.suffix(1000))", within: 60) {
                        guard child.isRunning else { throw EngineUnavailable("\(kind): \(child.output.suffix(1000))") }
                        return child.output.contains("\na ")
                    }
                }
                usleep(UInt32(random.next() % 40_000))
                child.signal(SIGKILL)
                child.end()
                return child.output
            }
            outcome.ledger.read(output)
            let survey = try await look(finish: run == count - 1)
            outcome.verdict = outcome.ledger.judge(survey)
            for (item, why) in outcome.ledger.refused { outcome.verdict.words.append("\(item) was refused: \(why)") }
            guard outcome.verdict.words.isEmpty else { return outcome }
        }
        return outcome
    }

    /// One process writes all the time while its server is killed and started again.
    func serverKills(_ count: Int, writers: Int) async throws -> Outcome {
        var outcome = Outcome()
        let child = try await StormTrial.blocking { try start(0, writers: writers) }
        for round in 0..<count {
            let before = outcome.ledger.acknowledged.count
            try await StormTrial.blocking {
                try waitUntil("writes go on after \(round) kills: \(child.output.suffix(1000))", within: 60) {
                    guard child.isRunning else { throw EngineUnavailable("\(kind): \(child.output.suffix(1000))") }
                    return Self.acknowledged(child.output) > before
                }
                usleep(UInt32(random.next() % 40_000))
                try place.killServer()
                // A survey of Redis is no snapshot: it wants a store at rest.
                if kind == .redisServer { child.signal(SIGSTOP) }
            }
            outcome.ledger.read(child.output)
            let survey = try await look(finish: false)
            var later = outcome.ledger
            later.read(child.output)
            outcome.verdict = outcome.ledger.judge(survey, later: later)
            child.signal(SIGCONT)
            guard outcome.verdict.words.isEmpty else { break }
        }
        try await StormTrial.blocking {
            child.signal(SIGKILL)
            child.end()
        }
        return outcome
    }

    private func start(_ run: Int, writers: Int) throws -> EngineProcess {
        let words = ["nice", "-n", "5", program, kind.rawValue, store.folder.path, "\(run)", "\(writers)"]
        return try EngineProcess(
            "storm\(run)", words + (store.address.map { [$0] } ?? []), environment: store.environment,
            folder: store.folder.path)
    }

    private func look(finish: Bool) async throws -> StormSurvey {
        let opened = try await kind.open(store.url, folder: store.folder.path)
        do {
            if finish { try await opened.finish() }
            let survey = try await opened.survey()
            await opened.close()
            return survey
        } catch {
            await opened.close()
            throw error
        }
    }

    private static func acknowledged(_ output: String) -> Int {
        var ledger = StormLedger()
        ledger.read(output)
        return ledger.acknowledged.count
    }
}
