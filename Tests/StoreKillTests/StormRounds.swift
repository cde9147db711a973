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
                    try wait(child, more: 1 + Int(random.next() % 8), than: 0, "run \(run)")
                }
                usleep(UInt32(random.next() % 20_000))
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
                try wait(child, more: 1 + Int(random.next() % 8), than: before, "round \(round)")
                usleep(UInt32(random.next() % 20_000))
                try place.killServer()
                // A survey of Redis is no snapshot: it wants a store at rest.
                if kind == .redisServer { try Self.stop(child) }
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

    private static func stop(_ child: EngineProcess) throws {
        child.signal(SIGSTOP)
        try waitUntil("the writers stand still") {
            let text = try String(contentsOfFile: "/proc/\(child.pid)/stat", encoding: .utf8)
            return text.split(separator: ")").last?.split(separator: " ").first == "T"
        }
    }

    private func look(finish: Bool) async throws -> StormSurvey {
        try await StormTrial.blocking { try place.settle() }
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

    /// Returns when a process has had so many acknowledgements: where the kill falls does not depend on the machine.
    private func wait(_ child: EngineProcess, more: Int, than before: Int, _ name: String) throws {
        try waitUntil("\(name) on \(kind): \(child.output.suffix(1000))", within: 60) {
            guard child.isRunning else { throw EngineUnavailable("\(name) on \(kind): \(child.output.suffix(1000))") }
            return child.output.split(separator: "\n").count { $0.hasPrefix("a ") } >= before + more
        }
    }
}
