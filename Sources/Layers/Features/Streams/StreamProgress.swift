import Basics
import Synchronization

/// How far the views of this process have been brought along their streams, for those who wait for it.
final class StreamProgress: Sendable {
    private struct Waiter {
        var prefix: [UInt8]
        var next: Int64
        var continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var next: [[UInt8]: Int64] = [:]
        var waiters: [Int: Waiter] = [:]
        var number = 0
    }

    private let state = Mutex(State())

    /// All records of a view's stream before `next` have been taken in.
    func reached(_ prefix: [UInt8], _ next: Int64) {
        let woken = state.withLock { state in
            state.next[prefix] = max(state.next[prefix] ?? 0, next)
            let found = state.waiters.filter { $0.value.prefix == prefix && $0.value.next <= next }
            for number in found.keys { state.waiters[number] = nil }
            return found.values.map(\.continuation)
        }
        for continuation in woken { continuation.resume(returning: true) }
    }

    /// Forgets a view that this process brings along no more.
    func forget(_ prefix: [UInt8]) { state.withLock { $0.next[prefix] = nil } }

    /// Whether this process brings the view along.
    func knows(_ prefix: [UInt8]) -> Bool { state.withLock { $0.next[prefix] != nil } }

    /// Waits until all records before `next` have been taken in.
    /// - Returns: false where that took longer than `limit`.
    func wait(_ prefix: [UInt8], for next: Int64, limit: Duration) async -> Bool {
        let number = state.withLock { state in
            state.number &+= 1
            return state.number
        }
        let impatience = Task { [self] in
            try? await Task.sleep(for: limit)
            state.withLock { $0.waiters.removeValue(forKey: number) }?.continuation.resume(returning: false)
        }
        defer { impatience.cancel() }
        return await withCheckedContinuation { continuation in
            let isReached = state.withLock { state in
                guard (state.next[prefix] ?? 0) < next else { return true }
                state.waiters[number] = Waiter(prefix: prefix, next: next, continuation: continuation)
                return false
            }
            if isReached { continuation.resume(returning: true) }
        }
    }
}
