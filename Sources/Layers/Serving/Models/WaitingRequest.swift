import Inference
import Synchronization

/// What requests must have in common to be run together.
struct BatchKey: Equatable {
    private let types: [TensorType]
    /// Without the first dimension, which counts rows.
    private let shapes: [ArraySlice<Int>]
    private let wanted: [Int]

    /// Nil where the tensors do not agree on a number of rows, or there are none: such a request runs alone, and the model
    /// says what is wrong with it.
    init?(_ request: InferenceInput) {
        let rows = request.rows
        guard rows > 0, request.tensors.allSatisfy({ $0.shape.first == rows }) else { return nil }
        types = request.tensors.map(\.type)
        shapes = request.tensors.map { $0.shape.dropFirst() }
        wanted = request.wanted
    }
}

/// A request that waits for its turn, and the caller that waits for it.
final class WaitingRequest: Sendable {
    let input: InferenceInput
    let rows: Int
    /// Nil where it runs alone.
    let key: BatchKey?
    /// 1 goes first.
    let priority: Int
    let deadline: UInt64?
    let arrived: UInt64
    let caller: Caller
    private let continuation: CheckedContinuation<InferenceOutcome, any Error>

    /// Who asked; it may go away.
    final class Caller: Sendable {
        private let gone = Atomic<Bool>(false)

        var isGone: Bool { gone.load(ordering: .acquiring) }

        func leave() { gone.store(true, ordering: .releasing) }
    }

    init(
        _ input: InferenceInput, key: BatchKey?, priority: Int, deadline: UInt64?, arrived: UInt64, caller: Caller,
        continuation: CheckedContinuation<InferenceOutcome, any Error>
    ) {
        self.input = input
        self.rows = input.rows
        self.key = key
        self.priority = priority
        self.deadline = deadline
        self.arrived = arrived
        self.caller = caller
        self.continuation = continuation
    }

    /// Gives the caller its answer; once.
    func resume(with result: Result<InferenceOutcome, any Error>) { continuation.resume(with: result) }
}
