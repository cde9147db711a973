import Basics
import Journal
import SQL
import Synchronization
import Telemetry

/// A durable queue of jobs in the database, shared by any number of processes.
///
/// Guarantees:
/// 1. A job is worked on under a lease with a token that only grows. Only the newest token of a job can change it, so
///    a late message of a worker that was given up does nothing.
/// 2. Final states are final.
/// 3. An effect that is handed to `finish` is committed with the state `succeeded`, so it happens exactly once however
///    often the work is done.
/// 4. What runs is what holds leases. Limits are computed from that in the transaction that gives the next lease, so
///    they are never exceeded and never leak.
/// 5. No lease depends on what a clock shows. A lease ends when one process has looked at it for its whole length and
///    seen no heartbeat; time passes for this only between two looks, at most one heartbeat at a time, and never
///    backwards. A clock that jumps therefore takes no lease away and keeps none alive. A delay before a retry is stored
///    with its length, and is begun anew where the clock shows that it would last longer than that.
public final class JobQueue: Sendable {
    let database: Database
    let time: any TimeSource
    let random: any RandomSource
    /// How leases are kept.
    public let leases: JobLeases
    let metrics: JobMetrics
    let observations = Mutex(LeaseObservations())

    /// - Parameters:
    ///   - database: one that the migrations of the journal and of the queue were applied to.
    ///   - time: dates jobs and measures delays.
    ///   - random: makes ids and spreads retries.
    ///   - metrics: where the queue's numbers are shown.
    /// - Throws: `JobFailure.settings` where a live worker could be taken for dead.
    public init(
        database: Database, time: any TimeSource, random: any RandomSource, leases: JobLeases = JobLeases(),
        metrics: MetricsRegistry = MetricsRegistry()
    ) throws {
        try leases.check()
        self.database = database
        self.time = time
        self.random = random
        self.leases = leases
        self.metrics = JobMetrics(metrics)
    }

    /// The present moment of the queue's clock.
    public var now: Timestamp { time.now }

    /// Stores a request as a job.
    /// - Parameter principal: who asks; recorded in the journal. Nil for work the factory gives itself.
    /// - Returns: the new job, or the one that has the request's idempotency key.
    /// - Throws: `JobFailure.request`, `keyTaken` or `quota`, or the `SQLFailure` of the database.
    @discardableResult
    public func submit(_ request: JobRequest, by principal: String? = nil) async throws -> Job {
        let (id, now) = (random.identifier(), time.now)
        return try await database.write {
            try JobQueue.submit(request, id: id, by: principal, at: now, in: $0)
        }
    }

    /// The same inside a change of the caller's: the job exists if and only if the change does.
    /// - Parameter id: of the new job; from `RandomSource.identifier()`, taken before the transaction.
    @discardableResult
    public static func submit(
        _ request: JobRequest, id: String, by principal: String? = nil, at now: Timestamp, in transaction: Transaction
    ) throws -> Job {
        let text = try request.checked()
        if let key = request.idempotencyKey,
            let row = try transaction.first(
                "SELECT \(Job.columns) FROM jobs WHERE idempotency_key = ?", [.text(key)])
        {
            let job = try Job(row)
            guard job.request.kind == request.kind else {
                throw JobFailure.keyTaken(key: key, kind: job.request.kind)
            }
            return job
        }
        try checkQuota(of: request.owner, in: transaction)
        let shape = try JSON.string(request.shape)
        let digest = Digest(of: shape).hex
        try transaction.execute(
            "INSERT INTO job_shapes (digest, shape) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING",
            [.text(digest), .text(shape)])
        try transaction.execute(
            """
            INSERT INTO jobs (id, sequence, idempotency_key, shape, owner, priority, request, state, attempts, failures,
                interruptions, not_before, created)
            VALUES (?, ?, ?, ?, ?, ?, ?, 'queued', 0, 0, 0, ?, ?)
            """,
            [
                .text(id), .integer(try next("sequence", in: transaction)), .init(request.idempotencyKey),
                .text(digest), .text(request.owner), .init(request.priority), .text(text), .init(request.notBefore),
                .init(now),
            ])
        if let principal {
            try note(
                "job.submitted", id, by: principal, ["kind": .string(request.kind), "owner": .string(request.owner)],
                at: now, in: transaction)
        }
        return try job(id, in: transaction)
    }

    /// - Throws: `JobFailure.unknownJob`.
    public func job(_ id: String) async throws -> Job { try await database.read { try JobQueue.job(id, in: $0) } }

