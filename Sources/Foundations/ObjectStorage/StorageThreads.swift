import Basics
import Synchronization

/// A few threads that share blocking calls, and an end after which none is taken.
final class StorageThreads: Sendable {
    private struct State {
        var running = 0
        var isClosed = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let threads: [BlockingThread]
    private let turn = Atomic<Int>(0)
    private let state = Mutex(State())
    private let place: String

    init(name: String, count: Int, place: String) {
        threads = (0..<max(1, count)).map { BlockingThread(name: "\(name).\($0)") }
        self.place = place
    }

    func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try enter()
        defer { leave() }
        let index = turn.wrappingAdd(1, ordering: .relaxed).newValue
        return try await threads[Int(index.magnitude % UInt(threads.count))].run(body)
    }

    /// Refuses new calls and returns when those that run have ended.
    func close() async {
        await withCheckedContinuation { continuation in
            let idle = state.withLock { state in
                state.isClosed = true
                if state.running > 0 { state.waiting.append(continuation) }
                return state.running == 0
            }
            if idle { continuation.resume() }
        }
    }

    /// Counts a call that runs; each needs a `leave`.
    /// - Throws: `StorageFailure.closed`.
    func enter() throws {
        try state.withLock { state in
            guard !state.isClosed else { throw StorageFailure.closed(store: place) }
            state.running += 1
        }
    }

    func leave() {
        let waiting = state.withLock { state in
            state.running -= 1
            guard state.running == 0 else { return [CheckedContinuation<Void, Never>]() }
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
