import Basics

/// A process that works on jobs: what it serves and what it has room for.
public struct JobWorker: Sendable, Hashable, Codable {
    /// Names one process at a time; a process that takes the name over also takes over the jobs of the one before.
    public let name: String
    /// Nil serves all.
    public let queues: [String]?
    /// The kinds of jobs it has handlers for; nil serves all.
    public let kinds: [String]?
    /// All the room it has, whatever is in use.
    public let capacity: JobCapacity

    public init(name: String, queues: [String]? = nil, kinds: [String]? = nil, capacity: JobCapacity) {
        self.name = name
        self.queues = queues
        self.kinds = kinds
        self.capacity = capacity
    }

    func serves(_ shape: JobShape) -> Bool {
        queues?.contains(shape.queue) != false && kinds?.contains(shape.kind) != false
    }
}

/// The room a worker has. What is nil is not counted.
public struct JobCapacity: Sendable, Hashable, Codable {
    public var slots: Int
    /// Thousandths of a processor core.
    public var millicores: Int?
    public var memoryBytes: Int64?
    /// Named things of this worker alone, such as `gpu`.
    public var tokens: [String: Int]

    public init(slots: Int, millicores: Int? = nil, memoryBytes: Int64? = nil, tokens: [String: Int] = [:]) {
        self.slots = slots
        self.millicores = millicores
        self.memoryBytes = memoryBytes
        self.tokens = tokens
    }
}

/// How much of something may run, or wait, at once over all workers.
public struct JobLimit: Sendable, Hashable {
    /// What is limited.
    public enum Scope: String, Sendable, Codable, CaseIterable {
        /// Jobs that carry a tag.
        case tag
        /// Jobs of an owner.
        case owner
        /// Jobs of a queue; a limit of 0 pauses it.
        case queue
        /// The summed weights of a named token.
        case token
    }

    public let scope: Scope
    public let name: String
    /// Nil is unlimited.
    public let runningMax: Int?
    /// Waiting jobs, for owners only; nil is unlimited.
    public let queuedMax: Int?

    public init(_ scope: Scope, _ name: String, runningMax: Int?, queuedMax: Int? = nil) {
        self.scope = scope
        self.name = name
        self.runningMax = runningMax
        self.queuedMax = queuedMax
    }
}
