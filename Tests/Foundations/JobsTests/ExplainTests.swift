import Basics
import Engines
import Testing

@testable import Jobs

/// Every job that waits can say what for.
@Suite struct ExplainTests {
    private let worker = JobWorker.named("w1", slots: 2)

    @Test(arguments: SQLEngine.allCases)
    func namesTheHolderItsAgeAndTheRemedy(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        try await fixture.queue.announce(worker)
        try await fixture.queue.setLimit(JobLimit(.tag, "db", runningMax: 1))
        let holder = try await fixture.queue.submit(JobRequest(kind: "load", tags: ["db"]))
        _ = try await fixture.queue.claim(worker)
        let waiting = try await fixture.queue.submit(JobRequest(kind: "load", tags: ["db"]))
        fixture.time.move(bySeconds: 30)
        let why = try await fixture.queue.explain(waiting.id)
        let reason = try #require(why.reasons.first)
        #expect(reason.message == "the tag 'db' allows 1 at once, 1 in use, 1 wanted")
        #expect(reason.holders == [.init(job: holder.id, kind: "load", worker: "w1", ageSeconds: 30)])
        #expect(reason.remedy?.contains("raise the limit") == true)
        #expect(why.ageSeconds == 30)
        #expect(try await fixture.queue.explain(holder.id).summary == "it runs on 'w1' as attempt 1")
    }

    @Test(arguments: SQLEngine.allCases)
    func tellsEveryKindOfReason(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        let queue = fixture.queue
        func why(_ request: JobRequest) async throws -> String {
            try await queue.explain(try await queue.submit(request).id).summary
        }
        #expect(try await why(JobRequest(kind: "a")).contains("no worker serves"))
        try await queue.announce(worker)
        #expect(try await why(JobRequest(kind: "a")).contains("runs at the next look of a worker, after at most 1 "))
        let later = fixture.time.now.advanced(bySeconds: 60)
        #expect(try await why(JobRequest(kind: "a", notBefore: later)).contains("not before \(later)"))
        try await queue.setLimit(JobLimit(.queue, "night", runningMax: 0))
        #expect(try await why(JobRequest(kind: "a", queue: "night")).contains("paused"))
        #expect(
            try await why(JobRequest(kind: "a", resources: JobResources(slots: 3)))
                .contains("wants 3 slots, the worker 'w1' has 2 in all"))
        #expect(
            try await why(JobRequest(kind: "a", resources: JobResources(tokens: ["x": 1])))
                .contains("nothing offers the token 'x'"))
        let attempts = try await queue.claim(worker, most: 2)
        #expect(attempts.count == 2)
        #expect(try await why(JobRequest(kind: "a")).contains("wants 1 slots, the worker 'w1' has 0 free"))
        _ = try await queue.finish(try #require(attempts.first), .failed("exit 9", retryable: true))
        let failed = try #require(attempts.first).job.id
        #expect(try await queue.explain(failed).summary.contains("after failure 1 of 3: exit 9"))
        try await queue.cancel(failed, by: "ann")
        #expect(try await queue.explain(failed).summary == "it ended as cancelled: cancelled by ann")
        await #expect(throws: JobFailure.unknownJob("none")) { try await queue.explain("none") }
    }

    @Test(arguments: SQLEngine.allCases)
    func aJobNobodyTakesThoughItCouldRunIsNoticed(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        let job = try await fixture.queue.submit(JobRequest(kind: "a"))
        fixture.time.move(bySeconds: 100)
        #expect(try await fixture.queue.overlooked(forSeconds: 60).isEmpty)
        try await fixture.queue.announce(worker)
        #expect(try await fixture.queue.overlooked(forSeconds: 60) == [job.id])
        _ = try await fixture.queue.claim(worker)
        #expect(try await fixture.queue.overlooked(forSeconds: 60).isEmpty)
    }
}
