import Basics
import Inference
import Synchronization
import Telemetry

/// Runs a model for one request or for several together, and counts what that took.
final class ModelRunner: Sendable {
    let model: any TensorModel
    let cost = RunCost()
    let statistics: ModelStatistics
    let metrics: ModelMetrics
    private let resident: ResidentModel?
    private let isScalable: Bool
    /// Set once a run of several gave another number of rows than it was given: from then on each runs alone.
    private let mixesRows = Atomic<Bool>(false)

    init(_ model: any TensorModel, statistics: ModelStatistics, metrics: ModelMetrics) {
        self.model = model
        resident = model as? ResidentModel
        isScalable = Self.scalable(model) != nil
        self.statistics = statistics
        self.metrics = metrics
    }

    /// Whether rows of several requests may be run at once.
    var stacksRows: Bool { model.stacksRows && !mixesRows.load(ordering: .relaxed) }

    /// Whether a run would begin at once, without the model being loaded again or a process of it started before.
    var isLoaded: Bool { resident?.isLoaded ?? true && (scalable.map { $0.replicas > 0 } ?? true) }

    /// The model where it is run by processes of its own.
    var scalable: (any ScalableModel)? { isScalable ? Self.scalable(model) : nil }

    static func scalable(_ model: any TensorModel) -> (any ScalableModel)? {
        if let resident = model as? ResidentModel { return resident.loaded as? any ScalableModel }
        return model as? any ScalableModel
    }

    /// Runs one request on the calling thread.
    ///
    /// - Parameters:
    ///   - arrived: when the request came.
    ///   - ask: asks the model in a way of its own; nil for the usual one.
    /// - Throws: what the model throws.
    func run(
        _ request: InferenceInput, arrived: UInt64, started: UInt64,
        asking ask: ((InferenceInput) throws -> [Tensor])? = nil
    ) throws -> InferenceOutcome {
        do {
            let outputs = try ask?(request) ?? model.run(request.tensors, wanted: request.wanted)
            let ended = SystemTime.monotonicNanoseconds
            let rows = request.rows
            let outcome = InferenceOutcome(
                outputs: outputs, queueNanoseconds: started &- arrived, inferNanoseconds: ended &- started,
                batchRows: rows)
            cost.learn(rows: rows, nanoseconds: ended &- started)
            statistics.ran(outcome, rows: rows, nanoseconds: ended &- arrived)
            metrics.rows.observe(Double(rows))
            return outcome
        } catch {
            failed(.failed, arrived: arrived)
            throw error
        }
    }

    /// Counts a request that was not answered.
    func failed(_ failure: ModelMetrics.Failure, arrived: UInt64) {
        metrics.failed(failure)
        statistics.failed(nanoseconds: SystemTime.monotonicNanoseconds &- arrived)
    }

    /// Runs requests of one key together and answers each.
    func run(_ requests: [WaitingRequest], rows: Int, close: BatchClose) {
        metrics.closed(close)
        guard requests.count > 1 else { return requests.forEach(runAlone) }
        let started = SystemTime.monotonicNanoseconds
        guard let inputs = try? stack(requests) else { return requests.forEach(runAlone) }
        let stacked = SystemTime.monotonicNanoseconds
        let wanted = requests.first?.input.wanted ?? []
        // Which of them the model does not like is only known when each has run alone.
        guard let outputs = try? model.run(inputs, wanted: wanted) else { return requests.forEach(runAlone) }
        let ran = SystemTime.monotonicNanoseconds
        cost.learn(rows: rows, nanoseconds: ran &- stacked)
        guard outputs.allSatisfy({ $0.shape.first == rows }), let answers = try? cut(outputs, for: requests) else {
            mixesRows.store(true, ordering: .relaxed)
            return requests.forEach(runAlone)
        }
        let ended = SystemTime.monotonicNanoseconds
        let outcomes = zip(requests, answers).map { request, outputs in
            InferenceOutcome(
                outputs: outputs, queueNanoseconds: started &- request.arrived, inputNanoseconds: stacked &- started,
                inferNanoseconds: ran &- stacked, outputNanoseconds: ended &- ran, batchRows: rows)
        }
        // Counted before they are told, so that who has an answer finds it in the statistics.
        statistics.ran(rows: rows, zip(requests, outcomes).map { ($0.rows, ended &- $0.arrived, $1) })
        metrics.rows.observe(Double(rows))
        for (request, outcome) in zip(requests, outcomes) {
            request.resume(with: .success(outcome))
        }
    }

    private func runAlone(_ request: WaitingRequest) {
        request.resume(
            with: Result {
                try run(request.input, arrived: request.arrived, started: SystemTime.monotonicNanoseconds)
            })
    }

    /// The tensors of all requests, input by input.
    private func stack(_ requests: [WaitingRequest]) throws -> [Tensor] {
        try model.inputs.indices.map { input in
            try Tensor.stack(
                requests.compactMap { request in
                    request.input.tensors.indices.contains(input) ? request.input.tensors[input] : nil
                })
        }
    }

    /// The rows of each request, in their order.
    private func cut(_ outputs: [Tensor], for requests: [WaitingRequest]) throws -> [[Tensor]] {
        var row = 0
        return try requests.map { request in
            defer { row += request.rows }
            return try outputs.map { try $0.rows(row..<row + request.rows) }
        }
    }
}
