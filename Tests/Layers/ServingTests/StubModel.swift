import Basics
import Foundation
import Inference
import Synchronization

/// What a stub throws where it is told to fail.
struct StubFailed: Error {}

/// A model whose output says which rows it was given: each row times two, and minus one. It may be slow, wait to be let
/// go, refuse negative numbers, or mix rows up.
final class StubModel: TensorModel {
    struct Behaviour: Sendable {
        var stacksRows = true
        /// Whether a run with a negative number in it fails.
        var refusesNegative = false
        /// Whether a run waits until ``StubModel/open()``.
        var isGated = false
        /// Rows it gives beyond those that it was given.
        var extraRows = 0
        /// How long a run takes, in nanoseconds, from its rows.
        var nanoseconds: @Sendable (Int) -> UInt64 = { _ in 0 }
        var byteCount = 1000
    }

    let platform = "stub"
    let inputs = [TensorSpec(name: "x", datatype: .fp64, shape: [-1, -1])]
    let outputs = [
        TensorSpec(name: "double", datatype: .fp64, shape: [-1, -1]),
        TensorSpec(name: "less", datatype: .fp64, shape: [-1, -1]),
    ]
    var stacksRows: Bool { behaviour.stacksRows }
    var byteCount: Int { behaviour.byteCount }
    private let behaviour: Behaviour
    private let onEnd: @Sendable () -> Void
    private let log = Mutex<[Int]>([])
    private let concurrency = Mutex((now: 0, most: 0))
    private let gate = DispatchSemaphore(value: 0)

    init(_ behaviour: Behaviour = Behaviour(), onEnd: @escaping @Sendable () -> Void = {}) {
        self.behaviour = behaviour
        self.onEnd = onEnd
    }

    deinit { onEnd() }

    /// Rows of each run, in the order in which they began.
    var runs: [Int] { log.withLock { $0 } }

    /// The most runs that went on at once.
    var mostAtOnce: Int { concurrency.withLock { $0.most } }

    /// Lets one run that waits, or the next one, go on.
    func open(_ times: Int = 1) { for _ in 0..<times { gate.signal() } }

    func run(_ inputs: [Tensor], wanted: [Int]) throws -> [Tensor] {
        guard let input = inputs.first, let values = input.values(as: Double.self), let rows = input.shape.first else {
            throw StubFailed()
        }
        log.withLock { $0.append(rows) }
        concurrency.withLock {
            $0.now += 1
            $0.most = max($0.most, $0.now)
        }
        defer { concurrency.withLock { $0.now -= 1 } }
        if behaviour.isGated { gate.wait() }
        let spent = behaviour.nanoseconds(rows)
        if spent > 0 { usleep(UInt32(spent / 1000)) }
        if behaviour.refusesNegative, values.contains(where: { $0 < 0 }) { throw StubFailed() }
        let width = input.shape.dropFirst().first ?? 1
        return try wanted.map { output in
            var result = values.map { output == 0 ? $0 * 2 : $0 - 1 }
            result += Array(repeating: 0, count: behaviour.extraRows * width)
            return try Tensor(.fp64, shape: [rows + behaviour.extraRows, width], values: result)
        }
    }

    /// A request of rows that begin with `first` and count up.
    static func request(
        _ first: Double, rows: Int = 1, width: Int = 1, wanted: [Int] = [0], deadline: UInt64? = nil, priority: Int = 0
    ) throws -> InferenceRequest {
        let values = (0..<rows * width).map { first + Double($0) }
        return InferenceRequest(
            tensor: try Tensor(.fp64, shape: [rows, width], values: values), values: values, wanted: wanted,
            deadline: deadline, priority: priority)
    }
}

/// A request, and what has to come of it.
struct InferenceRequest: Sendable {
    var tensor: Tensor
    var values: [Double]
    var wanted: [Int]
    var deadline: UInt64?
    var priority: Int

    /// Whether `outputs` are the answer to this request and no other.
    func isAnswered(by outputs: [Tensor]) -> Bool {
        guard outputs.count == wanted.count else { return false }
        return zip(wanted, outputs).allSatisfy { output, tensor in
            tensor.shape == self.tensor.shape
                && tensor.values(as: Double.self) == values.map { output == 0 ? $0 * 2 : $0 - 1 }
        }
    }
}
