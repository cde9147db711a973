import Foundation
import Synchronization

/// Lets one task wait until something happens or a time has passed. A signal that comes before the wait is not lost.
final class Wakeup: Sendable {
    private struct State {
        var isSignaled = false
        var waiting: CheckedContinuation<Void, Never>?
        var ticket: UInt64 = 0
    }

    private let state = Mutex(State())
    private let timers: DispatchQueue

    init(timers: DispatchQueue) { self.timers = timers }

    func signal() {
        let waiting = state.withLock { state in
            defer { state.waiting = nil }
            state.isSignaled = state.waiting == nil
            return state.waiting
        }
        waiting?.resume()
    }

    /// Returns at a signal, after the time, or when the task is cancelled.
    func wait(nanoseconds: Int64) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let ticket = state.withLock { state -> UInt64? in
                    if state.isSignaled || Task.isCancelled {
                        state.isSignaled = false
                        return nil
                    }
                    state.ticket &+= 1
                    state.waiting = continuation
                    return state.ticket
                }
                guard let ticket else { return continuation.resume() }
                timers.asyncAfter(deadline: .now() + .nanoseconds(Int(clamping: max(0, nanoseconds)))) { [weak self] in
                    self?.expire(ticket)
                }
            }
        } onCancel: {
            signal()
        }
    }

    private func expire(_ ticket: UInt64) {
        let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.ticket == ticket else { return nil }
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume()
    }
}

/// Runs blocking calls beside each other on threads of their own.
struct BlockingThreads: Sendable {
    private let queue: DispatchQueue

    init(name: String) { queue = DispatchQueue(label: "modelworks.\(name)", attributes: .concurrent) }

    func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Swift.Result { try body() }) }
        }
    }
}

extension Duration {
    /// In whole nanoseconds, at least 0 and at most a year.
    var clampedNanoseconds: Int64 {
        let year: Int64 = 31_536_000
        guard components.seconds < year else { return year * 1_000_000_000 }
        guard components.seconds >= 0, components.attoseconds >= 0 else { return 0 }
        return components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
    }

    /// In whole milliseconds, rounded up.
    var clampedMilliseconds: Int64 { (clampedNanoseconds + 999_999) / 1_000_000 }
}
