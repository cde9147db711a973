import Basics
import Engines
import SQL
import Telemetry
import Testing

@testable import Jobs

/// Leases that are lost, kept, taken over, and clocks that jump.
@Suite struct LeaseTests {
    private let worker = JobWorker.named("w1")

    @Test(arguments: SQLEngine.allCases)
    func aSilentWorkerLosesItsJobAndItsLateReportDoesNothing(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        let job = try await fixture.queue.submit(JobRequest(kind: "a"))
        let first = try #require(try await fixture.queue.claim(worker).first)
        #expect(try await fixture.pass(4, seenBy: fixture.queue).isEmpty)
        #expect(try await fixture.pass(1, seenBy: fixture.queue) == [job.id])
        let second = try #require(try await fixture.queue.claim(.named("w2")).first)
        #expect(second.token > first.token)
        #expect(second.number == 2)
        // The work itself is carried on where the executor still has it.
        #expect(second.execution == first.execution)
        #expect(try await fixture.queue.finish(first, .succeeded("late")) == .stale)
        #expect(try await fixture.queue.finish(first, .failed("late", retryable: false)) == .stale)
        #expect(try await fixture.queue.finish(second, .succeeded("good")) == .recorded(.succeeded))
        #expect(try await fixture.queue.finish(first, .failed("later", retryable: false)) == .stale)
        #expect(try await fixture.queue.job(job.id).result == "good")
        #expect(fixture.metrics.prometheusText().contains("modelworks_jobs_lost_leases_total 1"))
    }

    @Test(arguments: SQLEngine.allCases)
    func heartbeatsKeepALeaseForEver(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        try await fixture.queue.submit(JobRequest(kind: "a"))
        let attempt = try #require(try await fixture.queue.claim(worker).first)
        for _ in 0..<10 {
            #expect(try await fixture.pass(3, seenBy: fixture.queue).isEmpty)
            #expect(try await fixture.queue.heartbeat([attempt]) == [attempt.token: .goOn])
        }
    }

    @Test(arguments: SQLEngine.allCases, [3600.0, -3600, 86_400, -86_400])
    func aClockThatJumpsNeitherStealsNorKeepsALease(_ engine: SQLEngine, jump: Double) async throws {
        let fixture = try await QueueFixture(engine)
        let job = try await fixture.queue.submit(JobRequest(kind: "a"))
        let attempt = try #require(try await fixture.queue.claim(worker).first)
        try await fixture.queue.maintain()
        fixture.time.move(bySeconds: jump)
        #expect(try await fixture.queue.maintain().isEmpty)
        #expect(try await fixture.queue.heartbeat([attempt]) == [attempt.token: .goOn])
        #expect(try await fixture.pass(3, seenBy: fixture.queue).isEmpty)
        // Silent from here on: gone within its length, whatever the clock shows.
        fixture.time.move(bySeconds: jump)
        #expect(try await fixture.pass(5, seenBy: fixture.queue) == [job.id])
    }

    @Test(arguments: SQLEngine.allCases)
    func aProcessThatJustCameTakesNothingAway(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        try await fixture.queue.submit(JobRequest(kind: "a"))
        _ = try await fixture.queue.claim(worker)
        fixture.time.move(bySeconds: 10_000)
        #expect(try await fixture.another().maintain().isEmpty)
    }

    @Test(arguments: SQLEngine.allCases)
    func oneOfSeveralWatchersGivesALeaseUp(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        let other = try fixture.another()
        let job = try await fixture.queue.submit(JobRequest(kind: "a"))
        _ = try await fixture.queue.claim(worker)
        try await fixture.queue.maintain()
        try await other.maintain()
        var lost: [String] = []
        for _ in 0..<4 {
            fixture.time.move(bySeconds: 1)
            lost += try await fixture.queue.maintain()
            lost += try await other.maintain()
        }
        #expect(lost == [job.id])
        #expect(try await fixture.queue.job(job.id).interruptions == 1)
    }

    @Test(arguments: SQLEngine.allCases)
    func aRetryWaitsAtMostItsDelayWhenTheClockGoesBack(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        try await fixture.queue.submit(
            JobRequest(kind: "a", retry: RetryPolicy(attempts: 2, baseSeconds: 10, maxSeconds: 10)))
        let attempt = try #require(try await fixture.queue.claim(worker).first)
        _ = try await fixture.queue.finish(attempt, .failed("x", retryable: true))
        fixture.time.move(bySeconds: -3600)
        try await fixture.queue.maintain()
        #expect(try await fixture.queue.claim(worker).isEmpty)
        fixture.time.move(bySeconds: 10)
        #expect(try await fixture.queue.claim(worker).count == 1)
    }

    @Test(arguments: SQLEngine.allCases)
    func aJobThatKillsItsWorkersEnds(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        let job = try await fixture.queue.submit(JobRequest(kind: "a", retry: RetryPolicy(interruptions: 2)))
        for round in 1...3 {
            #expect(try await fixture.queue.claim(worker).count == 1)
            try await fixture.pass(5, seenBy: fixture.queue)
            #expect(try await fixture.queue.job(job.id).interruptions == round)
        }
        #expect(try await fixture.queue.job(job.id).state == .failed)
    }

    @Test(arguments: SQLEngine.allCases)
    func aProcessOfTheSameNameTakesOverAndFencesTheOneBefore(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        try await fixture.queue.submit(JobRequest(kind: "a"))
        let before = try #require(try await fixture.queue.claim(worker).first)
        #expect(try await fixture.queue.note(handle: "local:1", of: before) == .recorded(.running))
        let after = try #require(try await fixture.queue.adopt("w1").first)
        #expect(after.execution == before.execution)
        #expect(after.handle == "local:1")
        #expect(after.number == before.number)
        #expect(try await fixture.queue.finish(before, .succeeded(.null)) == .stale)
        #expect(try await fixture.queue.finish(after, .succeeded(.null)) == .recorded(.succeeded))
        #expect(try await fixture.queue.adopt("w1").isEmpty)
    }

    @Test(arguments: SQLEngine.allCases)
    func aLostJobWhoseEndIsWantedEnds(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        let job = try await fixture.queue.submit(JobRequest(kind: "a"))
        _ = try await fixture.queue.claim(worker)
        try await fixture.queue.cancel(job.id, by: "ann")
        try await fixture.pass(5, seenBy: fixture.queue)
        #expect(try await fixture.queue.job(job.id).state == .cancelled)
    }

    @Test(arguments: [(1.0, 2), (1.0, 0), (0.0, 6), (-1.0, 6), (10_000.0, 6), (.nan, 6)])
    func settingsUnderWhichLiveWorkersDieAreRefused(heartbeat: Double, missed: Int) async throws {
        await #expect(throws: JobFailure.self) {
            _ = try await QueueFixture(.sqlite, leases: JobLeases(heartbeatSeconds: heartbeat, missedMax: missed))
        }
    }
}
