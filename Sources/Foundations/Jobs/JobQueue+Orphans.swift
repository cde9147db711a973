import SQL

extension JobQueue {
    /// Of these executions, those that were begun for a job of this queue which no longer needs them: it has ended, or
    /// another execution takes their place. Executions of other queues are never among them.
    func unneeded(_ executions: [String]) async throws -> [String] {
        try await database.read { transaction in
            try executions.filter { execution in
                try transaction.first(
                    """
                    SELECT job_attempts.job AS job FROM job_attempts JOIN jobs ON jobs.id = job_attempts.job
                    WHERE job_attempts.execution = ? AND (jobs.execution IS NULL OR jobs.execution <> ?) LIMIT 1
                    """, [.text(execution), .text(execution)]) != nil
            }
        }
    }
}
