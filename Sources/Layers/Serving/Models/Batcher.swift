import Basics
import Dispatch
import Inference
import Synchronization

/// Gives requests to a model their turn: at once where the model is free, together where they have waited anyway.
///
/// Nothing waits for company. When a thread of the model is free, it takes what waits, as much as the latency budget
/// allows, so that batches grow exactly with the load. Only where the configuration asks for it is a request held back,
/// and never one that is alone.
final class Batcher: Sendable {
    private struct State {
        /// In the order in which they go: by priority, then by arrival.
        var waiting: [WaitingRequest] = []
        /// Threads of the model that have nothing to do.
        var idle: [Int]
        /// Runs under way, those on callers' own threads too.
        var running = 0
        /// The thread that holds requests back; the others rest until it has gone on.
        var holder: Int?
    }

    /// What a thread of the model does next.
    private enum Turn {
        case run([WaitingRequest], rows: Int, close: BatchClose)
        case hold(until: UInt64)
        case rest
    }

    /// A model whose run takes less, in nanoseconds, is run where the request is: handing it over would cost as much.
    static let quickNanoseconds = 100_000.0

    private let name: String
    private let runner: ModelRunner
    private let configuration: ModelConfiguration
    private let limits: BatchPlan.Limits
    private let instances: Int
    private let threads: [BlockingThread]
    private let state: Mutex<State>
    private let arrival = DispatchSemaphore(value: 0)

    /// - Parameter instances: how many runs go on at once.
    init(_ name: String, runner: ModelRunner, configuration: ModelConfiguration, instances: Int) {
        self.name = name
        self.runner = runner
        self.configuration = configuration
        self.instances = max(1, instances)
        limits = BatchPlan.Limits(
            rows: configuration.maxBatchSize ?? ModelConfiguration.rowsMax,
            budget: Double(max(0, configuration.latencyBudgetMicroseconds)) * 1000)
        threads = (0..<self.instances).map { BlockingThread(name: "model.\(name).\($0)") }
        state = Mutex(State(idle: Array(threads.indices)))
    }

    /// How many requests wait.
    var waiting: Int { state.withLock { $0.waiting.count } }

    /// Runs a request on the calling thread, where the model is quick and nothing waits; else nil.
    func runHere(_ request: InferenceInput, arrived: UInt64) throws -> InferenceOutcome? {
        guard runner.isLoaded, let cost = runner.cost.estimate(rows: request.rows), cost < Self.quickNanoseconds else {
            return nil
        }
        let mayRun = state.withLock { state in
            guard state.waiting.isEmpty, state.running < instances else { return false }
            state.running += 1
            return true
        }
        guard mayRun else { return nil }
        defer {
            let next = state.withLock { state in
                end(&state)
                return thread(&state)
            }
            if let next { work(next) }
        }
        return try runner.run(request, arrived: arrived, started: arrived)
    }

