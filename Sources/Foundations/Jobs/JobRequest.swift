import Basics

/// What somebody wants done: the kind names the handler, the payload is the handler's own.
public struct JobRequest: Sendable, Hashable, Codable {
    public var kind: String
    public var payload: JSONValue
    /// Workers may serve some queues only.
    public var queue: String
    /// Higher goes first; equals go in the order they came.
    public var priority: Int
    /// For limits on how many jobs with a tag run at once.
    public var tags: [String]
    /// Whose quota the job counts against.
    public var owner: String
    /// A second request with the same key gives the job of the first, for as long as that job is kept.
    public var idempotencyKey: String?
    public var retry: RetryPolicy
    /// Seconds an execution may take.
    public var timeLimitSeconds: Int?
    public var resources: JobResources
    /// The job waits at least until then, by the wall clock.
    public var notBefore: Timestamp?

    public init(
        kind: String, payload: JSONValue = .null, queue: String = "default", priority: Int = 0, tags: [String] = [],
        owner: String = "system", idempotencyKey: String? = nil, retry: RetryPolicy = RetryPolicy(),
        timeLimitSeconds: Int? = nil, resources: JobResources = JobResources(), notBefore: Timestamp? = nil
    ) {
        self.kind = kind
        self.payload = payload
        self.queue = queue
        self.priority = priority
        self.tags = tags
        self.owner = owner
        self.idempotencyKey = idempotencyKey
        self.retry = retry
        self.timeLimitSeconds = timeLimitSeconds
        self.resources = resources
        self.notBefore = notBefore
    }

    private static let payloadBytesMax = 1 << 20
    private static let tagsMax = 32

    /// - Throws: `JobFailure.request` naming the first thing that can not be.
    /// - Returns: the request as it is stored, in canonical JSON.
    @discardableResult
    public func checked() throws -> String {
        func need(_ holds: Bool, _ reason: @autoclosure () -> String) throws {
            guard holds else { throw JobFailure.request(kind, reason: reason()) }
        }
        try need(!kind.isEmpty && kind.utf8.count <= 200, "its kind must have 1 to 200 characters")
        try need(!queue.isEmpty && queue.utf8.count <= 200, "its queue must have 1 to 200 characters")
        try need(!owner.isEmpty && owner.utf8.count <= 200, "its owner must have 1 to 200 characters")
        try need(tags.count <= Self.tagsMax, "it has more than \(Self.tagsMax) tags")
        try need(tags.allSatisfy { !$0.isEmpty && $0.utf8.count <= 200 }, "a tag must have 1 to 200 characters")
        try need(
            idempotencyKey.map { !$0.isEmpty && $0.utf8.count <= 500 } ?? true,
            "its idempotency key must have 1 to 500 characters")
        try need((-1_000_000...1_000_000).contains(priority), "its priority must lie within a million of 0")
        try need(
            timeLimitSeconds.map { (1...31_536_000).contains($0) } ?? true,
            "its time limit must be from 1 second to a year")
        if let reason = retry.fault ?? resources.fault { throw JobFailure.request(kind, reason: reason) }
        let text: String
        do {
            text = try JSON.string(self)
        } catch {
            throw JobFailure.request(kind, reason: "its payload holds a number that JSON can not express")
        }
        try need(text.utf8.count <= Self.payloadBytesMax, "it is larger than 1 MiB")
        return text
    }

    /// Everything admission looks at.
    var shape: JobShape {
        JobShape(kind: kind, queue: queue, owner: owner, tags: Array(Set(tags)).sorted(), resources: resources)
    }
}

/// How often and after what delay a job that failed is tried again.
public struct RetryPolicy: Sendable, Hashable, Codable {
    /// How many failures end the job: 1 means no second try.
    public var attempts: Int
    /// Seconds before the second try; it doubles with each failure.
    public var baseSeconds: Double
    /// The longest delay in seconds.
    public var maxSeconds: Double
    /// How many times the job may lose its worker or be preempted before it ends. These do not count as failures.
    public var interruptions: Int

    public init(attempts: Int = 3, baseSeconds: Double = 5, maxSeconds: Double = 300, interruptions: Int = 8) {
        self.attempts = attempts
        self.baseSeconds = baseSeconds
        self.maxSeconds = maxSeconds
        self.interruptions = interruptions
    }

    var fault: String? {
        guard (1...1000).contains(attempts) else { return "its attempts must be from 1 to 1000" }
        guard (0...1000).contains(interruptions) else { return "its interruptions must be from 0 to 1000" }
        guard baseSeconds >= 0, maxSeconds >= baseSeconds, maxSeconds <= 31_536_000 else {
            return "its delays must satisfy 0 <= base <= max <= a year"
        }
        return nil
    }

    /// The delay after a failure: between half and all of `min(max, base * 2^(failures - 1))`, spread evenly so that
    /// jobs that failed together do not come back together.
    /// - Parameters:
    ///   - failures: how many there were, at least 1.
    ///   - bits: any random bits.
    /// - Returns: microseconds.
    func delayMicroseconds(afterFailures failures: Int, random bits: UInt64) -> Int64 {
        var delay = baseSeconds
        for _ in 1..<max(2, min(failures, 64)) where failures > 1 && delay < maxSeconds { delay *= 2 }
        delay = min(delay, maxSeconds)
        let share = 0.5 + Double(bits >> 11) / Double(UInt64(1) << 53) / 2
        return Int64(exactly: (delay * share * 1e6).rounded(.down)) ?? 0
    }
}

/// What a job occupies while it runs.
public struct JobResources: Sendable, Hashable, Codable {
    /// Of its worker.
    public var slots: Int
    /// Thousandths of a processor core of its worker.
    public var millicores: Int
    /// Bytes of its worker.
    public var memoryBytes: Int64
    /// Weights by name. A name is offered by workers (`gpu`), limited over all of them (`licence`), or both.
    public var tokens: [String: Int]

    public init(slots: Int = 1, millicores: Int = 0, memoryBytes: Int64 = 0, tokens: [String: Int] = [:]) {
        self.slots = slots
        self.millicores = millicores
        self.memoryBytes = memoryBytes
        self.tokens = tokens
    }

    var fault: String? {
        let most = 1_000_000_000
        guard (0...most).contains(slots), (0...most).contains(millicores), (0...(1 << 60)).contains(memoryBytes),
            tokens.allSatisfy({ !$0.key.isEmpty && (0...most).contains($0.value) }), tokens.count <= 32
        else { return "its resources must be whole numbers from 0 to a thousand million, with at most 32 tokens" }
        return nil
    }

    static let none = JobResources(slots: 0)

    mutating func add(_ other: JobResources, times count: Int) {
        slots += other.slots * count
        millicores += other.millicores * count
        memoryBytes += other.memoryBytes.multipliedReportingOverflow(by: Int64(count)).partialValue
        for (name, weight) in other.tokens { tokens[name, default: 0] += weight * count }
    }
}

/// The part of a request that decides whether it may run now. Jobs of one shape wait for the same things.
struct JobShape: Sendable, Hashable, Codable {
    let kind: String
    let queue: String
    let owner: String
    let tags: [String]
    let resources: JobResources
}
