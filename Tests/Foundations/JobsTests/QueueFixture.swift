import Basics
import Engines
import Foundation
import Journal
import SQL
import Synchronization
import Telemetry
import TestSupport

@testable import Jobs

/// A clock that tests move, backwards too.
final class JumpingTime: TimeSource {
    private let moment: Mutex<Timestamp>

    init(_ start: Timestamp = Timestamp(seconds: 1_700_000_000)) { moment = Mutex(start) }

    var now: Timestamp { moment.withLock { $0 } }

    func move(bySeconds seconds: Double) {
        moment.withLock { $0 = Timestamp(microseconds: $0.microseconds + Int64(seconds * 1e6)) }
    }
}

/// A queue in a database of its own.
struct QueueFixture {
    let folder: TemporaryFolder
    let database: Database
    let time: JumpingTime
    let metrics = MetricsRegistry()
    let queue: JobQueue

    init(_ engine: SQLEngine, leases: JobLeases = JobLeases(heartbeatSeconds: 1, missedMax: 4)) async throws {
        folder = try TemporaryFolder()
        time = JumpingTime()
        database = try await engine.database(in: folder, time: time)
        try await database.migrate(Journal.migrations + JobQueue.migrations)
        queue = try JobQueue(
            database: database, time: time, random: SeededRandom(seed: 7), leases: leases, metrics: metrics)
    }

    /// A second process on the same database.
    func another() throws -> JobQueue {
        try JobQueue(database: database, time: time, random: SeededRandom(seed: 11), leases: queue.leases)
    }

    /// Lets time pass as a process sees it that looks at the leases once per heartbeat.
    @discardableResult
    func pass(_ heartbeats: Int, seenBy queue: JobQueue) async throws -> [String] {
        var lost: [String] = []
        for _ in 0..<heartbeats {
            time.move(bySeconds: self.queue.leases.heartbeatSeconds)
            lost += try await queue.maintain()
        }
        return lost
    }
}

extension JobWorker {
    static func named(_ name: String, slots: Int = 4, tokens: [String: Int] = [:]) -> JobWorker {
        JobWorker(name: name, capacity: JobCapacity(slots: slots, tokens: tokens))
    }
}
