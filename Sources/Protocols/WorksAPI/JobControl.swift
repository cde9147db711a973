import Basics
import Jobs

/// The jobs of a factory, as the API speaks of them.
public protocol JobControl: Sendable {
    var queue: JobQueue { get }

    /// The jobs that the definitions in force name.
    var defined: [DefinedJob] { get }

    /// What an attempt at a job wrote.
    /// - Parameters:
    ///   - number: of the attempt; nil for the last.
    ///   - offset: in bytes.
    /// - Throws: `JobFailure.unknownJob`, `.noLog` or `.logElsewhere`.
    func log(of id: String, attempt number: Int?, from offset: Int, limit: Int) async throws -> JobLog

    /// Has this process look at once for what was submitted or cancelled.
    func wake() async
}

/// A job that the definitions in force name.
public struct DefinedJob: Sendable {
    public let name: String
    public let description: String
    /// What is submitted for each run.
    public let request: JobRequest
    /// Nil: only when it is asked for.
    public let schedule: JobSchedule?

    public init(name: String, description: String, request: JobRequest, schedule: JobSchedule?) {
        self.name = name
        self.description = description
        self.request = request
        self.schedule = schedule
    }
}

extension WorksAPI {
    /// What a client wants to be run: a command and how it is to be treated. Nil is the standard.
    public struct JobSubmission: Sendable, Codable {
        public var command: String
        public var arguments: [String]?
        /// Stored and shown with the job.
        public var environment: [String: String]?
        /// Names of variables of the server's environment, of those it lets jobs have.
        public var secrets: [String]?
        public var directory: String?
        public var queue: String?
        public var priority: Int?
        public var tags: [String]?
        /// How often it is tried again after a failure (2).
        public var retries: Int?
        public var timeLimitSeconds: Int?
        public var resources: JobResources?
        public var idempotencyKey: String?
        public var notBefore: Timestamp?

        public init(command: String) { self.command = command }

        func request(owner: String) throws -> JobRequest {
            var request = try CommandJob(
                command: command, arguments: arguments ?? [], environment: environment ?? [:], secrets: secrets ?? [],
                directory: directory
            ).request()
            request.owner = owner
            if let queue { request.queue = queue }
            if let priority { request.priority = priority }
            if let tags { request.tags = tags }
            if let retries {
                guard (0..<1000).contains(retries) else {
                    throw WorksAPIFailure.badParameter("retries", "must be a whole number from 0 to 999")
                }
                request.retry.attempts = retries + 1
            }
            request.timeLimitSeconds = timeLimitSeconds
            if let resources { request.resources = resources }
            request.idempotencyKey = idempotencyKey
            request.notBefore = notBefore
            return request
        }
    }

    /// A job as it travels.
    public struct JobDocument: Sendable, Codable {
        public var id: String
        public var sequence: Int64
        public var kind: String
        /// The job's own, such as its command.
        public var payload: JSONValue
        public var state: JobState
        public var owner: String
        public var queue: String
        public var priority: Int
        public var tags: [String]
        public var resources: JobResources
        public var timeLimitSeconds: Int?
        public var idempotencyKey: String?
        public var notBefore: Timestamp?
        /// How many attempts were begun, how many failures there may be, and how many there were.
        public var attempts: Int
        public var attemptsMax: Int
        public var failures: Int
        public var interruptions: Int
        public var created: Timestamp
        public var started: Timestamp?
        public var ended: Timestamp?
        public var retryAt: Timestamp?
        public var cancelRequestedBy: String?
        public var worker: String?
        public var result: JSONValue?
        public var error: String?

        init(_ job: Job) {
            let request = job.request
            id = job.id
            sequence = job.sequence
            kind = request.kind
            payload = request.payload
            state = job.state
            owner = request.owner
            queue = request.queue
            priority = request.priority
            tags = request.tags
            resources = request.resources
            timeLimitSeconds = request.timeLimitSeconds
            idempotencyKey = request.idempotencyKey
            notBefore = request.notBefore
            attempts = job.attempts
            attemptsMax = request.retry.attempts
            failures = job.failures
            interruptions = job.interruptions
            created = job.created
            started = job.started
            ended = job.ended
            retryAt = job.retryAt
            cancelRequestedBy = job.cancelRequestedBy
            worker = job.worker
            result = job.result
            error = job.error
        }
    }

    /// A job with everything that is known of it.
    public struct JobDetail: Sendable, Codable {
        public var job: JobDocument
        public var attempts: [JobAttemptRecord]
        public var explanation: JobExplanation
    }

    /// A piece of a job's output.
    public struct JobLogDocument: Sendable, Codable {
        /// What is not UTF-8 is replaced.
        public var text: String
        /// Where the next piece begins, in bytes.
        public var next: Int
        /// Whether more may come after it.
        public var more: Bool

        /// - Parameter ended: whether the job had ended before the piece was read.
        init(_ log: JobLog, ended: Bool) {
            // A character that is not whole yet belongs to the next piece.
            var bytes = log.bytes
            let unfinished = JobLogDocument.unfinished(bytes)
            let cut = ended && unfinished == bytes.count ? 0 : unfinished
            bytes.removeLast(cut)
            text = String(decoding: bytes, as: UTF8.self)
            next = log.nextOffset - cut
            more = !ended || !bytes.isEmpty
        }

        /// How many bytes at the end begin a character without ending it.
        private static func unfinished(_ bytes: [UInt8]) -> Int {
            for (distance, byte) in bytes.suffix(4).reversed().enumerated() where byte & 0xC0 != 0x80 {
                let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
                return length > distance + 1 ? distance + 1 : 0
            }
            return 0
        }
    }

    /// A limit as it travels, with the names of `JobLimit`.
    public struct JobLimitDocument: Sendable, Codable {
        public var scope: JobLimit.Scope
        public var name: String
        public var runningMax: Int?
        public var queuedMax: Int?

        public init(scope: JobLimit.Scope, name: String, runningMax: Int?, queuedMax: Int?) {
            self.scope = scope
            self.name = name
            self.runningMax = runningMax
            self.queuedMax = queuedMax
        }
    }

    /// A job that the definitions in force name.
    public struct JobScheduleDocument: Sendable, Codable {
        public var name: String
        public var description: String
        public var owner: String
        public var command: JSONValue
        /// Nil: only when it is asked for.
        public var everySeconds: Int64?
        public var anchor: Timestamp?
        public var next: Timestamp?

        init(_ job: DefinedJob, now: Timestamp) {
            name = job.name
            description = job.description
            owner = job.request.owner
            command = job.request.payload
            everySeconds = job.schedule?.everySeconds
            anchor = job.schedule?.anchor
            next = job.schedule?.next(after: now)
        }
    }
}
