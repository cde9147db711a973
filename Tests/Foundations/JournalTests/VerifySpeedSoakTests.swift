import Basics
import Engines
import Foundation
import Sealing
import TestSupport
import Testing

@testable import Journal

/// A million entries, with the checkpoints a year would leave. In a release build it takes less than 10 s on two cores.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["MODELWORKS_SOAK"] == "1"))
struct VerifySpeedSoakTests {
    @Test(arguments: SQLEngine.allCases) func aMillionEntriesAreVerifiedInTime(engine: SQLEngine) async throws {
        let fixture = try await Fixture(engine)
        let anchor = FileAnchor(path: fixture.folder("anchor.jsonl"))
        let checkpointer = try Checkpointer(
            fixture.journal, keys: SigningKeyring(try signer()),
            options: JournalOptions(signingKeyFile: "", anchor: anchor), time: SystemTime())
        for _ in 0..<1000 {
            try await fixture.fill(1000)
            try await checkpointer.checkpoint()
        }
        for _ in 0..<3 {
            let start = SystemTime.monotonicNanoseconds
            let report = try await fixture.journal.verify(anchor: anchor, keys: checkpointer.keys)
            let seconds = Double(SystemTime.monotonicNanoseconds - start) / 1e9
            print("\(engine): \(report.entries) entries and \(report.checkpoints) checkpoints verified in \(seconds) s")
            #expect(report.isIntact && report.entries == 1_000_000 && report.unanchored == 0)
            #if !DEBUG
                #expect(seconds < 10)
            #endif
        }
    }
}
