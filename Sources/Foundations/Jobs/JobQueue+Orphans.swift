import Basics
import SQL

extension JobQueue {
    /// Of these executions, those that were begun for a job of this queue which no longer needs them: it has ended, or
    /// another execution takes their place. Executions of other queues are never among them.
    /// - Parameter worker: where given, executions are also not needed when another worker runs their job now.
    func unneeded(_ executions: [String], by worker: String? = nil) async throws -> [String] {
        guard !executions.isEmpty else { return [] }
        return try await database.read { transaction in
            try executions.filter { execution in
                let row = try transaction.first(
                    """
                    SELECT jobs.execution AS execution, jobs.worker AS worker
                    FROM job_attempts JOIN jobs ON jobs.id = job_attempts.job
                    WHERE job_attempts.execution = ? LIMIT 1
                    """, [.text(execution)])
                guard let row else { return false }
                guard try row.optionalString("execution") == execution else { return true }
                guard let worker, let now = try row.optionalString("worker") else { return false }
                return now != worker
            }
        }
    }

    /// Attempts of a worker whose jobs ended long ago and whose executions the executor still keeps.
    /// - Returns: tokens with the executions' handles; some, where there are many.
    func forgettable(by worker: String, endedForSeconds seconds: Double) async throws -> [(Int64, String)] {
        let limit = before(seconds)
        return try await database.read { transaction in
            try transaction.query(
                """
                SELECT job_attempts.token AS token, job_attempts.handle AS handle
                FROM job_attempts JOIN jobs ON jobs.id = job_attempts.job
                WHERE job_attempts.worker = ? AND job_attempts.handle IS NOT NULL AND jobs.ended < ?
                ORDER BY jobs.ended LIMIT 1000
                """, [.text(worker), .init(limit)]
            ).map { (try $0.integer("token"), try $0.string("handle")) }
        }
    }

    /// Removes jobs that ended so many seconds ago.
    func prune(endedForSeconds seconds: Double) async throws { try await prune(endedBefore: before(seconds)) }

    private func before(_ seconds: Double) -> Timestamp {
        time.now.advanced(bySeconds: -(Int64(exactly: min(max(0, seconds), 1e10).rounded()) ?? 0))
    }

    /// Notes that nothing is kept of an attempt's execution any more.
    func forgot(_ token: Int64) async throws {
        try await database.write { transaction in
            try transaction.execute("UPDATE job_attempts SET handle = NULL WHERE token = ?", [.integer(token)])
        }
    }
}
