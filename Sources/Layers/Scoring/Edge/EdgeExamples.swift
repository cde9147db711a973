import Basics
import Columnar
import Inference

/// Rows that a model is tried with.
struct EdgeExamples: Sendable {
    let rows: PartitionedRows
    let binding: ModelBinding
    private let engine: ColumnarEngine
    private let place: String

    /// - Throws: ``ScoringFailure``, `DatasetsFailure`, `ColumnarFailure`.
    init(
        _ input: ScoringInput, for scored: ScoredModel, _ options: ScoringOptions, in folder: ScoringFolder,
        environment: [String: String], time: any TimeSource, random: any RandomSource
    ) async throws {
        engine = ColumnarEngine(
            ColumnarOptions(memoryLimitBytes: options.memoryBytes, temporaryDirectory: folder.inside("spill")))
        let reader = InputReader(
            input: input, engine: engine, folder: folder, environment: environment, time: time, random: random)
        let found = try await reader.look(keepsCopy: false)
        rows = try await reader.open(found, texts: try ModelBinding(scored, to: found.columns, options).texts)
        binding = try ModelBinding(scored, to: rows.columns, options)
        place = input.place
        guard rows.rowCount > 0 else { throw ScoringFailure.badInput(place, reason: "it has no rows") }
    }

    /// The first rows, one tensor for each input.
    func first(_ count: Int) async throws -> [Tensor] {
        let (count, binding) = (Int(clamping: min(Int64(count), rows.rowCount)), binding)
        let query = rows.select(0..<Int64(count), BatchReader.expressions(binding))
        return try await engine.run { connection in
            var tensors: [Tensor] = []
            // The memory of a batch is the reader's, and used again.
            func keep(_ batch: [Tensor], _ places: [Int64]) throws { tensors = try batch.map { try $0.copied() } }
            let reader = BatchReader(binding, capacity: count)
            try connection.chunks(query) { try reader.take($0, refuse: Self.refuse, full: keep) }
            try reader.flush(keep)
            return tensors
        }
    }

    /// What models answer to all rows.
    /// - Parameters:
    ///   - models: of the same inputs and outputs.
    ///   - output: the one that is asked.
    func answers(of models: [any TensorModel], output: Int) async throws -> [EdgeAnswers] {
        let (binding, count) = (binding, Int(clamping: rows.rowCount))
        let query = rows.select(0..<rows.rowCount, BatchReader.expressions(binding))
        return try await engine.run { connection in
            var answers = models.map { _ in EdgeAnswers(count: count) }
            func ask(_ batch: [Tensor], _ places: [Int64]) throws {
                for (index, model) in models.enumerated() {
                    guard let answer = try model.run(batch, wanted: [output]).first else { continue }
                    try answers[index].take(answer, labels: model.outputs[output].labels, at: places)
                }
            }
            let reader = BatchReader(binding, capacity: Self.batch)
            try connection.chunks(query) { try reader.take($0, refuse: Self.refuse, full: ask) }
            try reader.flush(ask)
            return answers
        }
    }

    /// What a column tells of each row, as text; nil where it tells nothing.
    /// - Throws: ``ScoringFailure/missingColumn(_:found:nearest:)``.
    func labels(_ name: String) async throws -> [String?] {
        let names = rows.columns.map(\.name)
        guard names.contains(name) else {
            throw ScoringFailure.missingColumn(name, found: names, nearest: NearestWord.of(name, among: names))
        }
        let label = "CAST(\(SQLText.identifier(name)) AS VARCHAR) AS label"
        let query = rows.select(0..<rows.rowCount, [label])
        let table = try await engine.query(
            "SELECT label FROM (\(query)) ORDER BY \(SQLText.identifier(PartitionedRows.place))", context: place)
        return try table.strings("label")
    }

    private static let batch = 1024

    private static func refuse(_ refusal: BatchReader.Refusal) throws {
        throw ScoringFailure.refusedRow(row: refusal.place, reason: refusal.reason)
    }
}

extension Tensor {
    /// The same in memory of its own.
    fileprivate func copied() throws -> Tensor {
        try Tensor(type: type, shape: shape, storage: withBytes { TensorStorage(copying: $0) })
    }
}
