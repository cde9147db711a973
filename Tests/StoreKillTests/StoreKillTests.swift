import Foundation
import Storms
import Testing

private let environment = ProcessInfo.processInfo.environment

/// The stores to try: those that `MODELWORKS_STORMS` names, with commas between, or all.
private let kinds: [StormKind] =
    environment["MODELWORKS_STORMS"].map { $0.split(separator: ",").compactMap { StormKind(rawValue: String($0)) } }
    ?? StormKind.allCases

/// What a store acknowledged is there after a kill, once; what it did not is absent or whole.
@Suite(.serialized) struct StoreKillTests {
    @Test(.timeLimit(.minutes(5)), arguments: kinds)
    func whatWasAcknowledgedIsThere(_ kind: StormKind) async throws {
        try await StormTrial(
            kind: kind, runs: kind.killsServer ? 3 : 8, seed: StormTrial.seed
        ).run()
    }

    /// What the other tests say is worth something: a server that keeps nothing is caught.
    @Test(.timeLimit(.minutes(5))) func aStoreThatForgetsIsSeen() async throws {
        let totals = try await StormTrial(kind: .redisServer, runs: 1, seed: 1, isDurable: false).rage()
        #expect(totals.verdict.lost > 0)
    }
}

/// The same, many times: `MODELWORKS_KILLS`, or 500.
@Suite(.serialized, .enabled(if: environment["MODELWORKS_SOAK"] == "1", "make soak runs it"))
struct StoreKillSoak {
    @Test(.timeLimit(.minutes(30)), arguments: kinds)
    func whatWasAcknowledgedIsThere(_ kind: StormKind) async throws {
        let runs = environment["MODELWORKS_KILLS"].flatMap { Int($0) } ?? 500
        try await StormTrial(kind: kind, runs: runs, seed: StormTrial.seed).run()
    }
}
