import Basics
import SQL

/// Which jobs are asked for. What is nil does not matter.
public struct JobFilter: Sendable, Hashable {
    public var states: Set<JobState>?
    public var owner: String?
    public var kind: String?
    public var queue: String?
    public var tag: String?
    /// Only jobs submitted before the one of this sequence, to page.
    public var before: Int64

    public init(
        states: Set<JobState>? = nil, owner: String? = nil, kind: String? = nil, queue: String? = nil,
        tag: String? = nil, before: Int64 = .max
    ) {
        self.states = states
        self.owner = owner
        self.kind = kind
        self.queue = queue
        self.tag = tag
        self.before = before
    }

    func holds(_ shape: JobShape) -> Bool {
        (owner == nil || shape.owner == owner) && (kind == nil || shape.kind == kind)
            && (queue == nil || shape.queue == queue) && (tag.map { shape.tags.contains($0) } ?? true)
    }

    var asksAboutShape: Bool { owner != nil || kind != nil || queue != nil || tag != nil }
}

/// One attempt at a job, as it is kept.
public struct JobAttemptRecord: Sendable, Hashable, Codable {
    /// 1 for the first.
    public let number: Int
    public let worker: String
    /// `running`, `succeeded`, `failed`, `cancelled`, `interrupted` or `lost`.
    public let state: String
    public let execution: String
    /// What the executor calls the execution; nil before it was started and when nothing is kept of it any more.
    public let handle: String?
    public let error: String?
    public let started: Timestamp
    public let ended: Timestamp?
}

extension JobQueue {
    /// Jobs, newest first.
    /// - Parameters:
    ///   - states: nil gives all.
    ///   - sequence: only jobs submitted before this one's sequence, to page.
    public func jobs(
        in states: Set<JobState>? = nil, before sequence: Int64 = .max, limit: Int = 100
    ) async throws -> [Job] {
        try await jobs(JobFilter(states: states, before: sequence), limit: limit)
    }

    /// The jobs that a filter asks for, newest first.
    public func jobs(_ filter: JobFilter, limit: Int = 100) async throws -> [Job] {
        let states = (filter.states ?? Set(JobState.allCases)).map { SQLValue.text($0.rawValue) }
        guard !states.isEmpty else { return [] }
        return try await database.read { transaction in
            var condition = "state IN (\(JobQueue.marks(states.count))) AND sequence < ?"
            var values = states + [.integer(filter.before)]
            if filter.asksAboutShape {
                let shapes = try transaction.query("SELECT digest, shape FROM job_shapes").compactMap { row in
                    let shape = try JSON.decode(JobShape.self, from: try row.string("shape"))
                    return filter.holds(shape) ? SQLValue.text(try row.string("digest")) : nil
                }
                guard !shapes.isEmpty else { return [] }
                condition += " AND shape IN (\(JobQueue.marks(shapes.count)))"
                values += shapes
            }
            return try transaction.query(
                "SELECT \(Job.columns) FROM jobs WHERE \(condition) ORDER BY sequence DESC LIMIT ?",
                values + [.init(max(0, limit))]
            ).map(Job.init)
        }
    }

    private static func marks(_ count: Int) -> String {
        Array(repeating: "?", count: count).joined(separator: ", ")
    }

    /// Every attempt at a job, the first one first.
    /// - Throws: `JobFailure.unknownJob`.
    public func attempts(of id: String) async throws -> [JobAttemptRecord] {
        try await database.read { transaction in
            _ = try JobQueue.job(id, in: transaction)
            return try transaction.query(
                """
                SELECT number, worker, state, execution, handle, error, started, ended FROM job_attempts
                WHERE job = ? ORDER BY number
                """, [.text(id)]
            ).map { row in
                JobAttemptRecord(
                    number: Int(clamping: try row.integer("number")), worker: try row.string("worker"),
                    state: try row.string("state"), execution: try row.string("execution"),
                    handle: try row.optionalString("handle"), error: try row.optionalString("error"),
                    started: try row.timestamp("started"), ended: try row.optionalTimestamp("ended"))
            }
        }
    }
}
