import Basics
import Foundation
import Jobs
import Journal
import SQL
import Telemetry

/// Jobs that are submitted and run by the same process, each with an effect of its own in the database.
struct JobStorm: StormStore {
    private let database: Database
    private let queue: JobQueue
    private let runner: JobRunner
    private static let kind = "storm"
    private static let migration = Migration(
        room: "storm", version: 1, sql: "CREATE TABLE effects (name TEXT NOT NULL)")

    init(folder: String) async throws {
        database = try await Database.open(at: "\(folder)/jobs.db")
        try await database.migrate(Journal.migrations + JobQueue.migrations + [Self.migration])
        queue = try JobQueue(
            database: database, time: SystemTime(), random: SystemRandom(),
            leases: JobLeases(heartbeatSeconds: 0.5, missedMax: 20))
        let handler = JobHandler(
            spec: { _ in JobSpec("true") },
            effect: { job, _, transaction in
                try transaction.execute(
                    "INSERT INTO effects (name) VALUES (?)", [.text(job.request.payload.string ?? "")])
            })
        runner = JobRunner(
            queue: queue, executor: LocalExecutor(folder: "\(folder)/executions", slots: 4), name: "storm",
            handlers: [Self.kind: handler], logger: .silent, pollSeconds: 0.01)
    }

    func put(_ item: StormItem) async throws {
        try await queue.submit(
            JobRequest(
                kind: Self.kind, payload: .string("\(item)"), retry: RetryPolicy(attempts: 1, interruptions: 1000)))
    }

    /// Waits for the effect, so that jobs do not pile up.
    func rest(after item: StormItem) async throws -> Bool {
        while try await !isDone(item) { try await Task.sleep(for: .milliseconds(2)) }
        return true
    }

    private func isDone(_ item: StormItem) async throws -> Bool {
        try await database.read {
            try $0.first("SELECT name FROM effects WHERE name = ?", [.text("\(item)")]) != nil
        }
    }

    func background(_ say: @escaping @Sendable ([StormItem]) -> Void) async throws { try await runner.start() }

    func finish() async throws {
        try await runner.start()
        let deadline = SystemTime.monotonicNanoseconds + 60_000_000_000
        while try await !queue.jobs(in: [.queued, .running], limit: 1).isEmpty {
            guard SystemTime.monotonicNanoseconds < deadline else { throw StormFailure.stuck("a job") }
            try await Task.sleep(for: .milliseconds(5))
        }
        await runner.stop()
    }

    func survey() async throws -> StormSurvey {
        var survey = StormSurvey()
        let (jobs, effects) = try await (
            queue.jobs(limit: 100_000),
            database.read { try $0.query("SELECT name FROM effects").map { try $0.string("name") } }
        )
        for job in jobs {
            guard let item = StormItem(job.request.payload.string ?? "") else {
                survey.faults.append("a job of nobody's")
                continue
            }
            survey.items.append(item)
            if job.state == .failed || job.state == .cancelled {
                survey.faults.append("the job of \(item) is \(job.state): \(job.error ?? "")")
            }
        }
        survey.effects = effects.compactMap { StormItem($0) }
        let done = jobs.filter { $0.state == .succeeded }.compactMap(\.request.payload.string).sorted()
        if done != effects.sorted() {
            survey.faults.append("\(done.count) jobs have succeeded with \(effects.count) effects")
        }
        return survey
    }

    func close() async {
        await runner.stop()
        await database.close()
    }
}
