import Synchronization

/// Counts the calls that run, so that a store can be closed when they have ended.
final class Gate: Sendable {
    private struct State {
        var running = 0
        var isClosed = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    private let place: String

    /// - Parameter place: names the store in a failure.
    init(place: String) { self.place = place }

    /// Runs a call; a call inside of it must not pass the same gate.
    /// - Throws: `StorageFailure.closed`, or what `body` throws.
    func pass<Value>(
        isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Value
    ) async throws -> Value {
        try enter()
        defer { leave() }
        return try await body()
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

    private func enter() throws {
        try state.withLock { state in
            guard !state.isClosed else { throw StorageFailure.closed(store: place) }
            state.running += 1
        }
    }

    private func leave() {
        let waiting = state.withLock { state in
            state.running -= 1
            guard state.running == 0 else { return [CheckedContinuation<Void, Never>]() }
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
