import Basics
import Columnar
import Dispatch
import Foundation
import Inference
import Synchronization

/// Scores a table with a model, partition by partition.
///
/// Every row of the input comes out once, whatever ends the process on the way: a partition is written whole or not at
/// all, and the same job goes on after those that are there. See ``ScoringRun`` for what makes it the same.
public struct ScoringJob: Sendable {
    private let scored: ScoredModel
    private let input: ScoringInput
    private let output: ScoringOutput
    private let options: ScoringOptions
    private let stateFolder: String
    private let environment: [String: String]
    private let time: any TimeSource
    private let random: any RandomSource

    /// How far a run is.
    public struct Progress: Sendable {
        /// Rows that are done, those of earlier calls among them.
        public var done: Int64
        public var rows: Int64
    }

    /// - Parameters:
    ///   - stateFolder: where the state of runs lies whose output is no place on this machine.
    ///   - environment: holds what object stores are opened with.
    public init(
        _ scored: ScoredModel, from input: ScoringInput, to output: ScoringOutput, _ options: ScoringOptions,
        stateFolder: String, environment: [String: String], time: any TimeSource, random: any RandomSource
    ) {
        self.scored = scored
        self.input = input
        self.output = output
        self.options = options
        self.stateFolder = stateFolder
        self.environment = environment
        self.time = time
        self.random = random
    }

    /// Runs the job to its end. A cancelled task leaves what a killed process would.
    /// - Parameter progress: called from any thread.
    /// - Throws: ``ScoringFailure``, `InferenceError`, `DatasetsFailure`, `ColumnarFailure`, `SQLFailure`.
    public func run(progress: @escaping @Sendable (Progress) -> Void = { _ in }) async throws -> ScoringReport {
        let (output, state) = (output, output.state(under: stateFolder))
        let folder = try await BlockingThread(name: "scoring.folder").run {
            try ScoringFolder(state, for: output.place)
        }
        defer { folder.release() }
        let engine = ColumnarEngine(
            ColumnarOptions(
                memoryLimitBytes: options.memoryBytes, threads: options.threads,
                temporaryDirectory: folder.inside("spill")))
        let sink = try await output.sink(folder, engine, overwrite: options.overwrite)
        let report: ScoringReport
        do {
            report = try await run(folder, engine, sink, progress)
        } catch {
            await sink.close()
            throw error
        }
        await sink.close()
        return report
    }

    private func run(
        _ folder: ScoringFolder, _ engine: ColumnarEngine, _ sink: any TableSink,
        _ progress: @escaping @Sendable (Progress) -> Void
    ) async throws -> ScoringReport {
        let begun = time.now
        let reader = InputReader(
            input: input, engine: engine, folder: folder, environment: environment, time: time, random: random)
        let found = try await reader.look(keepsCopy: try await sink.unfinished() != nil)
        let texts = try ModelBinding(scored, to: found.columns, options).texts
        let rows = try await reader.open(found, texts: texts)
        let binding = try ModelBinding(scored, to: rows.columns, options)
        let (scored, names) = (scored, options.outputs)
        let layout = try await engine.run { connection in
            try PartitionScorer.layout(scored, binding, rows, names, on: connection)
        }
        var run = try await claim(sink, plan(rows, found.digest, binding, layout), rows, layout)
        let queries = try ScoringQueries(rows: rows, run: run, layout: layout)
        let partitions = run.plan.partitions
        let written = try await sink.written(of: run).intersection(partitions.indices)
        let before = written.reduce(Int64(0)) { $0 + Int64(partitions[$1].count) }
        let total = rows.rowCount
        let done = RowCount(before)
        progress(Progress(done: before, rows: total))
        let scorer = PartitionScorer(
            scored: scored, binding: binding, layout: layout, rows: rows, options: options,
            gate: DispatchSemaphore(value: max(1, options.threads)),
            progress: { progress(Progress(done: done.add($0), rows: total)) })
        let rest = partitions.indices.filter { !written.contains($0) }
        let outcome = try await PartitionWorkers(scorer: scorer, queries: queries, sink: sink, run: run, time: time)
            .run(rest, of: partitions, engine, count: max(1, options.threads) + 2)
        if run.finished == nil || !rest.isEmpty {
            run.finished = time.now
            try await sink.finish(run, partitions: partitions.count)
        }
        reader.clear()
        folder.remove("spill")
        let seconds = max(1e-6, Double(time.now.microseconds - begun.microseconds) / 1e6)
        return ScoringReport(
            run: run.id, output: output.place, model: scored.name, version: scored.version, rows: total,
            scored: Int64(outcome.scored), refused: Int64(outcome.refused), notNumbers: Int64(outcome.notNumbers),
            partitions: partitions.count, resumed: written.count, seconds: seconds,
            rowsPerSecond: Double(outcome.scored) / seconds)
    }

    private func plan(
        _ rows: PartitionedRows, _ digest: Digest, _ binding: ModelBinding, _ layout: OutputLayout
    ) -> ScoringRun.Plan {
        let partitionRows: Int64 =
            switch options.partitions {
            case .rows(let count): Int64(max(1, count))
            case .count(let count): max(1, (rows.rowCount + Int64(max(1, count)) - 1) / Int64(max(1, count)))
            case nil: Int64(output.partitionRows)
            }
        return ScoringRun.Plan(
            input: input.place, inputDigest: digest, rows: rows.rowCount, partitionRows: partitionRows,
            model: scored.name, version: scored.version, modelDigest: scored.digest, keep: options.keep,
            features: binding.readings.map(\.column.name), predictions: layout.columns.map(\.name),
            onError: options.onError)
    }

    /// The run that is carried on, or a new one.
    private func claim(
        _ sink: any TableSink, _ plan: ScoringRun.Plan, _ rows: PartitionedRows, _ layout: OutputLayout
    ) async throws -> ScoringRun {
        let fresh = ScoringRun(id: random.identifier(at: time.now), plan: plan, started: time.now)
        // Whether its columns can be written is known before anything of another run is lost.
        _ = try ScoringQueries(rows: rows, run: fresh, layout: layout)
        if let earlier = try await sink.run(like: plan) {
            let differences = plan.differences(from: earlier.plan)
            if differences.isEmpty, !options.overwrite || earlier.finished == nil { return earlier }
            guard options.overwrite else {
                throw ScoringFailure.otherRun(output: output.place, differs: differences)
            }
        }
        try await sink.begin(fresh)
        return fresh
    }
}

/// Rows that are done, counted by several threads.
private final class RowCount: Sendable {
    private let sum: Atomic<Int64>

    init(_ start: Int64) { sum = Atomic(start) }

    /// - Returns: the new sum.
    func add(_ count: Int) -> Int64 { sum.wrappingAdd(Int64(count), ordering: .relaxed).newValue }
}
