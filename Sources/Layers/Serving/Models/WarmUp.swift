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
            let zeros = try model.inputs.map { try Tensor(zerosFor: $0) }
            var quickest = UInt64.max
            let began = SystemTime.monotonicNanoseconds
            // The first run does what no other one does again; of the others the quickest was disturbed least.
            for turn in 0..<Self.warmUpRuns {
                let started = SystemTime.monotonicNanoseconds
                _ = try model.run(zeros, wanted: wanted)
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

extension Tensor {
    /// The bytes of a tensor that is made only to see a model run.
    private static let bytesMax = 64 << 20

    /// Zeros, or empty strings, where a request may choose a size one of them.
    ///
    /// - Throws: ``ServingFailure`` where the tensor would be too large.
    fileprivate init(zerosFor spec: TensorSpec) throws {
        let shape = spec.shape.map { $0 < 0 ? 1 : $0 }
        // An empty string is the four zero bytes of its length.
        let size = Tensor.count(of: shape).map { $0.multipliedReportingOverflow(by: spec.datatype.elementBytes ?? 4) }
        guard let size, !size.overflow, size.partialValue <= Tensor.bytesMax else {
            throw ServingFailure.badRequest(
                "the input '\(spec.name)' is too large to be tried", remedy: "Send a request.")
        }
        let storage = TensorStorage(count: size.partialValue) { memory in
            for index in memory.indices { memory[index] = 0 }
        }
        try self.init(type: spec.datatype, shape: shape, storage: storage)
    }
}
