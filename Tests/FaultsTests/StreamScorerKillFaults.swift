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

/// The same at length: `MODELWORKS_KILLS`, or 100. On the cluster of tests a group needs a quarter of a minute to give away
/// the partitions of one that was killed, so there several storms rage beside each other.
@Suite(.serialized, .enabled(if: environment["MODELWORKS_SOAK"] == "1", "make soak runs it"))
struct StreamScorerKillSoak {
    @Test(.timeLimit(.minutes(60)), arguments: StreamEngine.allCases)
    func aHundredKills(_ engine: StreamEngine) async throws {
        let kills = environment["MODELWORKS_KILLS"].flatMap { Int($0) } ?? 100
        let share = 10
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (lane, first) in stride(from: 0, to: kills, by: share).enumerated() {
                // A fresh store after so many kills keeps the checks short.
                if lane >= (engine == .kafka ? 10 : 1) { try await group.next() }
                group.addTask {
                    try await ScorerStorm(
                        engine: engine, kills: min(share, kills - first), seed: ScorerStorm.seed + UInt64(lane)
                    ).run()
                }
            }
            try await group.waitForAll()
        }
    }
}
