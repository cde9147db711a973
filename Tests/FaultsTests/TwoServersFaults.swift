import Foundation
import Testing

/// Two servers share a factory: scheduled work is done once, and the death of one is nothing to the other.
@Suite struct TwoServersFaults {
    @Test("either of two servers is killed under load, and nothing is lost or done twice", .timeLimit(.minutes(5)))
    func kills() async throws {
        let engines = try await SharedEngines.only.engines()
        try await onThread("two-servers") {
            try TwoServersTrial(seed: KillTrial.seed, seconds: 6, on: engines).run()
        }
    }
}

/// The same at length, with stand-stills that are longer than a lease.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["MODELWORKS_SOAK"] != nil, "make soak runs it"))
struct TwoServersSoak {
    @Test("two minutes of kills and stand-stills of either server", .timeLimit(.minutes(10)))
    func killsAndFreezes() async throws {
        let engines = try await SharedEngines.only.engines()
        try await onThread("two-servers-soak") {
            try TwoServersTrial(seed: KillTrial.seed, seconds: 120, freeze: 15, on: engines).run()
        }
    }
}
