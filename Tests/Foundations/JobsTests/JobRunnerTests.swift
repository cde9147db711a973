import Basics
import Engines
import Foundation
import SQL
import Telemetry
import TestSupport
import Testing

@testable import Jobs

/// A queue and local processes, tied together.
@Suite struct JobRunnerTests {
    private let fixture: QueueFixture
    private let place: TemporaryFolder

    init() async throws {
        fixture = try await QueueFixture(.sqlite, leases: JobLeases(heartbeatSeconds: 0.1, missedMax: 20))
        place = try TemporaryFolder()
        try await fixture.database.write { try $0.script("CREATE TABLE effects (job TEXT NOT NULL)") }
    }

    /// What a process of the factory makes at its start.
    private func runner(_ name: String = "w1") -> JobRunner {
        let handler = JobHandler(
            spec: { job in JobSpec("sh", ["-c", job.request.payload.string ?? "exit 9"]) },
            result: { _, log in .string(log) },
            effect: { job, _, transaction in
                try transaction.execute("INSERT INTO effects (job) VALUES (?)", [.text(job.id)])
            })
        return JobRunner(
            queue: fixture.queue, executor: LocalExecutor(folder: place("jobs"), slots: 4), name: name,
            handlers: ["shell": handler], logger: .silent, graceSeconds: 0.2, pollSeconds: 0.02)
    }

    private func submit(_ script: String, retry: RetryPolicy = RetryPolicy(), seconds: Int? = nil) async throws
        -> String
    {
        try await fixture.queue.submit(
            JobRequest(kind: "shell", payload: .string(script), retry: retry, timeLimitSeconds: seconds)
        ).id
    }

    private func final(_ id: String) async throws -> Job {
        try await until("job \(id) ends", within: 20) { try await fixture.queue.job(id).state.isFinal }
        return try await fixture.queue.job(id)
    }

    private func effects() async throws -> [String] {
        try await fixture.database.read { try $0.query("SELECT job FROM effects").map { try $0.string("job") } }
    }

    @Test func jobsRunToTheirEffect() async throws {
        let runner = runner()
        try await runner.start()
        let good = try await submit("echo done")
        let bad = try await submit("exit 3", retry: RetryPolicy(attempts: 2, baseSeconds: 0, maxSeconds: 0))
        let long = try await submit("sleep 100")
        let slow = try await submit("sleep 100", retry: RetryPolicy(attempts: 1), seconds: 1)
        #expect(try await final(good).result == "done\n")
        let failed = try await final(bad)
        #expect(failed.state == .failed && failed.failures == 2)
        #expect(failed.error == "it ended with exit code 3")
        try await until("it runs") { try await fixture.queue.job(long).state == .running }
        try await fixture.queue.cancel(long, by: "ann")
        #expect(try await final(long).state == .cancelled)
        #expect(try await final(slow).error == "its time limit was reached")
        #expect(try await effects() == [good])
        await runner.stop()
    }

    @Test func aRestartCarriesOnWhatRuns() async throws {
        let first = runner()
        try await first.start()
        let mark = place("mark")
        let id = try await submit("echo begun >> '\(mark)'; while [ ! -e '\(mark).go' ]; do sleep 0.02; done; echo end")
        try await until("it has begun") { FileManager.default.fileExists(atPath: mark) }
        await first.stop()
        let second = runner()
        try await second.start()
        #expect(await second.held == 1)
        #expect(FileManager.default.createFile(atPath: "\(mark).go", contents: nil))
        let job = try await final(id)
        #expect(job.state == .succeeded)
        #expect(job.attempts == 1)
        #expect(try String(contentsOfFile: mark, encoding: .utf8) == "begun\n")
        #expect(try await effects() == [id])
        await second.stop()
    }

    @Test func whatEndedWhileNobodyLookedIsReported() async throws {
        let first = runner()
        try await first.start()
        let mark = place("mark")
        let id = try await submit("sleep 0.2; echo over > '\(mark)'")
        try await until("it runs") { try await fixture.queue.job(id).state == .running }
        await first.stop()
        try await until("it is over") { FileManager.default.fileExists(atPath: mark) }
        let second = runner()
        try await second.start()
        #expect(try await final(id).state == .succeeded)
        await second.stop()
    }

    @Test func aJobThatWasCancelledWhileNobodyLookedIsEnded() async throws {
        let first = runner()
        try await first.start()
        let id = try await submit("sleep 100")
        try await until("it runs") { try await fixture.queue.job(id).state == .running }
        await first.stop()
        try await fixture.queue.cancel(id, by: "ann")
        let second = runner()
        try await second.start()
        #expect(try await final(id).state == .cancelled)
        await second.stop()
        // It was told to end when it was found cancelled; dying takes it a moment.
        let executor = LocalExecutor(folder: place("jobs"), slots: 1)
        try await until("it is gone") { try await executor.running().isEmpty }
    }

    @Test func aShutDownGivesItsJobsBack() async throws {
        let first = runner()
        try await first.start()
        let id = try await submit("sleep 100")
        try await until("it runs") { try await fixture.queue.job(id).state == .running }
        await first.stop(endJobs: true)
        let job = try await fixture.queue.job(id)
        #expect(job.state == .queued && job.interruptions == 1 && job.failures == 0)
        #expect(try await fixture.queue.workers().isEmpty)
        #expect(try await LocalExecutor(folder: place("jobs"), slots: 1).running().isEmpty)
    }
}
