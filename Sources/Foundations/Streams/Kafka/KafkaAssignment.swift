import Synchronization

/// What a consumer has been given, has polled and has committed.
final class KafkaAssignment: Sendable {
    private struct State {
        var partitions: Set<KafkaPartition> = []
        /// The offset after the last record polled.
        var positions: [KafkaPartition: Int64] = [:]
        /// Where the group stands as far as this consumer knows it.
        var committed: [KafkaPartition: Int64] = [:]
        var polled: Set<KafkaPartition> = []
        var hasLost = false
        var generation: UInt64 = 0
    }

    private let state = Mutex(State())

    var partitions: Set<KafkaPartition> { state.withLock { $0.partitions } }

    /// Changes with every partition that comes or goes.
    var generation: UInt64 { state.withLock { $0.generation } }

    func assign(_ partitions: [KafkaPartition: Int64]) {
        state.withLock { state in
            state.partitions = Set(partitions.keys)
            state.generation &+= 1
        }
    }

    /// Everything is taken back: what was polled and not committed is polled again by whoever gets it.
    func revoke() {
        state.withLock { state in
            let (hasLost, generation) = (state.hasLost || !state.polled.isEmpty, state.generation)
            state = State()
            state.hasLost = hasLost
            state.generation = generation &+ 1
        }
    }

    func notePolled(_ partition: KafkaPartition, _ offset: Int64) {
        state.withLock { state in
            if state.committed[partition] == nil { state.committed[partition] = offset }
            state.positions[partition] = offset &+ 1
            state.polled.insert(partition)
        }
    }

    /// The end of a partition was reached at an offset, which may lie behind the markers of transactions.
    func noteEnd(_ partition: KafkaPartition, _ offset: Int64) {
        state.withLock { state in
            guard let position = state.positions[partition], position < offset else { return }
            // Only markers lie between, so where all was committed it still is.
            if !state.polled.contains(partition), state.committed[partition] == position {
                state.committed[partition] = offset
            }
            state.positions[partition] = offset
        }
    }

    /// What is to be committed, and whether some of what was polled is lost.
    func uncommitted() -> (offsets: [KafkaPartition: Int64], hasLost: Bool) {
        state.withLock { state in (state.positions.filter { state.polled.contains($0.key) }, state.hasLost) }
    }

    func noteCommitted(_ offsets: [KafkaPartition: Int64]) {
        state.withLock { state in
            for (partition, offset) in offsets where state.partitions.contains(partition) {
                state.committed[partition] = offset
                if state.positions[partition] == offset { state.polled.remove(partition) }
            }
        }
    }

    func clearLost() { state.withLock { $0.hasLost = false } }

    /// What this consumer committed itself, or where it began.
    var committed: [KafkaPartition: Int64] { state.withLock { $0.committed } }

    /// The broker alone knows how the last commit ended.
    func forgetCommitted() { state.withLock { $0.committed = [:] } }

    /// The partitions that were moved back to these offsets.
    func noteRewound(_ offsets: [KafkaPartition: Int64]) {
        state.withLock { state in
            state.polled = []
            state.hasLost = false
            for (partition, offset) in offsets { state.positions[partition] = offset }
        }
    }

    /// One partition was moved to an offset, and goes on from there after a rewind too.
    func noteSought(_ partition: KafkaPartition, _ offset: Int64) {
        state.withLock { state in
            state.polled.remove(partition)
            state.positions[partition] = offset
            state.committed[partition] = offset
        }
    }

    /// The partitions with records polled since the last commit.
    var polled: Set<KafkaPartition> { state.withLock { $0.polled } }
}
