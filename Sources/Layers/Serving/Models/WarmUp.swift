import Basics
import Inference

extension ServedModel {
    private static let warmUpRuns = 6
    /// After so long no further run is begun.
    private static let warmUpNanoseconds: UInt64 = 20_000_000

    /// Runs the model on zeros, so that what a runtime does once is done before the first request, and its cost is known.
    ///
    /// - Returns: what the model said where it does not take zeros.
    @discardableResult
    func warmUp() -> (any Error)? {
        let wanted = Array(model.outputs.indices)
        do {
            let zeros = try model.inputs.map { try Tensor.zeros(for: $0) }
            var quickest = UInt64.max
            let began = SystemTime.monotonicNanoseconds
            // The first run does what no other one does again; of the others the quickest was disturbed least.
            for turn in 0..<Self.warmUpRuns {
                let started = SystemTime.monotonicNanoseconds
                if let ensemble = model as? EnsembleModel {
                    _ = try ensemble.tryOut(zeros, wanted: wanted)
                } else {
                    _ = try model.run(zeros, wanted: wanted)
                }
                let ended = SystemTime.monotonicNanoseconds
                if turn > 0 { quickest = min(quickest, ended &- started) }
                if turn > 0, ended &- began > Self.warmUpNanoseconds { break }
            }
            runner.cost.learn(rows: zeros.first?.shape.first ?? 1, nanoseconds: quickest)
            return nil
        } catch {
            return error
        }
    }
}
