import Basics
import SQL
import Synchronization

extension JobQueue {
    /// Reports how an attempt ended.
    ///
    /// A failure leads to another attempt after a delay, or to the final state `failed`. A job whose end was asked for
    /// ends as `cancelled` unless it succeeded.
    /// - Parameter effect: what the job is to change, made in the same transaction as the state `succeeded`, and not at
    ///   all for other outcomes or a stale attempt. It may be run again, so it must do nothing outside the transaction.
    ///   Where it throws, nothing is changed and the attempt goes on.
    public func finish(
        _ attempt: JobAttempt, _ outcome: JobOutcome,
        effect: @escaping @Sendable (Transaction) throws -> Void = { _ in }
    ) async throws -> JobVerdict {
        let (now, bits) = (time.now, random.next())
        let verdict = try await database.write { transaction -> JobVerdict in
            guard
                let row = try transaction.first(
                    "SELECT job FROM job_attempts WHERE token = ? AND state = 'running'", [.integer(attempt.token)])
            else { return .stale }
            let job = try JobQueue.job(try row.string("job"), in: transaction)
            let state = try JobQueue.settle(job, attempt.token, outcome, random: bits, at: now, in: transaction)
            if state == .succeeded { try effect(transaction) }
            return .recorded(state)
        }
        metrics.count(verdict)
        return verdict
    }

    /// Looks after the queue: gives up leases that are silent, mends delays after the clock went back, and updates the
    /// metrics. Every process calls this once per heartbeat; doing it more often or in several processes harms nothing.
    /// - Returns: the jobs whose lease was given up.
    @discardableResult
    public func maintain() async throws -> [String] {
        let now = time.now
        let running = try await database.read { transaction in
            try transaction.query("SELECT token, beat, lease FROM job_attempts WHERE state = 'running'").map {
                (token: try $0.integer("token"), beat: try $0.integer("beat"), lease: try $0.integer("lease"))
            }
        }
        let step = leases.heartbeatMicroseconds
        let silent = observations.withLock { $0.look(at: running, now: now, step: step) }
        var lost: [String] = []
        if !silent.isEmpty {
            let bits = random.next()
            lost = try await database.write { transaction in
                try silent.compactMap { lease in
                    try JobQueue.giveUp(lease.token, beat: lease.beat, random: bits, at: now, in: transaction)
                }
            }
            metrics.lost(lost.count)
        }
        try await mendDelays(at: now)
        try await measure(at: now)
        return lost
    }

    private func mendDelays(at now: Timestamp) async throws {
        // Written so that nothing can overflow: what is left of the delay against its whole length.
        let condition = "state = 'queued' AND retry_at IS NOT NULL AND retry_at - retry_delay > ?"
        let found = try await database.read { transaction in
            try transaction.first("SELECT id FROM jobs WHERE \(condition) LIMIT 1", [.init(now)]) != nil
        }
        guard found else { return }
        try await database.write { transaction in
            try transaction.execute(
                "UPDATE jobs SET retry_at = retry_delay + ? WHERE \(condition)", [.init(now), .init(now)])
        }
    }
}

extension JobQueue {
    /// Ends one attempt and says what becomes of its job.
    private static func settle(
        _ job: Job, _ token: Int64, _ outcome: JobOutcome, random bits: UInt64, at now: Timestamp,
        in transaction: Transaction
    ) throws -> JobState {
        func close(_ state: String, _ error: String?) throws {
            try transaction.execute(
                "UPDATE job_attempts SET state = ?, error = ?, ended = ? WHERE token = ?",
                [.text(state), .init(error), .init(now), .integer(token)])
        }
        switch outcome {
        case .succeeded(let result):
            try close("succeeded", nil)
            try end(job.id, as: .succeeded, result: result, at: now, in: transaction)
            return .succeeded
        case .cancelled(let reason):
            try close("cancelled", reason)
            try end(job.id, as: .cancelled, error: reason, at: now, in: transaction)
            return .cancelled
        case .failed(let reason, let retryable):
            try close("failed", reason)
            if let state = try endCancelled(job, at: now, in: transaction) { return state }
            let failures = job.failures + 1
            try transaction.execute("UPDATE jobs SET failures = ? WHERE id = ?", [.init(failures), .text(job.id)])
            let policy = job.request.retry
            guard retryable, failures < policy.attempts else {
                return try fail(job, reason, at: now, in: transaction)
            }
            let delay = policy.delayMicroseconds(afterFailures: failures, random: bits)
            try requeue(job.id, after: delay, keepExecution: false, error: reason, at: now, in: transaction)
            return .queued
        case .interrupted(let reason):
            try close("interrupted", reason)
            return try interrupt(job, reason, keepExecution: false, at: now, in: transaction)
        }
    }

