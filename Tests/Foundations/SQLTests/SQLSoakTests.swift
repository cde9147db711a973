import Basics
import Engines
import Foundation
import SQL
import Synchronization
import TestSupport
import Testing

private let soaks = ProcessInfo.processInfo.environment["MODELWORKS_SOAK"] == "1"

/// Longer storms, and the rates of appends. Enabled by MODELWORKS_SOAK=1.
@Suite(.serialized, .enabled(if: soaks)) struct SQLSoakTests {
    private final class Tally: Sendable {
        let count = Atomic<Int>(0)
    }

    @Test(arguments: SQLEngine.allCases) func appendsPerSecond(_ engine: SQLEngine) async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await engine.database(in: folder)
        try await database.write {
            try $0.script(
                """
                CREATE TABLE entries (sequence INTEGER PRIMARY KEY, body TEXT NOT NULL);
                CREATE TABLE head (id INTEGER PRIMARY KEY, sequence INTEGER NOT NULL);
                """)
        }
        let body = String(repeating: "x", count: 300)
        var rates: [Int: Double] = [:]
        for writers in [1, 8, 64] {
            let tally = Tally()
            let start = SystemTime.monotonicNanoseconds
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<writers {
                    group.addTask {
                        while SystemTime.monotonicNanoseconds - start < 3_000_000_000 {
                            try? await database.write { transaction in
                                let head =
                                    try transaction.first("SELECT sequence FROM head WHERE id = 1")?
                                    .integer("sequence") ?? 0
                                try transaction.execute(
                                    "INSERT INTO entries (sequence, body) VALUES (?, ?)",
                                    [.integer(head + 1), .text(body)])
                                try transaction.execute(
                                    """
                                    INSERT INTO head (id, sequence) VALUES (1, ?)
                                    ON CONFLICT (id) DO UPDATE SET sequence = excluded.sequence
                                    """, [.integer(head + 1)])
                            }
                            tally.count.wrappingAdd(1, ordering: .relaxed)
                        }
                    }
                }
            }
            let seconds = Double(SystemTime.monotonicNanoseconds - start) * 1e-9
            rates[writers] = Double(tally.count.load(ordering: .relaxed)) / seconds
        }
        print(
            "\(engine): "
                + rates.sorted { $0.key < $1.key }.map { "\($0.key) writers \(Int($0.value))/s" }.joined(
                    separator: ", "))
    }
}
