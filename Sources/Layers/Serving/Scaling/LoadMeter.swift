import Synchronization

/// Measures how many requests to a model are under way, on average between two readings, and how long they take.
final class LoadMeter: Sendable {
    private struct State {
        var underWay = 0
        /// Requests under way times nanoseconds, since the last reading.
        var area = 0.0
        var changed: UInt64
        var read: UInt64
        var ended = 0
        /// A sample of durations, each request that ended with the same chance (Vitter, algorithm R).
        var durations: [UInt64] = []
        var choice: UInt64 = 0x9E37_79B9_7F4A_7C15
    }

    private static let durationsMax = 512

    private let state: Mutex<State>

    /// - Parameter now: nanoseconds of the monotonic clock.
    init(now: UInt64) { state = Mutex(State(changed: now, read: now)) }

    func began(at now: UInt64) { change(by: 1, at: now) }

    /// - Parameter counts: false where the request goes on by another way, which counts it.
    func ended(from start: UInt64, at now: UInt64, counts: Bool = true) {
        state.withLock { state in
            Self.advance(&state, to: now)
            state.underWay -= 1
            guard counts else { return }
            state.ended += 1
            let duration = now > start ? now - start : 0
            if state.durations.count < Self.durationsMax {
                state.durations.append(duration)
            } else {
                state.choice = state.choice &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let place = Int((state.choice >> 33) % UInt64(max(1, state.ended)))
                if state.durations.indices.contains(place) { state.durations[place] = duration }
            }
        }
    }

    /// What was seen since the last reading.
    func read(at now: UInt64) -> ScalingSample {
        state.withLock { state in
            Self.advance(&state, to: now)
            let seconds = Double(now > state.read ? now - state.read : 0) * 1e-9
            let concurrency = seconds > 0 ? state.area * 1e-9 / seconds : Double(state.underWay)
            let sorted = state.durations.sorted()
            let rank = Int((0.95 * Double(sorted.count)).rounded(.up)) - 1
            let sample = ScalingSample(
                concurrency: concurrency, requestsPerSecond: seconds > 0 ? Double(state.ended) / seconds : 0,
                p95Seconds: sorted.indices.contains(rank) ? Double(sorted[rank]) * 1e-9 : nil)
            state.area = 0
            state.read = now
            state.ended = 0
            state.durations.removeAll(keepingCapacity: true)
            return sample
        }
    }

    private func change(by count: Int, at now: UInt64) {
        state.withLock { state in
            Self.advance(&state, to: now)
            state.underWay += count
        }
    }

    private static func advance(_ state: inout State, to now: UInt64) {
        if now > state.changed { state.area += Double(state.underWay) * Double(now - state.changed) }
        state.changed = max(state.changed, now)
    }
}
