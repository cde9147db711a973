import Basics
import SQL

/// Work that is given at a steady pace: once in each interval that begins at `anchor + n * everySeconds`.
public struct JobSchedule: Sendable, Hashable, Codable {
    public var name: String
    public var everySeconds: Int64
    /// Intervals are counted from here, whenever the schedule was made.
    public var anchor: Timestamp
    /// How many intervals before the present one are made up for when nobody was there to fire them.
    public var catchUp: Int
    /// What is submitted; its idempotency key is set to the schedule's name and the number of the interval.
    public var request: JobRequest

    public init(
        name: String, everySeconds: Int64, anchor: Timestamp = Timestamp(microseconds: 0), catchUp: Int = 0,
        request: JobRequest
    ) {
        self.name = name
        self.everySeconds = everySeconds
        self.anchor = anchor
        self.catchUp = catchUp
        self.request = request
    }

    /// The number of the interval that holds a moment; negative before the anchor.
    func slot(at moment: Timestamp) -> Int64 {
        let (difference, overflow) = moment.microseconds.subtractingReportingOverflow(anchor.microseconds)
        let (width, wide) = everySeconds.multipliedReportingOverflow(by: 1_000_000)
        guard !overflow, !wide, width > 0 else { return 0 }
        return difference / width - (difference % width < 0 ? 1 : 0)
    }

    /// When an interval begins.
    func start(of slot: Int64) -> Timestamp {
        let (seconds, overflow) = slot.multipliedReportingOverflow(by: everySeconds)
        return overflow ? anchor : anchor.advanced(bySeconds: seconds)
    }
}

extension JobSchedule {
    /// When the next interval begins.
    public func next(after moment: Timestamp) -> Timestamp {
        let (next, overflow) = slot(at: moment).addingReportingOverflow(1)
        return overflow ? moment : start(of: next)
    }

    /// - Throws: `JobFailure.settings`, or `.request` where its request can not be taken.
    public func check() throws {
        guard !name.isEmpty, (1...315_360_000).contains(everySeconds), (0...1000).contains(catchUp) else {
            throw JobFailure.settings(
                "the schedule '\(name)'",
                reason: "it needs a name, an interval of 1 second to 10 years and a catch-up of 0 to 1000",
                remedy: "Correct them and set it again")
        }
        try request.checked()
    }
}

extension JobQueue {
    /// Makes or replaces a schedule. Intervals that were fired already are not fired again.
    /// - Throws: `JobFailure.settings`, or `.request` where its request can not be taken.
    public func setSchedule(_ schedule: JobSchedule) async throws {
        try schedule.check()
        let now = time.now
        try await database.write { try JobQueue.put(schedule, at: now, in: $0) }
    }

    /// Makes these the schedules whose names begin with a prefix: others of that prefix are removed.
    ///
    /// It is a part of the change that says so, such as applying definitions.
    /// - Throws: as `setSchedule` does, and `JobFailure.settings` for a name without the prefix.
    public static func replaceSchedules(
        named prefix: String, with schedules: [JobSchedule], at now: Timestamp, in transaction: Transaction
    ) throws {
        for schedule in schedules {
            try schedule.check()
            guard schedule.name.hasPrefix(prefix) else {
                throw JobFailure.settings(
                    "the schedule '\(schedule.name)'", reason: "its name does not begin with '\(prefix)'",
                    remedy: "Choose another name")
            }
        }
        let wanted = Dictionary(schedules.map { ($0.name, $0) }) { $1 }
        let present = try JobQueue.schedules(in: transaction).map(\.schedule).filter { $0.name.hasPrefix(prefix) }
        for old in present where wanted[old.name] == nil { try drop(old.name, in: transaction) }
        let known = Set(present)
        for schedule in schedules where !known.contains(schedule) { try put(schedule, at: now, in: transaction) }
    }

    private static func put(_ schedule: JobSchedule, at now: Timestamp, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO job_schedules (name, schedule, since) VALUES (?, ?, ?)
            ON CONFLICT (name) DO UPDATE SET schedule = excluded.schedule
            """, [.text(schedule.name), .text(try JSON.string(schedule)), .init(now)])
    }

    /// - Throws: `JobFailure.unknownSchedule`.
    public func removeSchedule(_ name: String) async throws {
        try await database.write { try JobQueue.drop(name, in: $0) }
    }

    private static func drop(_ name: String, in transaction: Transaction) throws {
        let removed = try transaction.execute("DELETE FROM job_schedules WHERE name = ?", [.text(name)])
        guard removed > 0 else { throw JobFailure.unknownSchedule(name) }
        try transaction.execute("DELETE FROM job_firings WHERE schedule = ?", [.text(name)])
    }

    /// Every schedule, by name.
    public func schedules() async throws -> [JobSchedule] {
        try await database.read { try JobQueue.schedules(in: $0).map(\.schedule) }
    }

    /// Submits what is due. Each interval is fired once over all processes, because it is recorded with the job it
    /// gave: an interval the clock enters for the second time gives nothing, one it had jumped over gives its job.
    /// - Returns: the jobs that were submitted now.
    @discardableResult
    public func fire() async throws -> [Job] {
        let now = time.now
        let due = try await database.read { try JobQueue.due(at: now, in: $0) }
        guard !due.isEmpty else { return [] }
        let ids = due.map { _ in random.identifier() }
        return try await database.write { transaction in
            // Another process may have fired them since.
            let left = try JobQueue.due(at: now, in: transaction)
            return try zip(left, ids).compactMap { firing, id in
                var request = firing.schedule.request
                request.idempotencyKey = "schedule/\(firing.schedule.name)/\(firing.slot)"
                let job: Job
                // An owner whose queue is full holds up no other's schedules; the interval is tried again.
                do { job = try JobQueue.submit(request, id: id, at: now, in: transaction) } catch JobFailure.quota {
                    return nil
                }
                try transaction.execute(
                    "INSERT INTO job_firings (schedule, slot, job, fired) VALUES (?, ?, ?, ?)",
                    [.text(firing.schedule.name), .integer(firing.slot), .text(job.id), .init(now)])
                // Far more than any clock is wrong by.
                try transaction.execute(
                    "DELETE FROM job_firings WHERE schedule = ? AND slot < ?",
                    [.text(firing.schedule.name), .integer(firing.slot - JobQueue.firingsKept)])
                return job
            }
        }
    }

    private static let firingsKept: Int64 = 100_000

    private static func schedules(
        in transaction: Transaction
    ) throws -> [(schedule: JobSchedule, since: Timestamp)] {
        try transaction.query("SELECT schedule, since FROM job_schedules ORDER BY name").map { row in
            (try JSON.decode(JobSchedule.self, from: try row.string("schedule")), try row.timestamp("since"))
        }
    }

    private static func due(
        at now: Timestamp, in transaction: Transaction
    ) throws -> [(schedule: JobSchedule, slot: Int64)] {
        try schedules(in: transaction).flatMap { schedule, since in
            let present = schedule.slot(at: now)
            let first = max(min(present, schedule.slot(at: since)), present - Int64(schedule.catchUp))
            let fired = Set(
                try transaction.query(
                    "SELECT slot FROM job_firings WHERE schedule = ? AND slot >= ? AND slot <= ?",
                    [.text(schedule.name), .integer(first), .integer(present)]
                ).map { try $0.integer("slot") })
            return (first...present).filter { !fired.contains($0) }.map { (schedule, $0) }
        }
    }
}
