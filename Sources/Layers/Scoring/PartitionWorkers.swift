import Basics
import Columnar
import Synchronization

/// Works on several partitions at a time, each on a thread and a connection of its own: while one is in the model, others
/// are read and written.
struct PartitionWorkers: Sendable {
    let scorer: PartitionScorer
    let queries: ScoringQueries
    let sink: any TableSink
    let run: ScoringRun
    let time: any TimeSource

    /// - Parameters:
    ///   - numbers: the partitions that are missing.
    ///   - partitions: the row ranges of all.
    ///   - count: how many are worked on at a time.
    func run(
        _ numbers: [Int], of partitions: [Range<Int64>], _ engine: ColumnarEngine, count: Int
    ) async throws -> PartitionScorer.Outcome {
        let ledger = Ledger(numbers)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<min(count, numbers.count) {
                group.addTask {
                    let thread = BlockingThread(name: "scoring.\(worker)")
                    let connection = try await thread.run { try engine.connect() }
                    try await withTaskCancellationHandler {
                        while let number = ledger.next() {
                            try Task.checkCancellation()
                            let outcome = try await work(
                                on: number, partitions[number], connection, thread, worker: worker)
                            ledger.add(outcome)
                        }
                    } onCancel: {
                        connection.cancel()
                    }
                }
            }
            // The first failure ends all.
            try await group.waitForAll()
        }
        return ledger.total
    }

    private func work(
        on number: Int, _ range: Range<Int64>, _ connection: ColumnarConnection, _ thread: BlockingThread, worker: Int
    ) async throws -> PartitionScorer.Outcome {
        let (answers, refusals) = ("answers_\(worker)", "refusals_\(worker)")
        let moment = time.now
        let outcome = try await thread.run {
            try scorer.score(range, on: connection, answers: answers, refusals: refusals)
        }
        let hasDeadLetters = run.plan.onError == .deadLetter && outcome.refused > 0
        func rows(inOrder: Bool) -> String {
            queries.scored(range, predictions: answers, at: moment, inOrder: inOrder)
        }
        let partition = ScoredPartition(
            number: number, rows: rows(inOrder: false),
            quick: outcome.refused == 0 ? (rows(inOrder: true), Int64(range.count)) : nil,
            deadLetters: hasDeadLetters ? queries.deadLetters(range, refused: refusals, at: moment) : nil)
        try await sink.write(partition, of: run, on: connection, thread)
        try await thread.run {
            for table in [answers, refusals] { try connection.execute("DROP TABLE IF EXISTS \(table)") }
        }
        return outcome
    }
}

/// Which partitions nobody has begun, and what became of the others.
private final class Ledger: Sendable {
    private let waiting: Mutex<ArraySlice<Int>>
    private let sum = Mutex(PartitionScorer.Outcome(scored: 0, refused: 0, notNumbers: 0))

    init(_ numbers: [Int]) { waiting = Mutex(numbers[...]) }

    func next() -> Int? { waiting.withLock { $0.popFirst() } }

    func add(_ outcome: PartitionScorer.Outcome) {
        sum.withLock { sum in
            sum.scored += outcome.scored
            sum.refused += outcome.refused
            sum.notNumbers += outcome.notNumbers
        }
    }

    var total: PartitionScorer.Outcome { sum.withLock { $0 } }
}
