import Basics
import Columnar

/// Where scored rows go: partition by partition, each as a whole, once.
protocol TableSink: Sendable {
    /// A run that began to write there and did not end, if any.
    func unfinished() async throws -> ScoringRun?

    /// The run that the output belongs to, if any.
    /// - Parameter plan: of databases, where many runs have their rows in one table: the run looked for.
    func run(like plan: ScoringRun.Plan) async throws -> ScoringRun?

    /// Takes the output for a run; what earlier runs of this kind left there gives way.
    func begin(_ run: ScoringRun) async throws

    /// Partitions of the run that are there whole.
    func written(of run: ScoringRun) async throws -> Set<Int>

    /// Writes a partition, whole or not at all.
    func write(
        _ partition: ScoredPartition, of run: ScoringRun, on connection: ColumnarConnection, _ thread: BlockingThread
    ) async throws

    /// Makes the output what its readers look for, once all partitions are there.
    func finish(_ run: ScoringRun, partitions: Int) async throws

    func close() async
}

/// A partition that was scored, as queries on the connection that it was scored on.
struct ScoredPartition: Sendable {
    let number: Int
    let rows: String
    /// The same rows by a faster query, which is right where it gives so many; nil where there is none.
    let quick: (rows: String, count: Int64)?
    /// Rows that were refused; nil where there are none.
    let deadLetters: String?
}