    /// Waits for the request's turn, and for its answer.
    func run(_ request: InferenceInput, arrived: UInt64) async throws -> InferenceOutcome {
        let caller = WaitingRequest.Caller()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                enqueue(
                    WaitingRequest(
                        request, key: key(of: request), priority: priority(of: request),
                        deadline: deadline(of: request, arrived: arrived), arrived: arrived, caller: caller,
                        continuation: continuation))
            }
        } onCancel: {
            caller.leave()
            dismiss(caller)
        }
    }

    private func enqueue(_ request: WaitingRequest) {
        enum Entry {
            case waits(Int?)
            case left, refused
        }
        let entry = state.withLock { state -> Entry in
            // Whoever leaves later finds it in the queue.
            if request.caller.isGone { return .left }
            guard state.waiting.count < configuration.maxQueueSize else { return .refused }
            let place = state.waiting.lastIndex { $0.priority <= request.priority }.map { $0 + 1 } ?? 0
            state.waiting.insert(request, at: place)
            if state.holder != nil { arrival.signal() }
            return .waits(thread(&state))
        }
        switch entry {
        case .waits(let next): if let next { work(next) }
        case .left: fail(request, .left, CancellationError())
        case .refused: fail(request, .refused, ServingFailure.queueFull(name, limit: configuration.maxQueueSize))
        }
    }

    private func dismiss(_ caller: WaitingRequest.Caller) {
        let request = state.withLock { state in
            state.waiting.firstIndex { $0.caller === caller }.map { state.waiting.remove(at: $0) }
        }
        if let request { fail(request, .left, CancellationError()) }
    }

    private func fail(_ request: WaitingRequest, _ failure: ModelMetrics.Failure, _ error: any Error) {
        runner.failed(failure, arrived: request.arrived)
        request.resume(with: .failure(error))
    }

    /// Counts a run as ended; what is held back may be alone now.
    private func end(_ state: inout State) {
        state.running -= 1
        if state.holder != nil { arrival.signal() }
    }

    /// A thread to start, where something waits that no thread looks after.
    private func thread(_ state: inout State) -> Int? {
        guard !state.waiting.isEmpty, state.holder == nil, state.running < instances else { return nil }
        guard let index = state.idle.popLast() else { return nil }
        state.running += 1
        return index
    }

    private func work(_ index: Int) {
        threads[index].start { [self] in
            while true {
                let (turn, expired, next) = nextTurn(of: index)
                for request in expired { fail(request, .expired, ServingFailure.deadlineExceeded(name)) }
                if let next { work(next) }
                switch turn {
                case .run(let requests, let rows, let close): runner.run(requests, rows: rows, close: close)
                case .hold(let until): _ = arrival.wait(timeout: DispatchTime(uptimeNanoseconds: until))
                case .rest: return
                }
            }
        }
    }

    /// Takes requests out of the queue, those that are too late too, and finds a thread for what is left.
    private func nextTurn(of index: Int) -> (Turn, expired: [WaitingRequest], next: Int?) {
        state.withLock { state in
            let now = SystemTime.monotonicNanoseconds
            var expired: [WaitingRequest] = []
            if state.waiting.contains(where: { $0.deadline.map { $0 < now } ?? false }) {
                expired = state.waiting.filter { $0.deadline.map { $0 < now } ?? false }
                state.waiting.removeAll { $0.deadline.map { $0 < now } ?? false }
            }
            let isHeldByOther = state.holder.map { $0 != index } ?? false
            state.holder = isHeldByOther ? state.holder : nil
            guard !isHeldByOther,
                let plan = BatchPlan(state.waiting, limits: limits, cost: runner.cost, now: now)
            else {
                state.idle.append(index)
                end(&state)
                return (.rest, expired, nil)
            }
            if let until = end(ofHolding: plan, state, now: now) {
                state.holder = index
                return (.hold(until: until), expired, nil)
            }
            let requests = plan.members.map { state.waiting[$0] }
            for place in plan.members.reversed() { state.waiting.remove(at: place) }
            return (.run(requests, rows: plan.rows, close: plan.close), expired, thread(&state))
        }
    }

    /// Until when the planned requests are held back; nil where they are not.
    private func end(ofHolding plan: BatchPlan, _ state: State, now: UInt64) -> UInt64? {
        let delay = configuration.maxQueueDelayMicroseconds
        guard delay > 0, plan.close == .empty || plan.close == .shape else { return nil }
        guard state.running > 1 || state.waiting.count > 1 else { return nil }
        if configuration.preferredBatchSizes.contains(plan.rows) { return nil }
        if let largest = configuration.preferredBatchSizes.max(), plan.rows > largest { return nil }
        guard let oldest = plan.members.map({ state.waiting[$0].arrived }).min() else { return nil }
        let until = oldest &+ UInt64(delay).multipliedReportingOverflow(by: 1000).partialValue
        return until > now ? until : nil
    }

    private func key(of request: InferenceInput) -> BatchKey? {
        limits.rows > 1 && runner.stacksRows ? BatchKey(request) : nil
    }

    private func priority(of request: InferenceInput) -> Int {
        let levels = configuration.priorityLevels
        guard levels > 0 else { return 1 }
        let usual = configuration.defaultPriorityLevel > 0 ? configuration.defaultPriorityLevel : levels
        return min(max(1, request.priority > 0 ? request.priority : usual), levels)
    }

    private func deadline(of request: InferenceInput, arrived: UInt64) -> UInt64? {
        if let deadline = request.deadline { return deadline }
        let timeout = UInt64(max(0, configuration.defaultTimeoutMicroseconds))
        guard timeout > 0 else { return nil }
        let (nanoseconds, tooLong) = timeout.multipliedReportingOverflow(by: 1000)
        return tooLong ? nil : arrived.addingReportingOverflow(nanoseconds).partialValue
    }
}
