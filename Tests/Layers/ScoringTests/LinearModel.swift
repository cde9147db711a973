import Basics
import Inference
import Scoring
import Synchronization

/// What a model throws that is told to fail.
struct LinearFailed: Error {}

/// A model of numbers whose answer anyone can work out: `total`, the sum of each value times its place from 1, and `count`,
/// the number of values that are there. It may refuse negative sums, or fail after some runs.
final class LinearModel: TensorModel {
    let platform = "linear"
    let inputs: [TensorSpec]
    let outputs = [
        TensorSpec(name: "total", datatype: .fp64, shape: [-1]),
        TensorSpec(name: "count", datatype: .int64, shape: [-1, 1]),
    ]
    let stacksRows = true
    let byteCount = 1
    let columnNames: [String]? = nil
    private let refusesNegative: Bool
    private let runsMax: Int
    private let runs = Mutex<[Int]>([])

    /// - Parameter names: one input `[-1, 1]` of FP64 for each; nil for one input `x` of `width`.
    init(_ names: [String]? = nil, width: Int = 3, refusesNegative: Bool = false, runsMax: Int = .max) {
        inputs =
            names.map { $0.map { TensorSpec(name: $0, datatype: .fp64, shape: [-1, 1]) } }
            ?? [TensorSpec(name: "x", datatype: .fp64, shape: [-1, width])]
        self.refusesNegative = refusesNegative
        self.runsMax = runsMax
    }

    /// Rows of each run.
    var batches: [Int] { runs.withLock { $0 } }

    func run(_ inputs: [Tensor], wanted: [Int]) throws -> [Tensor] {
        let rows = inputs.first?.shape.first ?? 0
        let number = runs.withLock { runs in
            runs.append(rows)
            return runs.count
        }
        guard number <= runsMax else { throw LinearFailed() }
        var totals = [Double](repeating: 0, count: rows)
        var counts = [Int64](repeating: 0, count: rows)
        var place = 1.0
        for input in inputs {
            let width = input.shape.count > 1 ? input.shape[1] : 1
            let values = input.values(as: Double.self) ?? []
            for position in 0..<width {
                for row in 0..<rows {
                    let value = values[row * width + position]
                    totals[row] += place * value
                    counts[row] += value.isNaN ? 0 : 1
                }
                place += 1
            }
        }
        if refusesNegative, totals.contains(where: { $0 < 0 }) {
            // The only way to an error of the room's own: a tensor that is none.
            _ = try Tensor(.fp64, shape: [-1], values: [0.0])
        }
        return try wanted.map { index in
            index == 0
                ? try Tensor(.fp64, shape: [rows], values: totals)
                : try Tensor(.int64, shape: [rows, 1], values: counts)
        }
    }

    var scored: ScoredModel { ScoredModel(name: "linear", version: "7", digest: Digest(of: "linear"), self) }
}
