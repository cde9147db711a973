import Basics
import SQL

extension JobQueue {
    /// Sets how much of something may run or wait at once. It holds from the next claim on; what runs goes on.
    /// - Throws: `JobFailure.settings` for a negative number or one that has no meaning.
    public func setLimit(_ limit: JobLimit) async throws {
        let what = "the limit of \(limit.scope.rawValue) '\(limit.name)'"
        guard !limit.name.isEmpty, limit.runningMax.map({ $0 >= 0 }) ?? true, limit.queuedMax.map({ $0 >= 0 }) ?? true
        else {
            throw JobFailure.settings(
                what, reason: "a limit has a name and is 0 or more", remedy: "Leave it out for no limit")
        }
        guard limit.queuedMax == nil || limit.scope == .owner else {
            throw JobFailure.settings(
                what, reason: "only owners have a limit of waiting jobs", remedy: "Set it for the owner")
        }
        try await database.write { transaction in
            try transaction.execute(
                """
                INSERT INTO job_limits (scope, name, running_max, queued_max) VALUES (?, ?, ?, ?)
                ON CONFLICT (scope, name) DO UPDATE
                SET running_max = excluded.running_max, queued_max = excluded.queued_max
                """,
                [.text(limit.scope.rawValue), .text(limit.name), .init(limit.runningMax), .init(limit.queuedMax)])
        }
    }

    /// Takes a limit away.
    public func removeLimit(_ scope: JobLimit.Scope, _ name: String) async throws {
        try await database.write { transaction in
            try transaction.execute(
                "DELETE FROM job_limits WHERE scope = ? AND name = ?", [.text(scope.rawValue), .text(name)])
        }
    }

    /// Every limit, by scope and name.
    public func limits() async throws -> [JobLimit] { try await database.read { try JobQueue.limits(in: $0) } }

    static func limits(in transaction: Transaction) throws -> [JobLimit] {
        try transaction.query("SELECT scope, name, running_max, queued_max FROM job_limits ORDER BY scope, name")
            .compactMap { row in
                guard let scope = JobLimit.Scope(rawValue: try row.string("scope")) else { return nil }
                return JobLimit(
                    scope, try row.string("name"), runningMax: try row.optionalInteger("running_max").map(clamped),
                    queuedMax: try row.optionalInteger("queued_max").map(clamped))
            }
    }

    private static func clamped(_ number: Int64) -> Int { Int(clamping: number) }

    /// The workers that are known, with the time each was last heard of.
    public func workers() async throws -> [(worker: JobWorker, seen: Timestamp)] {
        try await database.read { try JobQueue.workers(in: $0) }
    }

    static func workers(in transaction: Transaction) throws -> [(worker: JobWorker, seen: Timestamp)] {
        try transaction.query("SELECT worker, seen FROM job_workers ORDER BY name").map { row in
            (try JSON.decode(JobWorker.self, from: try row.string("worker")), try row.timestamp("seen"))
        }
    }
}
