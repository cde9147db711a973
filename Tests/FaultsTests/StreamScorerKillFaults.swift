import Engines
import Foundation
import Testing

private let environment = ProcessInfo.processInfo.environment

/// Each acknowledged event has one record among answers and dead letters, however often the scorer is killed.
@Suite(.serialized) struct StreamScorerKillFaults {
    @Test(.timeLimit(.minutes(5))) func fiveKillsOnTheLocalLog() async throws {
        try await ScorerStorm(engine: .log, kills: 5, seed: ScorerStorm.seed).run()
    }
}

/// The same at length: `MODELWORKS_KILLS`, or 100.
@Suite(.serialized, .enabled(if: environment["MODELWORKS_SOAK"] == "1", "make soak runs it"))
struct StreamScorerKillSoak {
    @Test(.timeLimit(.minutes(60)), arguments: StreamEngine.allCases)
    func aHundredKills(_ engine: StreamEngine) async throws {
        let kills = environment["MODELWORKS_KILLS"].flatMap { Int($0) } ?? 100
        try await ScorerStorm(engine: engine, kills: kills, seed: ScorerStorm.seed).run()
    }
}