    /// Takes a job from a worker that is silent, unless it was heard of meanwhile.
    private static func giveUp(
        _ token: Int64, beat: Int64, random bits: UInt64, at now: Timestamp, in transaction: Transaction
    ) throws -> String? {
        guard
            let row = try transaction.first(
                "SELECT job, worker FROM job_attempts WHERE token = ? AND beat = ? AND state = 'running'",
                [.integer(token), .integer(beat)])
        else { return nil }
        let job = try job(try row.string("job"), in: transaction)
        let reason = "its worker '\(try row.string("worker"))' was not heard of any more"
        try transaction.execute(
            "UPDATE job_attempts SET state = 'lost', error = ?, ended = ? WHERE token = ?",
            [.text(reason), .init(now), .integer(token)])
        _ = try interrupt(job, reason, keepExecution: true, at: now, in: transaction)
        return job.id
    }

    private static func interrupt(
        _ job: Job, _ reason: String, keepExecution: Bool, at now: Timestamp, in transaction: Transaction
    ) throws -> JobState {
        if let state = try endCancelled(job, at: now, in: transaction) { return state }
        let interruptions = job.interruptions + 1
        try transaction.execute(
            "UPDATE jobs SET interruptions = ? WHERE id = ?", [.init(interruptions), .text(job.id)])
        guard interruptions <= job.request.retry.interruptions else {
            return try fail(job, "\(reason), for the \(interruptions)th time", at: now, in: transaction)
        }
        try requeue(job.id, after: 0, keepExecution: keepExecution, error: reason, at: now, in: transaction)
        return .queued
    }

    private static func endCancelled(_ job: Job, at now: Timestamp, in transaction: Transaction) throws -> JobState? {
        guard let principal = job.cancelRequestedBy else { return nil }
        let row = try transaction.first("SELECT cancel_reason FROM jobs WHERE id = ?", [.text(job.id)])
        let reason = try row?.optionalString("cancel_reason") ?? ""
        try end(
            job.id, as: .cancelled, error: cancelled(by: principal, reason: reason), at: now, in: transaction)
        return .cancelled
    }

    private static func fail(
        _ job: Job, _ reason: String, at now: Timestamp, in transaction: Transaction
    ) throws -> JobState {
        try end(job.id, as: .failed, error: reason, at: now, in: transaction)
        try note(
            "job.failed", job.id, by: job.request.owner,
            [
                "kind": .string(job.request.kind), "error": .string(reason),
                "attempts": .integer(Int64(job.attempts)),
            ], at: now, in: transaction)
        return .failed
    }

    private static func requeue(
        _ id: String, after delay: Int64, keepExecution: Bool, error: String, at now: Timestamp,
        in transaction: Transaction
    ) throws {
        let (sum, overflow) = now.microseconds.addingReportingOverflow(delay)
        try transaction.execute(
            """
            UPDATE jobs SET state = 'queued', token = NULL, worker = NULL, retry_at = ?, retry_delay = ?, error = ?
            WHERE id = ?
            """, [.integer(overflow ? .max : sum), .integer(delay), .text(error), .text(id)])
        if !keepExecution { try transaction.execute("UPDATE jobs SET execution = NULL WHERE id = ?", [.text(id)]) }
    }
}
