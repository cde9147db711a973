import Basics
import Synchronization
import Telemetry

/// What a version of a model has done since it was loaded, as the statistics extension of the Open Inference Protocol
/// counts it.
///
/// Threads add to parts of their own, so that they do not wait for each other; a reading puts the parts together.
public final class ModelStatistics: Sendable {
    /// How often something happened, and how long it took in all.
    public struct Total: Sendable, Codable, Equatable {
        public var count: UInt64 = 0
        public var nanoseconds: UInt64 = 0

        mutating func add(_ nanoseconds: UInt64, times: UInt64 = 1) {
            count &+= times
            self.nanoseconds &+= nanoseconds
        }

        mutating func add(_ other: Total) { add(other.nanoseconds, times: other.count) }
    }

    /// Runs of one size.
    public struct Batches: Sendable, Codable, Equatable {
        public var input = Total()
        public var infer = Total()
        public var output = Total()

        mutating func add(_ outcome: InferenceOutcome) {
            input.add(outcome.inputNanoseconds)
            infer.add(outcome.inferNanoseconds)
            output.add(outcome.outputNanoseconds)
        }

        mutating func add(_ other: Batches) {
            input.add(other.input)
            infer.add(other.infer)
            output.add(other.output)
        }
    }

    /// Everything, at one moment.
    public struct Reading: Sendable, Equatable {
        /// Milliseconds since 1970 when the last request came that was answered or failed; 0 before the first one.
        public var lastInference: UInt64 = 0
        /// Rows that were inferred.
        public var inferences: UInt64 = 0
        /// Runs of the model.
        public var executions: UInt64 = 0
        public var success = Total()
        public var failure = Total()
        public var queue = Total()
        public var input = Total()
        public var infer = Total()
        public var output = Total()
        public var cacheHit = Total()
        public var cacheMiss = Total()
        /// By the rows that were run at once.
        public var batches: [Int: Batches] = [:]

        mutating func ran(_ outcome: InferenceOutcome, rows: Int) {
            executions &+= 1
            batches[rows, default: Batches()].add(outcome)
        }

        mutating func answered(_ outcome: InferenceOutcome, rows: Int, nanoseconds: UInt64) {
            inferences &+= UInt64(max(rows, 0))
            success.add(nanoseconds)
            queue.add(outcome.queueNanoseconds)
            input.add(outcome.inputNanoseconds)
            infer.add(outcome.inferNanoseconds)
            output.add(outcome.outputNanoseconds)
        }

        mutating func add(_ other: Reading) {
            lastInference = max(lastInference, other.lastInference)
            inferences &+= other.inferences
            executions &+= other.executions
            success.add(other.success)
            failure.add(other.failure)
            queue.add(other.queue)
            input.add(other.input)
            infer.add(other.infer)
            output.add(other.output)
            cacheHit.add(other.cacheHit)
            cacheMiss.add(other.cacheMiss)
            for (rows, more) in other.batches { batches[rows, default: Batches()].add(more) }
        }
    }

    private final class Part: Sendable {
        let counts = Mutex(Reading())
    }

    private let parts = (0..<8).map { _ in Part() }
    private let time: any TimeSource

    public init(time: any TimeSource) { self.time = time }

    /// What was counted so far.
    public func read() -> Reading {
        parts.reduce(into: Reading()) { all, part in part.counts.withLock { all.add($0) } }
    }

    /// Counts a run for one request of `rows` rows.
    ///
    /// - Parameter nanoseconds: from the moment the request came until it was answered.
    func ran(_ outcome: InferenceOutcome, rows: Int, nanoseconds: UInt64) {
        count { reading in
            reading.ran(outcome, rows: rows)
            reading.answered(outcome, rows: rows, nanoseconds: nanoseconds)
        }
    }

    /// Counts a run of `rows` rows for several requests.
    func ran(rows: Int, _ answers: [(rows: Int, nanoseconds: UInt64, outcome: InferenceOutcome)]) {
        count { reading in
            if let first = answers.first { reading.ran(first.outcome, rows: rows) }
            for answer in answers {
                reading.answered(answer.outcome, rows: answer.rows, nanoseconds: answer.nanoseconds)
            }
        }
    }

    /// Counts a request that was answered without a run of its own.
    func found(nanoseconds: UInt64) {
        count { reading in
            reading.success.add(nanoseconds)
            reading.cacheHit.add(nanoseconds)
        }
    }

    /// Counts a request whose answer was looked for in vain.
    func missed(nanoseconds: UInt64) { count { $0.cacheMiss.add(nanoseconds) } }

    /// Counts a request that was not answered.
    func failed(nanoseconds: UInt64) { count { $0.failure.add(nanoseconds) } }

    private func count(_ change: (inout Reading) -> Void) {
        let moment = UInt64(max(0, time.now.microseconds / 1000))
        parts[ThreadShard.current(of: parts.count)].counts.withLock { reading in
            reading.lastInference = max(reading.lastInference, moment)
            change(&reading)
        }
    }
}
