import Basics
import Foundation
import Synchronization

/// Decides when a log is flushed: a while after an append, or at once for those who wait. One thread, one flush at a time.
final class RecordFlusher: Sendable {
    private struct State {
        var waiting: [CheckedContinuation<Void, Never>] = []
        var scheduled = false
    }

    private let queue: DispatchQueue
    private let delay: DispatchTimeInterval
    private let isDue = Atomic<Bool>(false)
    private let state = Mutex(State())

    init(name: String, delayMilliseconds: Int) {
        queue = DispatchQueue(label: "modelworks.records.\(name)")
        delay = .milliseconds(max(1, delayMilliseconds))
    }

    /// Called after each append; does something only for the first since the last flush.
    func noteAppend(_ flush: @escaping @Sendable () -> Void) {
        guard !isDue.load(ordering: .relaxed), !isDue.exchange(true, ordering: .acquiringAndReleasing) else { return }
        queue.asyncAfter(deadline: .now() + delay) { [self] in
            isDue.store(false, ordering: .releasing)
            flush()
        }
    }

    /// Suspends until a flush that began after this call is done.
    func flush(_ flush: @escaping @Sendable () -> Void) async {
        await withCheckedContinuation { continuation in
            let start = state.withLock { state in
                state.waiting.append(continuation)
                defer { state.scheduled = true }
                return !state.scheduled
            }
            guard start else { return }
            queue.async { [self] in
                let waiting = state.withLock { state in
                    defer { state = State() }
                    return state.waiting
                }
                flush()
                for continuation in waiting { continuation.resume() }
            }
        }
    }
}
