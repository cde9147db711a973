import CKafka
import Synchronization

/// The records of one publish call on their way: collects the reports, then resumes the caller.
final class KafkaDelivery: Sendable {
    /// Where every record ended up, and the first error.
    struct Outcome: Sendable {
        let offsets: [Int64]
        let code: rd_kafka_resp_err_t
    }

    /// What the library hands back with a message: whose record it is.
    private struct Slot {
        let delivery: Unmanaged<KafkaDelivery>
        let index: Int
    }

    private struct State {
        var offsets: [Int64]
        var code = RD_KAFKA_RESP_ERR_NO_ERROR
        /// Reports to come, and one for the caller who is still handing records in.
        var open = 1
        var waiting: CheckedContinuation<Outcome, Never>?
    }

    private let state: Mutex<State>
    private nonisolated(unsafe) let slots: UnsafeMutablePointer<Slot>

    init(count: Int) {
        state = Mutex(State(offsets: Array(repeating: -1, count: count)))
        slots = UnsafeMutablePointer<Slot>.allocate(capacity: max(1, count))
    }

    deinit { slots.deallocate() }

    /// Takes note that a record is handed in, and returns what goes with it.
    func begin(_ index: Int) -> UnsafeMutableRawPointer {
        let slot = slots + index
        slot.initialize(to: Slot(delivery: Unmanaged.passRetained(self), index: index))
        state.withLock { $0.open += 1 }
        return UnsafeMutableRawPointer(slot)
    }

    /// Takes that back: the library refused the record.
    func cancel() {
        state.withLock { $0.open -= 1 }
        Unmanaged.passUnretained(self).release()
    }

    /// Says that no more records come, and returns when every report is there.
    func outcome(failed code: rd_kafka_resp_err_t = RD_KAFKA_RESP_ERR_NO_ERROR) async -> Outcome {
        await withCheckedContinuation { continuation in
            let done = state.withLock { state -> Outcome? in
                state.open -= 1
                if state.code == RD_KAFKA_RESP_ERR_NO_ERROR { state.code = code }
                guard state.open == 0 else {
                    state.waiting = continuation
                    return nil
                }
                return Outcome(offsets: state.offsets, code: state.code)
            }
            if let done { continuation.resume(returning: done) }
        }
    }

    /// The broker's word on one record. Called by the thread that polls.
    static func report(_ message: rd_kafka_message_t) {
        guard let opaque = message._private else { return }
        let slot = opaque.assumingMemoryBound(to: Slot.self).pointee
        slot.delivery.takeRetainedValue().note(slot.index, message.offset, message.err)
    }

    private func note(_ index: Int, _ offset: Int64, _ code: rd_kafka_resp_err_t) {
        let (waiting, outcome) = state.withLock { state -> (CheckedContinuation<Outcome, Never>?, Outcome?) in
            state.open -= 1
            if code == RD_KAFKA_RESP_ERR_NO_ERROR, state.offsets.indices.contains(index) {
                state.offsets[index] = offset
            } else if state.code == RD_KAFKA_RESP_ERR_NO_ERROR {
                state.code = code
            }
            guard state.open == 0, let waiting = state.waiting else { return (nil, nil) }
            state.waiting = nil
            return (waiting, Outcome(offsets: state.offsets, code: state.code))
        }
        if let outcome { waiting?.resume(returning: outcome) }
    }
}
