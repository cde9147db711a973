import Basics
import Engines
import Foundation
import Journal
import SQL
import Synchronization
import TestSupport

/// Journal appends a second, each in a change of its own, acknowledged when it is on the disk.
struct JournalBench {
    let seconds: Double
    private let rounds = 3

    /// With 1, 8 and 64 writers at once.
    func appends(_ name: String, _ url: StoreURL) async throws -> [Figure] {
        let database = try await Database.open(url)
        try await database.migrate(Journal.migrations)
        let journal = Journal(database)
        var rates: [Int: [Double]] = [:]
        _ = try await rate(journal, writers: 64, seconds: min(seconds, 0.5))
        for _ in 0..<rounds {
            for writers in [1, 8, 64] {
                rates[writers, default: []].append(try await rate(journal, writers: writers, seconds: seconds))
            }
        }
        guard case .intact = try await journal.verify() else { throw EngineUnavailable("the journal of \(name) broke") }
        await database.close()
        let middle = rates.mapValues(median)
        let one = middle[1] ?? 0
        return [
            .plain("journal on \(name), 1 writer", "\(Figure.number(one)) appends/s"),
            .plain("journal on \(name), 8 writers", "\(Figure.number(middle[8] ?? 0)) appends/s"),
            .ratio(
                "journal on \(name), 64 writers to 1", middle[64] ?? 0, to: one, unit: "appends/s", limit: 8),
        ]
    }

    /// Recomputing the chain of a million entries.
    func verify(_ url: StoreURL, entries: Int = 1_000_000) async throws -> Figure {
        let database = try await Database.open(url)
        try await database.migrate(Journal.migrations)
        for start in stride(from: 0, to: entries, by: 10_000) {
            try await database.write { transaction in
                for index in start..<min(start + 10_000, entries) {
                    try Journal.append(draft(index), in: transaction, at: SystemTime().now)
                }
            }
        }
        var times: [Double] = []
        for _ in 0..<rounds {
            let begun = SystemTime.monotonicNanoseconds
            let result = try await Journal(database).verify()
            times.append(Double(SystemTime.monotonicNanoseconds - begun) / 1e9)
            guard case .intact(Int64(entries), _) = result else { throw EngineUnavailable("the journal is \(result)") }
        }
        await database.close()
        return .time("journal on SQLite, verify \(entries) entries", median(times), limit: 10)
    }

    private func rate(_ journal: Journal, writers: Int, seconds: Double) async throws -> Double {
        let begun = SystemTime.monotonicNanoseconds
        let end = begun + UInt64(seconds * 1e9)
        let count = try await withThrowingTaskGroup(of: Int.self) { group in
            for writer in 0..<writers {
                group.addTask {
                    var done = 0
                    while SystemTime.monotonicNanoseconds < end {
                        try await journal.append(draft(writer), at: SystemTime().now)
                        done += 1
                    }
                    return done
                }
            }
            return try await group.reduce(0, +)
        }
        return Double(count) * 1e9 / Double(SystemTime.monotonicNanoseconds - begun)
    }
}

private func draft(_ index: Int) -> JournalDraft {
    JournalDraft(
        principal: "user:mina", type: "model.version.promoted", subject: "model:\(index % 100)",
        body: ["version": .integer(Int64(index)), "from": "staging", "to": "production"])
}
