import Foundation
import Testing

/// Engines go away under a running server and come back: predictions go on where they can, and all else by itself.
@Suite struct EngineOutageFaults {
    @Test("each engine goes away for 3 s under load", .timeLimit(.minutes(5)))
    func brief() async throws {
        let engines = try await SharedEngines.only.engines()
        try await onThread("outages") {
            try EngineOutageTrial(EngineOutageTrial.Outage.brief, seed: KillTrial.seed, seconds: 3, on: engines).run()
        }
    }
}

/// The same at length.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["MODELWORKS_SOAK"] != nil, "make soak runs it"))
struct EngineOutageSoak {
    @Test("each engine goes away for 10 s under load", .timeLimit(.minutes(10)))
    func long() async throws {
        let engines = try await SharedEngines.only.engines()
        try await onThread("outage-soak") {
            try EngineOutageTrial(EngineOutageTrial.Outage.allCases, seed: KillTrial.seed, seconds: 10, on: engines)
                .run()
        }
    }
}
