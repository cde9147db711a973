import Synchronization

/// Which of two answers comes first.
enum FirstAnswer {
    /// Runs both, returns what ends first and cancels the other. Unlike a group of tasks it does not wait for the end of one
    /// that takes no notice of that.
    static func of<Answer: Sendable>(
        _ work: @escaping @Sendable () async -> Answer, orAfter other: @escaping @Sendable () async -> Answer
    ) async -> Answer {
        await withCheckedContinuation { continuation in
            let race = Race(continuation)
            let first = Task { race.end(with: await work()) }
            let second = Task { race.end(with: await other()) }
            race.onEnd {
                first.cancel()
                second.cancel()
            }
        }
    }
}

private final class Race<Answer: Sendable>: Sendable {
    private struct State {
        var continuation: CheckedContinuation<Answer, Never>?
        var cleanUp: (@Sendable () -> Void)?
    }

    private let state: Mutex<State>

    init(_ continuation: CheckedContinuation<Answer, Never>) { state = Mutex(State(continuation: continuation)) }

    func end(with answer: Answer) {
        let (continuation, cleanUp) = state.withLock { state in
            defer { state.continuation = nil }
            return (state.continuation, state.cleanUp)
        }
        continuation?.resume(returning: answer)
        cleanUp?()
    }

    func onEnd(_ body: @escaping @Sendable () -> Void) {
        let isOver = state.withLock { state in
            state.cleanUp = body
            return state.continuation == nil
        }
        if isOver { body() }
    }
}
