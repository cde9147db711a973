import Basics
import Engines
import Journal
import SQL
import Telemetry
import TestSupport
import Testing

@testable import Jobs

/// What every database must give the queue.
@Suite struct QueueContractTests {
    private let worker = JobWorker.named("w1")

    @Test(arguments: SQLEngine.allCases)
    func takesByPriorityThenAge(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        for (kind, priority) in [("a", 0), ("b", 5), ("c", 0), ("d", 5), ("e", -1)] {
            try await fixture.queue.submit(JobRequest(kind: kind, priority: priority))
        }
        let taken = try await fixture.queue.claim(.named("w", slots: 10), most: 10)
        #expect(taken.map(\.job.request.kind) == ["b", "d", "a", "c", "e"])
        #expect(taken.map(\.token) == [1, 2, 3, 4, 5])
        #expect(taken.allSatisfy { $0.job.state == .running && $0.number == 1 })
    }

    @Test(arguments: SQLEngine.allCases)
    func sameKeyGivesTheSameJob(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        let request = JobRequest(kind: "train", payload: ["x": 1], idempotencyKey: "k")
        let queue = fixture.queue
        let ids = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<20 { group.addTask { try await queue.submit(request).id } }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(ids.count == 1)
        #expect(try await queue.jobs().count == 1)
        await #expect(throws: JobFailure.keyTaken(key: "k", kind: "train")) {
            try await queue.submit(JobRequest(kind: "other", idempotencyKey: "k"))
        }
    }

    @Test(arguments: SQLEngine.allCases)
    func aJobExistsIfAndOnlyIfTheChangeThatSubmitsItDoes(_ engine: SQLEngine) async throws {
        struct Undone: Error {}
        let fixture = try await QueueFixture(engine)
        let now = fixture.time.now
        await #expect(throws: Undone.self) {
            try await fixture.database.write { transaction in
                try JobQueue.submit(JobRequest(kind: "a"), id: "1", at: now, in: transaction)
                throw Undone()
            }
        }
        #expect(try await fixture.queue.jobs().isEmpty)
        try await fixture.database.write { transaction in
            _ = try JobQueue.submit(JobRequest(kind: "a"), id: "1", at: now, in: transaction)
        }
        #expect(try await fixture.queue.jobs().map(\.id) == ["1"])
    }

    @Test(arguments: SQLEngine.allCases)
    func theEffectIsCommittedWithTheStateAndOnce(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        try await fixture.database.write { try $0.script("CREATE TABLE effects (job TEXT)") }
        let job = try await fixture.queue.submit(JobRequest(kind: "a"))
        let attempt = try #require(try await fixture.queue.claim(worker).first)
        struct Broken: Error {}
        await #expect(throws: Broken.self) {
            _ = try await fixture.queue.finish(attempt, .succeeded(.null)) { transaction in
                try transaction.execute("INSERT INTO effects (job) VALUES (?)", [.text(job.id)])
                throw Broken()
            }
        }
        #expect(try await fixture.queue.job(job.id).state == .running)
        for expected in [JobVerdict.recorded(.succeeded), .stale, .stale] {
            let verdict = try await fixture.queue.finish(attempt, .succeeded(["rows": 3])) { transaction in
                try transaction.execute("INSERT INTO effects (job) VALUES (?)", [.text(job.id)])
            }
            #expect(verdict == expected)
        }
        let effects = try await fixture.database.read { try $0.query("SELECT job FROM effects") }
        #expect(effects.count == 1)
        let done = try await fixture.queue.job(job.id)
        #expect(done.state == .succeeded)
        #expect(done.result == ["rows": 3])
        #expect(done.worker == nil)
    }

    @Test(arguments: SQLEngine.allCases)
    func aFailureIsTriedAgainAfterItsDelayUntilAttemptsAreUsed(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        let policy = RetryPolicy(attempts: 3, baseSeconds: 10, maxSeconds: 15)
        let job = try await fixture.queue.submit(JobRequest(kind: "a", owner: "ann", retry: policy))
        for (failures, longest) in [(1, 10.0), (2, 15.0)] {
            let attempt = try #require(try await fixture.queue.claim(worker).first)
            #expect(attempt.number == failures)
            #expect(attempt.execution == "\(job.id)-\(failures)")
            #expect(
                try await fixture.queue.finish(attempt, .failed("exit 1", retryable: true)) == .recorded(.queued))
            let waiting = try await fixture.queue.job(job.id)
            let delay = try #require(waiting.retryAt).seconds(since: fixture.time.now)
            #expect(delay >= longest / 2 && delay <= longest)
            #expect(try await fixture.queue.claim(worker).isEmpty)
            fixture.time.move(bySeconds: longest)
        }
        let last = try #require(try await fixture.queue.claim(worker).first)
        #expect(try await fixture.queue.finish(last, .failed("exit 2", retryable: true)) == .recorded(.failed))
        let failed = try await fixture.queue.job(job.id)
        #expect(failed.error == "exit 2")
        #expect(failed.failures == 3)
        let entries = try await Journal(fixture.database).entries(type: "job.failed")
        #expect(entries.map(\.principal) == ["ann"])
    }

    @Test(arguments: SQLEngine.allCases)
    func aFailureThatCanNotMendEndsTheJob(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        try await fixture.queue.submit(JobRequest(kind: "a"))
        let attempt = try #require(try await fixture.queue.claim(worker).first)
        #expect(try await fixture.queue.finish(attempt, .failed("bad", retryable: false)) == .recorded(.failed))
    }

    @Test(arguments: SQLEngine.allCases)
    func aWaitingJobIsCancelledAtOnceAndARunningOneIsTold(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        let first = try await fixture.queue.submit(JobRequest(kind: "a"), by: "ann")
        let attempt = try #require(try await fixture.queue.claim(worker).first)
        let second = try await fixture.queue.submit(JobRequest(kind: "b"))
        #expect(try await fixture.queue.cancel(second.id, by: "bob", reason: "not needed").state == .cancelled)
        #expect(try await fixture.queue.heartbeat([attempt]) == [attempt.token: .goOn])
        #expect(try await fixture.queue.cancel(first.id, by: "bob").state == .running)
        #expect(try await fixture.queue.heartbeat([attempt]) == [attempt.token: .cancel])
        // What fails while its end is wanted is not tried again.
        #expect(
            try await fixture.queue.finish(attempt, .failed("killed", retryable: true)) == .recorded(.cancelled))
        #expect(try await fixture.queue.job(first.id).error == "cancelled by bob")
        #expect(try await fixture.queue.heartbeat([attempt]) == [attempt.token: .lost])
        let types = try await Journal(fixture.database).entries().map(\.type)
        #expect(types == ["job.submitted", "job.cancelled", "job.cancelled"])
        await #expect(throws: JobFailure.unknownJob("x")) { try await fixture.queue.cancel("x", by: "bob") }
    }

    @Test(arguments: SQLEngine.allCases)
    func limitsHoldOverAllWorkers(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        try await fixture.queue.setLimit(JobLimit(.tag, "gpu-pool", runningMax: 2))
        try await fixture.queue.setLimit(JobLimit(.owner, "ann", runningMax: 3, queuedMax: 5))
        try await fixture.queue.setLimit(JobLimit(.token, "licence", runningMax: 5))
        for _ in 0..<4 { try await fixture.queue.submit(JobRequest(kind: "t", tags: ["gpu-pool"])) }
        for _ in 0..<5 { try await fixture.queue.submit(JobRequest(kind: "o", owner: "ann")) }
        await #expect(throws: JobFailure.quota(owner: "ann", queuedMax: 5)) {
            try await fixture.queue.submit(JobRequest(kind: "o", owner: "ann"))
        }
        for _ in 0..<3 {
            try await fixture.queue.submit(
                JobRequest(kind: "l", resources: JobResources(tokens: ["licence": 2])))
        }
        var taken: [JobAttempt] = []
        for name in ["w1", "w2", "w3"] { taken += try await fixture.queue.claim(.named(name, slots: 20), most: 20) }
        let counts = Dictionary(grouping: taken, by: \.job.request.kind).mapValues(\.count)
        #expect(counts == ["t": 2, "o": 3, "l": 2])
        let held = try #require(taken.first { $0.job.request.kind == "l" })
        _ = try await fixture.queue.finish(held, .succeeded(.null))
        #expect(try await fixture.queue.claim(.named("w1", slots: 20), most: 9).map(\.job.request.kind) == ["l"])
    }

    @Test(arguments: SQLEngine.allCases)
    func aWorkerTakesWhatItHasRoomFor(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        let worker = JobWorker(
            name: "w", queues: ["fast"],
            capacity: JobCapacity(slots: 10, millicores: 4000, memoryBytes: 8 << 30, tokens: ["gpu": 1]))
        func submit(_ kind: String, _ resources: JobResources, queue: String = "fast") async throws {
            try await fixture.queue.submit(JobRequest(kind: kind, queue: queue, resources: resources))
        }
        try await submit("elsewhere", JobResources(), queue: "slow")
        try await submit("huge", JobResources(memoryBytes: 9 << 30))
        try await submit("gpu1", JobResources(tokens: ["gpu": 1]))
        try await submit("gpu2", JobResources(tokens: ["gpu": 1]))
        try await submit("cpu1", JobResources(millicores: 3000))
        try await submit("cpu2", JobResources(millicores: 2000))
        try await submit("cpu3", JobResources(millicores: 1000))
        let taken = try await fixture.queue.claim(worker, most: 10)
        #expect(taken.map(\.job.request.kind) == ["gpu1", "cpu1", "cpu3"])
    }

    @Test(arguments: SQLEngine.allCases)
    func roomIsKeptForAJobThatWaitsLongForIt(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        let worker = JobWorker.named("w", slots: 4)
        try await fixture.queue.submit(JobRequest(kind: "small"))
        let running = try await fixture.queue.claim(worker)
        let large = try await fixture.queue.submit(JobRequest(kind: "large", resources: JobResources(slots: 4)))
        let small = try await fixture.queue.submit(JobRequest(kind: "small"))
        #expect(try await fixture.queue.claim(worker, most: 9).map(\.job.id) == [small.id])
        let late = try await fixture.queue.submit(JobRequest(kind: "small"))
        fixture.time.move(bySeconds: JobQueue.reserveAfterSeconds)
        try await fixture.queue.announce(worker)
        #expect(try await fixture.queue.claim(worker, most: 9).isEmpty)
        let why = try await fixture.queue.explain(late.id)
        #expect(why.summary.contains("kept for job '\(large.id)'"))
        for attempt in running { _ = try await fixture.queue.finish(attempt, .succeeded(.null)) }
        #expect(try await fixture.queue.claim(worker, most: 9).isEmpty)
    }

    @Test(arguments: SQLEngine.allCases)
    func finalJobsArePruned(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        try await fixture.queue.submit(JobRequest(kind: "old", idempotencyKey: "k"))
        let attempt = try #require(try await fixture.queue.claim(worker).first)
        _ = try await fixture.queue.finish(attempt, .succeeded(.null))
        fixture.time.move(bySeconds: 100)
        let waiting = try await fixture.queue.submit(JobRequest(kind: "new"))
        #expect(try await fixture.queue.prune(endedBefore: fixture.time.now) == 1)
        #expect(try await fixture.queue.jobs().map(\.id) == [waiting.id])
        #expect(try await fixture.queue.claim(worker).map(\.job.id) == [waiting.id])
        try await fixture.queue.submit(JobRequest(kind: "again", idempotencyKey: "k"))
    }

    @Test(arguments: SQLEngine.allCases)
    func metricsTellWhatTheQueueDoes(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        try await fixture.queue.setLimit(JobLimit(.tag, "t", runningMax: 1))
        for _ in 0..<3 { try await fixture.queue.submit(JobRequest(kind: "a", tags: ["t"])) }
        _ = try await fixture.queue.claim(worker, most: 3)
        fixture.time.move(bySeconds: 2)
        try await fixture.queue.maintain()
        let text = fixture.metrics.prometheusText()
        for line in [
            "modelworks_jobs_queued 2", "modelworks_jobs_running 1", "modelworks_jobs_oldest_wait_seconds 2",
            "modelworks_jobs_limit_in_use{name=\"t\",scope=\"tag\"} 1",
        ] { #expect(text.contains(line), "\(line) in \(text)") }
    }
}
