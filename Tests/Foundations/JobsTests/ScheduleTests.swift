import Basics
import Engines
import Testing

@testable import Jobs

/// Schedules fire each interval once, over several processes and clocks that jump.
@Suite struct ScheduleTests {
    private func schedule(catchUp: Int = 0) -> JobSchedule {
        JobSchedule(
            name: "hourly", everySeconds: 3600, anchor: Timestamp(seconds: 600), catchUp: catchUp,
            request: JobRequest(kind: "report"))
    }

    @Test func intervalsAreAlignedToTheAnchor() {
        let schedule = schedule()
        for (seconds, slot) in [(600, 0), (4199, 0), (4200, 1), (599, -1), (-3000, -1), (-3001, -2)] {
            #expect(schedule.slot(at: Timestamp(seconds: Int64(seconds))) == Int64(slot))
        }
        #expect(schedule.start(of: 2) == Timestamp(seconds: 7800))
    }

    @Test(arguments: SQLEngine.allCases)
    func oneJobPerIntervalOverProcesses(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        try await fixture.queue.setSchedule(schedule())
        let queues = [fixture.queue, try fixture.another()]
        var fired: [Job] = []
        for _ in 0..<20 {
            fired += try await withThrowingTaskGroup(of: [Job].self) { group in
                for queue in queues + queues { group.addTask { try await queue.fire() } }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            fixture.time.move(bySeconds: 900)
        }
        let keys = fired.compactMap(\.request.idempotencyKey)
        #expect(keys.count == Set(keys).count)
        // 20 quarter hours from 1,700,000,000 s, which is 200 s into an interval, touch 5 intervals.
        #expect(keys.count == 5)
    }

    @Test(arguments: SQLEngine.allCases)
    func anOwnerWhoseQueueIsFullHoldsUpNoOther(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        var crowded = JobRequest(kind: "report")
        crowded.owner = "ann"
        try await fixture.queue.setLimit(JobLimit(.owner, "ann", runningMax: nil, queuedMax: 1))
        try await fixture.queue.submit(crowded, by: "user:ann")
        try await fixture.queue.setSchedule(
            JobSchedule(name: "a-full", everySeconds: 3600, anchor: Timestamp(seconds: 0), request: crowded))
        try await fixture.queue.setSchedule(schedule())
        #expect(
            try await fixture.queue.fire().compactMap(\.request.idempotencyKey).map { $0.prefix(15) } == [
                "schedule/hourly"
            ])
        try await fixture.queue.setLimit(JobLimit(.owner, "ann", runningMax: nil, queuedMax: 2))
        #expect(try await fixture.queue.fire().map(\.request.owner) == ["ann"])
    }

    @Test(arguments: SQLEngine.allCases)
    func aClockThatGoesBackFiresNothingTwiceAndSkipsNothing(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        try await fixture.queue.setSchedule(schedule())
        #expect(try await fixture.queue.fire().count == 1)
        fixture.time.move(bySeconds: 3 * 3600)
        #expect(try await fixture.queue.fire().count == 1)
        // Set right again: the interval that was jumped over comes, the first one does not come again.
        fixture.time.move(bySeconds: -2 * 3600)
        #expect(try await fixture.queue.fire().count == 1)
        fixture.time.move(bySeconds: -3600)
        #expect(try await fixture.queue.fire().isEmpty)
        fixture.time.move(bySeconds: 2 * 3600)
        #expect(try await fixture.queue.fire().count == 1)
        fixture.time.move(bySeconds: 3600)
        #expect(try await fixture.queue.fire().isEmpty)
    }

    @Test(arguments: SQLEngine.allCases)
    func missedIntervalsAreMadeUpForAsFarAsAsked(_ engine: SQLEngine) async throws {
        let fixture = try await QueueFixture(engine)
        try await fixture.queue.setSchedule(schedule(catchUp: 3))
        #expect(try await fixture.queue.fire().count == 1)
        fixture.time.move(bySeconds: 2 * 3600)
        #expect(try await fixture.queue.fire().count == 2)
        fixture.time.move(bySeconds: 10 * 3600)
        #expect(try await fixture.queue.fire().count == 4)
        #expect(try await fixture.queue.schedules() == [schedule(catchUp: 3)])
        try await fixture.queue.removeSchedule("hourly")
        await #expect(throws: JobFailure.unknownSchedule("hourly")) {
            try await fixture.queue.removeSchedule("hourly")
        }
    }
}
