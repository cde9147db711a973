import Basics
import SQL

extension JobQueue {
    /// Seconds a job that fits an empty worker waits for room before smaller jobs behind it are held back for it.
    static let reserveAfterSeconds = 60.0

    /// Takes the next jobs that may run on a worker: by priority, then by age, as far as limits and room allow.
    /// - Parameter most: how many at most.
    /// - Returns: attempts whose leases the worker must keep by `heartbeat`.
    public func claim(_ worker: JobWorker, most: Int = 1) async throws -> [JobAttempt] {
        let now = time.now
        // Nothing to do is the usual answer, and a read costs no flush to the disk.
        guard most > 0, try await database.read({ try JobQueue.anyReady(at: now, in: $0) }) else { return [] }
        let lease = leases.microseconds
        return try await database.write { transaction in
            let limits = try JobQueue.limits(in: transaction)
            var admission = JobAdmission(limits: limits, holdings: try JobQueue.holdings(in: transaction))
            var attempts: [JobAttempt] = []
            while attempts.count < most,
                let (id, shape) = try JobQueue.choose(for: worker, admission, at: now, in: transaction)
            {
                attempts.append(try JobQueue.begin(id, on: worker.name, lease: lease, at: now, in: transaction))
                admission.add(shape, worker: worker.name)
            }
            return attempts
        }
    }

    /// Makes a worker known, so that explanations can say what it lacks; called at its start and now and then.
    public func announce(_ worker: JobWorker) async throws {
        let (text, now) = (try JSON.string(worker), time.now)
        try await database.write { transaction in
            try transaction.execute(
                """
                INSERT INTO job_workers (name, worker, seen) VALUES (?, ?, ?)
                ON CONFLICT (name) DO UPDATE SET worker = excluded.worker, seen = excluded.seen
                """, [.text(worker.name), .text(text), .init(now)])
        }
    }

    /// Forgets a worker that was shut down.
    public func withdraw(_ worker: String) async throws {
        try await database.write { transaction in
            try transaction.execute("DELETE FROM job_workers WHERE name = ?", [.text(worker)])
        }
    }

    /// Takes over what a worker of this name held when its process ended. The leases get new tokens, so that the old
    /// process can do nothing more if it lives after all.
    public func adopt(_ worker: String) async throws -> [JobAttempt] {
        try await database.write { transaction in
            let rows = try transaction.query(
                "SELECT job, number FROM job_attempts WHERE worker = ? AND state = 'running' ORDER BY token",
                [.text(worker)])
            return try rows.map { row in
                let (job, number) = (try row.string("job"), try row.integer("number"))
                let token = try JobQueue.next("token", in: transaction)
                try transaction.execute(
                    "UPDATE job_attempts SET token = ?, beat = beat + 1 WHERE job = ? AND number = ?",
                    [.integer(token), .text(job), .integer(number)])
                try transaction.execute("UPDATE jobs SET token = ? WHERE id = ?", [.integer(token), .text(job)])
                return try JobQueue.attempt(job, number: number, in: transaction)
            }
        }
    }

    /// Notes what the executor calls the execution, for those who look for it there.
    public func note(handle: String, of attempt: JobAttempt) async throws -> JobVerdict {
        try await database.write { transaction in
            let changed = try transaction.execute(
                "UPDATE job_attempts SET handle = ? WHERE token = ? AND state = 'running'",
                [.text(handle), .integer(attempt.token)])
            return changed == 0 ? .stale : .recorded(.running)
        }
    }

    /// Keeps leases alive.
    /// - Returns: for each token what its worker should do.
    public func heartbeat(_ attempts: [JobAttempt]) async throws -> [Int64: JobSignal] {
        guard !attempts.isEmpty else { return [:] }
        let tokens = attempts.map(\.token)
        return try await database.write { transaction in
            var signals: [Int64: JobSignal] = [:]
            for token in tokens {
                let changed = try transaction.execute(
                    "UPDATE job_attempts SET beat = beat + 1 WHERE token = ? AND state = 'running'", [.integer(token)])
                guard changed > 0 else {
                    signals[token] = .lost
                    continue
                }
                let row = try transaction.first("SELECT cancel_by FROM jobs WHERE token = ?", [.integer(token)])
                signals[token] = try row?.optionalString("cancel_by") == nil ? .goOn : .cancel
            }
            return signals
        }
    }
}

extension JobQueue {
    // A delay that would last longer than its whole length was begun before the clock went back: it counts from now.
    static let ready = """
        (not_before IS NULL OR not_before <= ?) AND (retry_at IS NULL OR retry_at <= ?)
        """

    private static func anyReady(at now: Timestamp, in transaction: Transaction) throws -> Bool {
        try transaction.first(
            "SELECT id FROM jobs WHERE state = 'queued' AND \(ready) LIMIT 1", [.init(now), .init(now)]) != nil
    }

