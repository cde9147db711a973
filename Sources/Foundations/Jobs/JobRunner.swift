import Basics
import SQL
import Telemetry

/// Ties a queue to an executor: takes jobs, starts them, keeps their leases, follows them and reports how they ended.
///
/// A restart re-attaches: the attempts of the worker's name are taken over with new tokens, and `start` with the same
/// execution id gives the execution that is there already. A runner that can not reach the database for the length of
/// a lease ends what it runs, because the job may belong to another by then.
public actor JobRunner {
    private struct Work {
        let attempt: JobAttempt
        var handle: String?
        var cancelling = false
        var finishing = false
    }

    private let queue: JobQueue
    private let executor: any JobExecutor
    private let worker: JobWorker
    private let handlers: [String: JobHandler]
    private let logger: Logger
    private let graceSeconds: Double
    private let pollSeconds: Double
    private var work: [Int64: Work] = [:]
    private var loop: Task<Void, Never>?
    private let claimSeconds: Double
    private let retention: JobRetention?
    private var pause: Task<Void, Never>?
    private var woken = false
    private var lastBeat: UInt64?
    private var lastClaim: UInt64?
    private var lastAnnouncement: UInt64?
    private var lastSweep: UInt64?
    private var lastAnswer: UInt64
    private var mayHaveStrays = true
    private var draining = false

    /// - Parameters:
    ///   - name: the worker's, the same after a restart; one process at a time has it.
    ///   - capacity: nil takes the executor's slots, or 4 where it has no number.
    ///   - handlers: by kind; other kinds are left to others.
    ///   - graceSeconds: what a cancelled job gets to end by itself.
    ///   - pollSeconds: how often executions are looked at.
    ///   - claimSeconds: how often the database is asked for new jobs while nothing wakes the runner; nil at every look.
    ///   - retention: what is kept of jobs that have ended; nil keeps no logs, and the jobs for ever.
    public init(
        queue: JobQueue, executor: any JobExecutor, name: String, capacity: JobCapacity? = nil,
        queues: [String]? = nil, handlers: [String: JobHandler], logger: Logger,
        graceSeconds: Double = 10, pollSeconds: Double = 0.5, claimSeconds: Double? = nil,
        retention: JobRetention? = nil
    ) {
        self.queue = queue
        self.executor = executor
        self.handlers = handlers
        self.logger = logger.with(["worker": .string(name)])
        self.graceSeconds = graceSeconds
        self.pollSeconds = min(max(pollSeconds, 0.01), queue.leases.heartbeatSeconds)
        self.claimSeconds = min(claimSeconds ?? 0, queue.leases.heartbeatSeconds)
        self.retention = retention
        worker = JobWorker(
            name: name, queues: queues, kinds: handlers.keys.sorted(),
            capacity: capacity ?? JobCapacity(slots: executor.slots ?? 4))
        lastAnswer = SystemTime.monotonicNanoseconds
    }

    /// Takes over what an earlier process of this name left, then works until `stop`.
    public func start() async throws {
        guard loop == nil, !draining else { return }
        work = [:]
        try await announce()
        for attempt in try await queue.adopt(worker.name) {
            work[attempt.token] = Work(attempt: attempt, handle: attempt.handle)
            if let handle = attempt.handle { _ = try? await executor.reattach(handle) }
        }
        lastAnswer = SystemTime.monotonicNanoseconds
        loop = Task { [weak self] in
            while !Task.isCancelled {
                await self?.round()
                await self?.rest()
            }
        }
    }

    /// Has the runner look at once for new jobs and for jobs whose end was asked for.
    public func wake() {
        woken = true
        lastBeat = nil
        lastClaim = nil
        pause?.cancel()
    }

    private func rest() async {
        defer { woken = false }
        guard !woken, !draining else { return }
        let seconds = work.isEmpty ? max(pollSeconds, claimSeconds) : pollSeconds
        let pause = Task { _ = try? await Task.sleep(for: .seconds(seconds)) }
        self.pause = pause
        await withTaskCancellationHandler {
            await pause.value
        } onCancel: {
            pause.cancel()
        }
    }

    /// Stops taking jobs, and stops.
    /// - Parameter endJobs: whether what runs is ended and given back to the queue; otherwise it goes on and the next
    ///   process of this name carries it on.
    public func stop(endJobs: Bool = false) async {
        draining = true
        loop?.cancel()
        pause?.cancel()
        await loop?.value
        loop = nil
        if endJobs {
            for token in work.keys.sorted() { await giveBack(token) }
            try? await queue.withdraw(worker.name)
        }
    }

    /// How many attempts it holds.
    public var held: Int { work.count }

    /// One look at everything: keeps the leases, follows what runs, takes what may run.
    func round() async {
        do {
            if isBeatDue {
                lastBeat = SystemTime.monotonicNanoseconds
                try await beat()
            }
            for token in work.keys.sorted() { await follow(token) }
            if !draining, isDue(lastClaim, after: claimSeconds) {
                lastClaim = SystemTime.monotonicNanoseconds
                try await take()
            }
        } catch {
            logger.warning("the job queue can not be reached", ["error": .string("\(error)")])
            await endWhatMayBelongToOthers()
        }
    }

    private var isBeatDue: Bool { isDue(lastBeat, after: queue.leases.heartbeatSeconds * 0.9) }

    private func isDue(_ last: UInt64?, after seconds: Double) -> Bool {
        guard let last else { return true }
        return Double(SystemTime.monotonicNanoseconds &- last) / 1e9 >= seconds
    }

    private func announce() async throws {
        try await queue.announce(worker)
        lastAnnouncement = SystemTime.monotonicNanoseconds
    }

    private func beat() async throws {
        let signals = try await queue.heartbeat(work.values.map(\.attempt))
        lastAnswer = SystemTime.monotonicNanoseconds
        for (token, signal) in signals {
            switch signal {
            case .goOn: break
            case .cancel: await askToEnd(token)
            case .lost:
                // Whoever holds the job now carries the execution on; it is not ours to end.
                logger.warning("a lease was lost", ["job": .string(work[token]?.attempt.job.id ?? "")])
                work[token] = nil
                mayHaveStrays = true
            }
        }
        try await queue.maintain()
        try await queue.fire()
        if isDue(lastAnnouncement, after: queue.leases.seconds) { try await announce() }
        if mayHaveStrays { await endStrays() }
        if let retention, isDue(lastSweep, after: JobRunner.sweepSeconds) {
            lastSweep = SystemTime.monotonicNanoseconds
            await sweep(retention)
        }
    }

    private static let sweepSeconds = 600.0

    private func take() async throws {
        // Executors with slots free them a moment after the end of a job was seen.
        let room = worker.capacity.slots - work.count
        guard room > 0 else { return }
        for attempt in try await queue.claim(worker, most: room) {
            work[attempt.token] = Work(attempt: attempt, handle: nil)
            await follow(attempt.token)
        }
    }

    private func follow(_ token: Int64) async {
        guard let item = work[token], !item.finishing else { return }
        do {
            guard let handle = item.handle else { return try await begin(token, item.attempt) }
            let execution = try await executor.status(handle)
            if execution.state.isFinal { await end(token, handle, execution) }
        } catch JobFailure.unknownExecution {
            await report(token, .interrupted("the executor no longer knows it"))
        } catch {
            logger.warning(
                "an execution can not be looked at",
                ["job": .string(item.attempt.job.id), "error": .string("\(error)")])
        }
    }

    private func begin(_ token: Int64, _ attempt: JobAttempt) async throws {
        guard let handler = handlers[attempt.job.request.kind] else {
            return await report(token, .failed("nothing here handles its kind", retryable: true))
        }
        do {
            var spec = try await handler.spec(attempt.job)
            if spec.limits.timeSeconds == nil { spec.limits.timeSeconds = attempt.job.request.timeLimitSeconds }
            let handle = try await executor.start(spec, id: attempt.execution)
            work[token]?.handle = handle
            if try await queue.note(handle: handle, of: attempt) == .stale { work[token] = nil }
        } catch JobFailure.noFreeSlot {
            return
        } catch let failure as any Failure {
            // What may pass is tried again at the next look, while the lease is kept.
            if failure.code == .unavailable || failure.code == .deadlineExceeded { throw failure }
            await report(token, .failed(failure.description, retryable: false))
        } catch {
            await report(token, .failed("\(error)", retryable: true))
        }
    }

    private func end(_ token: Int64, _ handle: String, _ execution: JobExecution) async {
        guard let attempt = work[token]?.attempt else { return }
        let reason = execution.reason ?? "it ended as \(execution.state.rawValue)"
        switch execution.state {
        case .succeeded:
            do {
                let log = try await executor.logs(handle, from: 0, limit: 1 << 20).text
                let result = try await handlers[attempt.job.request.kind]?.result(attempt.job, log) ?? .null
                await report(token, .succeeded(result))
            } catch let failure as any Failure where failure.code == .unavailable {
                logger.warning("a result can not be read", ["error": .string("\(failure)")])
            } catch {
                await report(token, .failed("its result can not be used: \(error)", retryable: true))
            }
        case .cancelled where work[token]?.cancelling == true: await report(token, .cancelled(reason))
        // Ended by somebody at the executor itself.
        case .cancelled, .interrupted: await report(token, .interrupted(reason))
        case .failed, .timedOut, .outOfMemory, .pending, .running:
            await report(token, .failed(reason, retryable: true))
        }
    }

    /// Reports an end; where the database can not be reached, the next look does it again.
    private func report(_ token: Int64, _ outcome: JobOutcome) async {
        guard let item = work[token], !item.finishing else { return }
        work[token]?.finishing = true
        let job = item.attempt.job
        let effect = handlers[job.request.kind]?.effect
        do {
            let verdict = try await queue.finish(item.attempt, outcome) { transaction in
                if case .succeeded(let result) = outcome { try effect?(job, result, transaction) }
            }
            logger.info(
                "an attempt ended", ["job": .string(job.id), "outcome": .string("\(outcome)".prefix(200).description)])
            work[token] = nil
            // There is room now.
            lastClaim = nil
            if case .stale = verdict { mayHaveStrays = true }
            if case .recorded = verdict, retention == nil, let handle = item.handle {
                try? await executor.forget(handle)
            }
        } catch let failure as any Failure where failure.code == .unavailable || failure.code == .resourceExhausted {
            work[token]?.finishing = false
        } catch {
            // The effect itself was refused: the work is done but can not be used.
            work[token]?.finishing = false
            if case .succeeded = outcome {
                await report(token, .failed("its effect was refused: \(error)", retryable: true))
            }
        }
    }

    private func askToEnd(_ token: Int64) async {
        guard let item = work[token], !item.cancelling else { return }
        work[token]?.cancelling = true
        guard let handle = item.handle else { return await report(token, .cancelled("cancelled before it began")) }
        do {
            try await executor.cancel(handle, graceSeconds: graceSeconds)
        } catch {
            // Asked again at the next heartbeat.
            work[token]?.cancelling = false
        }
    }

    private func giveBack(_ token: Int64) async {
        guard let item = work[token] else { return }
        if let handle = item.handle {
            try? await executor.cancel(handle, graceSeconds: graceSeconds)
            let deadline = SystemTime.monotonicNanoseconds + UInt64((graceSeconds + 5) * 1e9)
            while SystemTime.monotonicNanoseconds < deadline,
                (try? await executor.status(handle).state.isFinal) == false
            { try? await Task.sleep(for: .milliseconds(50)) }
        }
        await report(token, .interrupted("its worker was shut down"))
    }

    private func endWhatMayBelongToOthers() async {
        let silence = Double(SystemTime.monotonicNanoseconds &- lastAnswer) / 1e9
        guard silence > queue.leases.seconds, executor.isLocal else { return }
        for item in work.values {
            guard let handle = item.handle else { continue }
            try? await executor.cancel(handle, graceSeconds: graceSeconds)
        }
    }

    /// Ends executions of jobs that need them no more: those whose job ended while nobody was there to end them, and on
    /// this machine those whose job another worker has begun anew, because nothing that they come to can count.
    private func endStrays() async {
        do {
            let running = try await executor.running()
            let held = Set(work.values.map(\.attempt.execution))
            let others = running.keys.filter { !held.contains($0) }.sorted()
            for id in try await queue.unneeded(others, by: executor.isLocal ? worker.name : nil) {
                guard let handle = running[id] else { continue }
                logger.warning("an execution that no job needs is ended", ["execution": .string(id)])
                try? await executor.cancel(handle, graceSeconds: graceSeconds)
            }
            // A job that waits may still come back to what runs here, or be begun elsewhere.
            mayHaveStrays = executor.isLocal && !others.isEmpty
        } catch {
            logger.warning("executions can not be listed", ["error": .string("\(error)")])
        }
    }

    private func sweep(_ retention: JobRetention) async {
        do {
            for (token, handle) in try await queue.forgettable(by: worker.name, endedForSeconds: retention.logSeconds) {
                try? await executor.forget(handle)
                try await queue.forgot(token)
            }
            try await queue.prune(endedForSeconds: max(retention.jobSeconds, retention.logSeconds))
        } catch {
            logger.warning("what is left of old jobs is still kept", ["error": .string("\(error)")])
        }
    }
}