    /// Ends a job: one that waits at once, one that runs as soon as its worker hears of it. A final job stays as it is.
    /// - Returns: the job as it is now.
    /// - Throws: `JobFailure.unknownJob`.
    @discardableResult
    public func cancel(_ id: String, by principal: String, reason: String = "") async throws -> Job {
        let now = time.now
        return try await database.write { transaction in
            let job = try JobQueue.job(id, in: transaction)
            guard !job.state.isFinal, job.cancelRequestedBy == nil else { return job }
            try transaction.execute(
                "UPDATE jobs SET cancel_by = ?, cancel_reason = ? WHERE id = ?",
                [.text(principal), .text(reason), .text(id)])
            if job.state == .queued {
                try JobQueue.end(
                    id, as: .cancelled, error: JobQueue.cancelled(by: principal, reason: reason), at: now,
                    in: transaction)
            }
            try JobQueue.note(
                "job.cancelled", id, by: principal,
                ["kind": .string(job.request.kind), "reason": .string(reason), "state": .string(job.state.rawValue)],
                at: now, in: transaction)
            return try JobQueue.job(id, in: transaction)
        }
    }

    /// Removes final jobs that ended long ago, with their attempts and idempotency keys.
    /// - Returns: how many jobs were removed.
    @discardableResult
    public func prune(endedBefore moment: Timestamp, limit: Int = 1000) async throws -> Int {
        try await database.write { transaction in
            let ids = try transaction.query(
                """
                SELECT id FROM jobs WHERE state IN ('succeeded', 'failed', 'cancelled') AND ended < ?
                ORDER BY ended, id LIMIT ?
                """, [.init(moment), .init(max(0, limit))]
            ).map { try $0.string("id") }
            for id in ids {
                try transaction.execute("DELETE FROM job_attempts WHERE job = ?", [.text(id)])
                try transaction.execute("DELETE FROM jobs WHERE id = ?", [.text(id)])
            }
            if !ids.isEmpty {
                try transaction.execute("DELETE FROM job_shapes WHERE digest NOT IN (SELECT shape FROM jobs)")
            }
            return ids.count
        }
    }
}

extension JobQueue {
    static func job(_ id: String, in transaction: Transaction) throws -> Job {
        guard
            let row = try transaction.first("SELECT \(Job.columns) FROM jobs WHERE id = ?", [.text(id)])
        else { throw JobFailure.unknownJob(id) }
        return try Job(row)
    }

    /// The next number of a series that never repeats.
    static func next(_ counter: String, in transaction: Transaction) throws -> Int64 {
        try transaction.execute(
            """
            INSERT INTO job_counters (name, value) VALUES (?, 1)
            ON CONFLICT (name) DO UPDATE SET value = job_counters.value + 1
            """, [.text(counter)])
        guard
            let row = try transaction.first("SELECT value FROM job_counters WHERE name = ?", [.text(counter)])
        else { return 1 }
        return try row.integer("value")
    }

    static func note(
        _ type: String, _ job: String, by principal: String, _ body: [String: JSONValue], at now: Timestamp,
        in transaction: Transaction
    ) throws {
        try Journal.append(
            JournalDraft(principal: principal, type: type, subject: "job/\(job)", body: .object(body)),
            in: transaction, at: now)
    }

    static func cancelled(by principal: String, reason: String) -> String {
        reason.isEmpty ? "cancelled by \(principal)" : "cancelled by \(principal): \(reason)"
    }

    /// Puts a job into its final state.
    static func end(
        _ id: String, as state: JobState, result: JSONValue? = nil, error: String? = nil, at now: Timestamp,
        in transaction: Transaction
    ) throws {
        try transaction.execute(
            """
            UPDATE jobs SET state = ?, result = ?, error = ?, ended = ?, token = NULL, worker = NULL, execution = NULL,
                retry_at = NULL, retry_delay = NULL
            WHERE id = ?
            """,
            [.text(state.rawValue), .init(try result.map { try JSON.string($0) }), .init(error), .init(now), .text(id)])
    }

    private static func checkQuota(of owner: String, in transaction: Transaction) throws {
        guard
            let limit = try transaction.first(
                "SELECT queued_max FROM job_limits WHERE scope = 'owner' AND name = ?", [.text(owner)]),
            let most = try limit.optionalInteger("queued_max"),
            let row = try transaction.first(
                "SELECT COUNT(*) AS waiting FROM jobs WHERE owner = ? AND state = 'queued'", [.text(owner)]),
            try row.integer("waiting") >= most
        else { return }
        throw JobFailure.quota(owner: owner, queuedMax: Int(clamping: most))
    }
}
