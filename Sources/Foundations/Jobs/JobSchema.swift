import SQL

extension JobQueue {
    /// The tables of the queue.
    public static let migrations = [
        Migration(
            room: "jobs", version: 1,
            sql: """
                CREATE TABLE jobs (
                    id TEXT PRIMARY KEY, sequence INTEGER NOT NULL UNIQUE, idempotency_key TEXT UNIQUE,
                    shape TEXT NOT NULL, owner TEXT NOT NULL, priority INTEGER NOT NULL, request TEXT NOT NULL,
                    state TEXT NOT NULL, attempts INTEGER NOT NULL, failures INTEGER NOT NULL,
                    interruptions INTEGER NOT NULL, not_before INTEGER, retry_at INTEGER, retry_delay INTEGER,
                    cancel_by TEXT, cancel_reason TEXT, token INTEGER, worker TEXT, execution TEXT, result TEXT,
                    error TEXT, created INTEGER NOT NULL, started INTEGER, ended INTEGER);
                CREATE INDEX jobs_next ON jobs (state, shape, priority, sequence);
                CREATE INDEX jobs_owner ON jobs (owner, state);
                CREATE TABLE job_shapes (digest TEXT PRIMARY KEY, shape TEXT NOT NULL);
                CREATE TABLE job_attempts (
                    job TEXT NOT NULL, number INTEGER NOT NULL, token INTEGER NOT NULL UNIQUE, worker TEXT NOT NULL,
                    state TEXT NOT NULL, beat INTEGER NOT NULL, lease INTEGER NOT NULL, execution TEXT NOT NULL,
                    handle TEXT, error TEXT, started INTEGER NOT NULL, ended INTEGER, PRIMARY KEY (job, number));
                CREATE INDEX job_attempts_state ON job_attempts (state, worker);
                CREATE TABLE job_counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
                CREATE TABLE job_limits (
                    scope TEXT NOT NULL, name TEXT NOT NULL, running_max INTEGER, queued_max INTEGER,
                    PRIMARY KEY (scope, name));
                CREATE TABLE job_workers (name TEXT PRIMARY KEY, worker TEXT NOT NULL, seen INTEGER NOT NULL);
                CREATE TABLE job_schedules (name TEXT PRIMARY KEY, schedule TEXT NOT NULL, since INTEGER NOT NULL);
                CREATE TABLE job_firings (
                    schedule TEXT NOT NULL, slot INTEGER NOT NULL, job TEXT NOT NULL, fired INTEGER NOT NULL,
                    PRIMARY KEY (schedule, slot));
                """)
    ]
}
