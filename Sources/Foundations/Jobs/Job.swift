import Basics
import SQL

/// Where a job stands. The last three are final: nothing changes them.
public enum JobState: String, Sendable, Codable, CaseIterable {
    case queued, running, succeeded, failed, cancelled

    public var isFinal: Bool {
        switch self {
        case .queued, .running: false
        case .succeeded, .failed, .cancelled: true
        }
    }
}

/// A job as it is stored.
public struct Job: Sendable, Hashable {
    /// 32 hexadecimal digits.
    public let id: String
    /// The order of submission.
    public let sequence: Int64
    public let request: JobRequest
    public let state: JobState
    /// How many attempts were begun.
    public let attempts: Int
    /// How many of them failed.
    public let failures: Int
    /// How many of them were lost or preempted.
    public let interruptions: Int
    public let created: Timestamp
    /// When the last attempt began.
    public let started: Timestamp?
    public let ended: Timestamp?
    /// When a job that failed may run again.
    public let retryAt: Timestamp?
    /// Who asked for the end of a job that runs.
    public let cancelRequestedBy: String?
    /// The worker of the running attempt.
    public let worker: String?
    public let result: JSONValue?
    /// Why the last attempt did not succeed.
    public let error: String?

    static let columns = """
        id, sequence, request, state, attempts, failures, interruptions, created, started, ended, retry_at, cancel_by,
        worker, result, error
        """

    init(_ row: Row) throws {
        id = try row.string("id")
        sequence = try row.integer("sequence")
        request = try JSON.decode(JobRequest.self, from: try row.string("request"))
        state = JobState(rawValue: try row.string("state")) ?? .failed
        attempts = Int(clamping: try row.integer("attempts"))
        failures = Int(clamping: try row.integer("failures"))
        interruptions = Int(clamping: try row.integer("interruptions"))
        created = try row.timestamp("created")
        started = try row.optionalTimestamp("started")
        ended = try row.optionalTimestamp("ended")
        retryAt = try row.optionalTimestamp("retry_at")
        cancelRequestedBy = try row.optionalString("cancel_by")
        worker = try row.optionalString("worker")
        result = try row.optionalString("result").map { try JSON.decode(JSONValue.self, from: $0) }
        error = try row.optionalString("error")
    }
}

/// The right to work on a job: a lease that its holder keeps by heartbeats.
public struct JobAttempt: Sendable, Hashable {
    public let job: Job
    /// 1 for the first.
    public let number: Int
    /// Grows with every lease that is given out or taken over. Only the newest of a job counts.
    public let token: Int64
    public let worker: String
    /// Names the execution at the executor. An attempt that follows a lost one carries on the same execution; one that
    /// follows a failure has its own.
    public let execution: String
    /// What the executor called the execution, where that was noted.
    public let handle: String?
}

/// How an attempt ended.
public enum JobOutcome: Sendable, Hashable {
    case succeeded(JSONValue)
    /// Counts as a failure; a job that can not succeed by trying again says so.
    case failed(String, retryable: Bool)
    /// Preempted, or its machine went away: tried again without counting as a failure.
    case interrupted(String)
    /// Ended because somebody asked for it.
    case cancelled(String)
}

/// What became of a report about an attempt.
public enum JobVerdict: Sendable, Hashable {
    /// The report counts; the job is in this state now.
    case recorded(JobState)
    /// The attempt no longer held the job; nothing was changed and no effect was made.
    case stale
}

/// What a heartbeat tells the worker.
public enum JobSignal: Sendable, Hashable {
    case goOn
    /// Somebody wants the job to end.
    case cancel
    /// The lease is gone: stop working on it.
    case lost
}
