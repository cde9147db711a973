extension Model {
    /// Scores rows given by column and gives each row's first output; for evaluation, not for the hot path.
    ///
    /// - Parameter columns: `inputCount` columns of one length, NaN for missing.
    /// - Throws: `InferenceError` where the columns do not fit, or the runtime fails.
    public func predict(columns: [[Double]]) throws -> [Double] {
        let count = columns.first?.count ?? 0
        guard columns.count == inputCount, columns.allSatisfy({ $0.count == count }) else {
            throw InferenceError.shape(
                "the model takes \(inputCount) columns of one length, and was given \(columns.count)")
        }
        var rows = [Double](repeating: 0, count: count * inputCount)
        for (index, column) in columns.enumerated() {
            for (row, value) in column.enumerated() { rows[row * inputCount + index] = value }
        }
        let outputs = try predict(rows: rows, count: count)
        return stride(from: 0, to: outputs.count, by: max(1, outputCount)).map { outputs[$0] }
    }
}
