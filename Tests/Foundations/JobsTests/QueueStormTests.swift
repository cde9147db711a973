import Basics
import Engines
import Foundation
import SQL
import Testing

@testable import Jobs

/// Random work of several workers that crash, with a clock that jumps, against a model small enough to be seen right.
@Suite struct QueueStormTests {
    /// What must be so: which token of a job counts, which jobs are final, and who was heard of when.
    private struct Model {
        var current: [String: Int64] = [:]
        var final: [String: JobState] = [:]
        var looksSinceBeat: [Int64: Int] = [:]
        var held: [String: [JobAttempt]] = [:]
        var gone: [JobAttempt] = []
        var jobs: [String] = []
    }

    private static let limits = [
        JobLimit(.tag, "a", runningMax: 1), JobLimit(.tag, "b", runningMax: 2), JobLimit(.owner, "ann", runningMax: 3),
        JobLimit(.token, "licence", runningMax: 3), JobLimit(.queue, "default", runningMax: 5),
    ]
    private static let workers = ["w1", "w2", "w3"].map { JobWorker.named($0, slots: 3) }

    @Test(arguments: SQLEngine.allCases)
    func randomWorkKeepsEveryPromise(_ engine: SQLEngine) async throws {
        let seed = ProcessInfo.processInfo.environment["SEED"].flatMap { UInt64($0) } ?? 1
        for round in 0..<UInt64(engine == .sqlite ? 6 : 2) { try await storm(engine, seed: seed &+ round, steps: 200) }
    }

    @Test(.enabled(if: ProcessInfo.processInfo.environment["MODELWORKS_SOAK"] == "1"), arguments: SQLEngine.allCases)
    func randomWorkKeepsEveryPromiseSoak(_ engine: SQLEngine) async throws {
        for seed in 100..<UInt64(200) { try await storm(engine, seed: seed, steps: 500) }
    }

    private func storm(_ engine: SQLEngine, seed: UInt64, steps: Int) async throws {
        let fixture = try await QueueFixture(engine)
        let random = SeededRandom(seed: seed)
        func pick(_ count: Int) -> Int { Int(random.next() % UInt64(max(1, count))) }
        try await fixture.database.write { try $0.script("CREATE TABLE effects (job TEXT NOT NULL)") }
        for limit in Self.limits { try await fixture.queue.setLimit(limit) }
        var model = Model()
        for step in 0..<steps {
            let worker = Self.workers[pick(Self.workers.count)]
            switch pick(20) {
            case 0..<5: try await submit(fixture, &model, pick)
            case 5..<9: try await claim(fixture, &model, worker, most: 1 + pick(3))
            case 9..<12:
                let held = model.held[worker.name] ?? []
                if let attempt = held.isEmpty ? nil : held[pick(held.count)] {
                    try await finish(fixture, &model, attempt, pick(5))
                }
            case 12:
                // A worker that was given up speaks after all.
                if !model.gone.isEmpty {
                    try await finish(fixture, &model, model.gone[pick(model.gone.count)], pick(5))
                }
            case 13: model.gone += model.held.removeValue(forKey: worker.name) ?? []
            case 14: try await adopt(fixture, &model, worker)
            case 15:
                if !model.jobs.isEmpty {
                    let id = model.jobs[pick(model.jobs.count)]
                    let job = try await fixture.queue.cancel(id, by: "ann")
                    if job.state == .cancelled, model.final[id] == nil { model.final[id] = .cancelled }
                }
            case 16: fixture.time.move(bySeconds: pick(2) == 0 ? 3600 : -3600)
            default: try await look(fixture, &model)
            }
            try await check(fixture, model, "seed \(seed), step \(step)")
        }
        try await drain(fixture, &model, "seed \(seed)")
    }

    private func submit(_ fixture: QueueFixture, _ model: inout Model, _ pick: (Int) -> Int) async throws {
        let job = try await fixture.queue.submit(
            JobRequest(
                kind: "k", priority: pick(3), tags: [["a"], ["b"], ["a", "b"], []][pick(4)],
                owner: ["ann", "bob"][pick(2)], idempotencyKey: pick(4) == 0 ? "key\(pick(10))" : nil,
                retry: RetryPolicy(attempts: 1 + pick(3), baseSeconds: 1, maxSeconds: 4, interruptions: 1000),
                resources: JobResources(tokens: pick(3) == 0 ? ["licence": 1 + pick(3)] : [:])))
        if !model.jobs.contains(job.id) { model.jobs.append(job.id) }
    }

    private func claim(_ fixture: QueueFixture, _ model: inout Model, _ worker: JobWorker, most: Int) async throws {
        for attempt in try await fixture.queue.claim(worker, most: most) {
            let id = attempt.job.id
            #expect(model.current[id] == nil && model.final[id] == nil)
            model.current[id] = attempt.token
            model.looksSinceBeat[attempt.token] = 0
            model.held[worker.name, default: []].append(attempt)
        }
    }

