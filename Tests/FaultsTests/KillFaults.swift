import Foundation
import Testing

/// Nothing acknowledged is lost, nothing happens twice, and the answers do not change when the server is killed.
@Suite struct KillFaults {
    @Test("eight kills during a replay leave what an undisturbed replay leaves", .timeLimit(.minutes(5)))
    func eightKills() async throws {
        try await onThread("kill-faults") { try KillTrial(seed: KillTrial.seed, kills: 8).run() }
    }
}

/// The same at length.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["MODELWORKS_SOAK"] != nil, "make soak runs it"))
struct KillFaultsSoak {
    @Test("fifty kills during a replay leave what an undisturbed replay leaves", .timeLimit(.minutes(20)))
    func fiftyKills() async throws {
        try await onThread("kill-soak") { try KillTrial(seed: KillTrial.seed, kills: 50).run() }
    }
}