    static func holdings(in transaction: Transaction) throws -> [JobAdmission.Holding] {
        try transaction.query(
            """
            SELECT job_shapes.shape AS shape, running.worker AS worker, running.jobs AS jobs FROM
                (SELECT shape, worker, COUNT(*) AS jobs FROM jobs WHERE state = 'running' GROUP BY shape, worker)
                AS running JOIN job_shapes ON job_shapes.digest = running.shape
            """
        ).map { row in
            JobAdmission.Holding(
                shape: try JSON.decode(JobShape.self, from: try row.string("shape")),
                worker: try row.string("worker"), count: Int(clamping: try row.integer("jobs")))
        }
    }

    /// The first of the jobs of one shape that are ready.
    struct Head {
        let id: String
        let shape: JobShape
        let priority: Int64
        let sequence: Int64
        let waitingSince: Timestamp
    }

    /// The first ready job of each shape, in the order in which they should run. Jobs of one shape wait for the same
    /// things, so none behind a blocked head can run.
    static func heads(at now: Timestamp, in transaction: Transaction) throws -> [Head] {
        let shapes = try transaction.query(
            """
            SELECT job_shapes.digest AS digest, job_shapes.shape AS shape FROM
                (SELECT DISTINCT shape FROM jobs WHERE state = 'queued' AND \(ready)) AS waiting
                JOIN job_shapes ON job_shapes.digest = waiting.shape
            """, [.init(now), .init(now)])
        return try shapes.compactMap { row -> Head? in
            let first = try transaction.first(
                """
                SELECT id, priority, sequence, created, not_before, retry_at FROM jobs
                WHERE state = 'queued' AND shape = ? AND \(ready) ORDER BY priority DESC, sequence LIMIT 1
                """, [.text(try row.string("digest")), .init(now), .init(now)])
            guard let first else { return nil }
            let since = [
                try first.timestamp("created"), try first.optionalTimestamp("not_before"),
                try first.optionalTimestamp("retry_at"),
            ].compactMap(\.self).max()
            return Head(
                id: try first.string("id"), shape: try JSON.decode(JobShape.self, from: try row.string("shape")),
                priority: try first.integer("priority"), sequence: try first.integer("sequence"),
                waitingSince: since ?? now)
        }.sorted { ($1.priority, $0.sequence) < ($0.priority, $1.sequence) }
    }

    private static func choose(
        for worker: JobWorker, _ admission: JobAdmission, at now: Timestamp, in transaction: Transaction
    ) throws -> (id: String, shape: JobShape)? {
        for head in try heads(at: now, in: transaction) where worker.serves(head.shape) {
            let obstacles = admission.obstacles(for: head.shape, on: worker)
            if obstacles.isEmpty { return (head.id, head.shape) }
            // Without this, jobs that need much room would wait for ever behind a stream of small ones.
            if isReserved(obstacles, waitingSince: head.waitingSince, at: now) { return nil }
        }
        return nil
    }

    /// Whether a job that waits for nothing but room has waited long enough for the room to be kept for it.
    static func isReserved(_ obstacles: [JobAdmission.Obstacle], waitingSince: Timestamp, at now: Timestamp) -> Bool {
        guard !obstacles.isEmpty, now.seconds(since: waitingSince) >= reserveAfterSeconds else { return false }
        return obstacles.allSatisfy { obstacle in
            if case .room = obstacle { return true }
            return false
        }
    }

    private static func begin(
        _ id: String, on worker: String, lease: Int64, at now: Timestamp, in transaction: Transaction
    ) throws -> JobAttempt {
        let token = try next("token", in: transaction)
        let before = try transaction.first("SELECT attempts, execution FROM jobs WHERE id = ?", [.text(id)])
        let number = (try before?.integer("attempts") ?? 0) + 1
        let execution = try before?.optionalString("execution") ?? "\(id)-\(number)"
        try transaction.execute(
            """
            INSERT INTO job_attempts (job, number, token, worker, state, beat, lease, execution, handle, started)
            VALUES (?, ?, ?, ?, 'running', 0, ?, ?,
                (SELECT handle FROM job_attempts WHERE job = ? AND execution = ? AND handle IS NOT NULL
                 ORDER BY number DESC LIMIT 1), ?)
            """,
            [
                .text(id), .integer(number), .integer(token), .text(worker), .integer(lease), .text(execution),
                .text(id), .text(execution), .init(now),
            ])
        try transaction.execute(
            """
            UPDATE jobs SET state = 'running', attempts = ?, token = ?, worker = ?, execution = ?, started = ?,
                retry_at = NULL, retry_delay = NULL
            WHERE id = ?
            """, [.integer(number), .integer(token), .text(worker), .text(execution), .init(now), .text(id)])
        return try attempt(id, number: number, in: transaction)
    }

    static func attempt(_ id: String, number: Int64, in transaction: Transaction) throws -> JobAttempt {
        guard
            let row = try transaction.first(
                "SELECT token, worker, execution, handle FROM job_attempts WHERE job = ? AND number = ?",
                [.text(id), .integer(number)])
        else { throw JobFailure.unknownJob(id) }
        return JobAttempt(
            job: try job(id, in: transaction), number: Int(clamping: number), token: try row.integer("token"),
            worker: try row.string("worker"), execution: try row.string("execution"),
            handle: try row.optionalString("handle"))
    }
}