    private func adopt(_ fixture: QueueFixture, _ model: inout Model, _ worker: JobWorker) async throws {
        model.gone += model.held.removeValue(forKey: worker.name) ?? []
        let adopted = try await fixture.queue.adopt(worker.name)
        for attempt in adopted {
            #expect(attempt.token > (model.current[attempt.job.id] ?? .max))
            model.current[attempt.job.id] = attempt.token
            model.looksSinceBeat[attempt.token] = 0
        }
        model.held[worker.name] = adopted
    }

    private func finish(
        _ fixture: QueueFixture, _ model: inout Model, _ attempt: JobAttempt, _ choice: Int
    ) async throws {
        let id = attempt.job.id
        let outcome: JobOutcome =
            switch choice {
            case 0, 1: .succeeded(.null)
            case 2: .failed("x", retryable: true)
            case 3: .failed("x", retryable: false)
            default: .interrupted("x")
            }
        let verdict = try await fixture.queue.finish(attempt, outcome) { transaction in
            try transaction.execute("INSERT INTO effects (job) VALUES (?)", [.text(id)])
        }
        let counts = model.current[id] == attempt.token
        #expect((verdict != .stale) == counts)
        for name in model.held.keys { model.held[name]?.removeAll { $0.token == attempt.token } }
        guard case .recorded(let state) = verdict else { return }
        model.current[id] = nil
        if state.isFinal { model.final[id] = state }
        if choice < 2 { #expect(state == .succeeded) }
        if choice == 3 { #expect(state == .failed || state == .cancelled) }
    }

    /// One heartbeat passes: the workers that live are heard of, then one process looks.
    private func look(_ fixture: QueueFixture, _ model: inout Model) async throws {
        for attempts in model.held.values {
            let signals = try await fixture.queue.heartbeat(attempts)
            for attempt in attempts {
                let counts = model.current[attempt.job.id] == attempt.token
                #expect((signals[attempt.token] != .lost) == counts)
                model.looksSinceBeat[attempt.token] = 0
            }
        }
        for token in model.looksSinceBeat.keys { model.looksSinceBeat[token, default: 0] += 1 }
        fixture.time.move(bySeconds: 1)
        for id in try await fixture.queue.maintain() {
            let token = try #require(model.current[id])
            model.current[id] = nil
            #expect(model.looksSinceBeat[token, default: 0] >= fixture.queue.leases.missedMax)
            let state = try await fixture.queue.job(id).state
            if state.isFinal { model.final[id] = state }
        }
    }

    private func check(_ fixture: QueueFixture, _ model: Model, _ place: String) async throws {
        let jobs = try await fixture.queue.jobs(limit: 10_000)
        let running = jobs.filter { $0.state == .running }
        #expect(Set(running.map(\.id)) == Set(model.current.keys), "\(place)")
        for job in jobs where job.state.isFinal || model.final[job.id] != nil {
            #expect(model.final[job.id] == job.state, "\(place)")
        }
        for limit in Self.limits {
            let used = running.reduce(0) { sum, job in
                switch limit.scope {
                case .tag: sum + (job.request.tags.contains(limit.name) ? 1 : 0)
                case .owner: sum + (job.request.owner == limit.name ? 1 : 0)
                case .queue: sum + (job.request.queue == limit.name ? 1 : 0)
                case .token: sum + (job.request.resources.tokens[limit.name] ?? 0)
                }
            }
            #expect(used <= limit.runningMax ?? .max, "\(place): \(limit)")
        }
        for worker in Self.workers {
            #expect(running.count { $0.worker == worker.name } <= worker.capacity.slots, "\(place)")
        }
        let effects = try await fixture.database.read { transaction in
            try transaction.query("SELECT job FROM effects").map { try $0.string("job") }
        }
        #expect(effects.sorted() == jobs.filter { $0.state == .succeeded }.map(\.id).sorted(), "\(place)")
    }

    /// With workers that live and a clock that runs, everything ends: nothing is stuck.
    private func drain(_ fixture: QueueFixture, _ model: inout Model, _ place: String) async throws {
        model.gone += model.held.values.joined()
        model.held = [:]
        for worker in Self.workers { try await fixture.queue.announce(worker) }
        for _ in 0..<400 {
            try await look(fixture, &model)
            for worker in Self.workers {
                try await claim(fixture, &model, worker, most: 3)
                for attempt in model.held[worker.name] ?? [] { try await finish(fixture, &model, attempt, 0) }
            }
            if model.jobs.allSatisfy({ model.final[$0] != nil }) { break }
        }
        try await check(fixture, model, place)
        for id in model.jobs where model.final[id] == nil {
            Issue.record("\(place): \(try await fixture.queue.explain(id).summary)")
        }
    }
}
