import Basics
import Columnar
import Dispatch
import Inference

/// Puts the rows of partitions before the model.
struct PartitionScorer: Sendable {
    let scored: ScoredModel
    let binding: ModelBinding
    let layout: OutputLayout
    let rows: PartitionedRows
    let options: ScoringOptions
    /// Lets as many batches into the model as there are threads for it; what reads and writes goes on meanwhile.
    let gate: DispatchSemaphore
    /// Is told how many rows were done.
    let progress: @Sendable (Int) -> Void

    /// What scoring a partition left in tables of the engine.
    struct Outcome: Sendable {
        var scored: Int
        var refused: Int
        var notNumbers: Int
    }

    /// Scores a partition; blocks.
    /// - Parameters:
    ///   - answers: the table that the predictions go into.
    ///   - refusals: the table that refused rows go into where they are dead letters.
    /// - Throws: ``ScoringFailure``, `InferenceError`, `ColumnarFailure`, `CancellationError`.
    func score(
        _ range: Range<Int64>, on connection: ColumnarConnection, answers: String, refusals: String
    ) throws -> Outcome {
        let predictions = Predictions(layout, capacity: range.count)
        var refused: [BatchReader.Refusal] = []
        func refuse(_ refusal: BatchReader.Refusal) throws {
            guard options.onError != .fail else {
                throw ScoringFailure.refusedRow(row: refusal.place, reason: refusal.reason)
            }
            refused.append(refusal)
        }
        func ask(_ inputs: [Tensor], _ places: [Int64]) throws {
            try self.ask(inputs, places[...], predictions, refuse)
            progress(places.count)
        }
        let reader = BatchReader(binding, capacity: options.batch)
        try connection.chunks(rows.select(range, BatchReader.expressions(binding))) { chunk in
            try reader.take(chunk, refuse: refuse, full: ask)
        }
        try reader.flush(ask)
        progress(range.count - predictions.places.count)
        try connection.store(try predictions.table(), as: answers)
        try keep(refused, answers, refusals, connection)
        return Outcome(
            scored: predictions.places.count, refused: refused.count, notNumbers: predictions.notNumbers)
    }

    private func keep(
        _ refused: [BatchReader.Refusal], _ answers: String, _ refusals: String, _ connection: ColumnarConnection
    ) throws {
        func table() throws -> Table {
            try Table([
                (Predictions.place, .int64s(refused.map(\.place))),
                (Predictions.problem, .strings(refused.map(\.reason))),
            ])
        }
        switch options.onError {
        case .fail: break
        case .null:
            try connection.execute("ALTER TABLE \(answers) ADD COLUMN \(Predictions.problem) VARCHAR")
            if !refused.isEmpty { try connection.append(try table(), to: answers) }
        case .deadLetter: if !refused.isEmpty { try connection.store(try table(), as: refusals) }
        }
    }

    /// Asks the model; where it fails, the halves, until it is known which rows it fails at.
    private func ask(
        _ inputs: [Tensor], _ places: ArraySlice<Int64>, _ predictions: Predictions,
        _ refuse: (BatchReader.Refusal) throws -> Void
    ) throws {
        let answers: [Tensor]
        do {
            gate.wait()
            defer { gate.signal() }
            answers = try scored.model.run(inputs, wanted: layout.wanted)
        } catch let failure as InferenceError where failure.code == .invalidArgument || failure.code == .internal {
            guard places.count > 1 else {
                return try refuse(BatchReader.Refusal(place: places.first ?? 0, reason: failure.message))
            }
            let half = places.count / 2
            let middle = places.startIndex + half
            try ask(try inputs.map { try $0.rows(0..<half) }, places[..<middle], predictions, refuse)
            try ask(try inputs.map { try $0.rows(half..<places.count) }, places[middle...], predictions, refuse)
            return
        }
        try predictions.append(answers, places: places)
    }

    /// What the answers look like, by asking for the first rows, or else for rows of nothing.
    /// - Parameter connection: one of the engine; blocks.
    static func layout(
        _ scored: ScoredModel, _ binding: ModelBinding, _ rows: PartitionedRows, _ names: [String]?,
        on connection: ColumnarConnection
    ) throws -> OutputLayout {
        let wanted = try OutputLayout.wanted(scored, names)
        var answers: [Tensor] = []
        func ask(_ inputs: [Tensor]) throws {
            guard answers.isEmpty else { return }
            do {
                answers = try scored.model.run(inputs, wanted: wanted)
            } catch let failure as InferenceError where failure.code == .invalidArgument || failure.code == .internal {
                // What the model declares has to do.
            }
        }
        let reader = BatchReader(binding, capacity: probeRows)
        let query = rows.select(0..<min(Int64(probeRows), rows.rowCount), BatchReader.expressions(binding))
        try connection.chunks(query) { try reader.take($0, refuse: { _ in }) { inputs, _ in try ask(inputs) } }
        try reader.flush { inputs, _ in try ask(inputs) }
        if answers.isEmpty { try ask(try binding.inputs.map { try $0.spec.blank(width: $0.width) }) }
        return try OutputLayout(scored, outputs: names, answers: answers)
    }

    private static let probeRows = 16
}

extension TensorSpec {
    /// One row of zeros or empty texts.
    /// - Parameter width: values of the row, where the shape leaves them open.
    func blank(width: Int? = nil) throws -> Tensor {
        let sizes = shape.enumerated().map { $1 >= 0 ? $1 : $0 == 1 ? width ?? 1 : 1 }
        let count = Tensor.count(of: sizes) ?? 0
        guard let size = datatype.elementBytes else {
            return try Tensor(shape: sizes, strings: Array(repeating: [], count: count))
        }
        return try Tensor(
            type: datatype, shape: sizes,
            storage: TensorStorage(count: count * size) { memory in
                for index in memory.indices { memory[index] = 0 }
            })
    }
}
