import Basics
import Foundation
import Inference
import Synchronization
import Telemetry

/// A version of a model that answers requests.
///
/// It lives as long as somebody holds it: requests under way end on the version they began with, whatever has taken its
/// place meanwhile.
public final class ServedModel: Sendable {
    public let name: String
    public let version: String
    public let model: any TensorModel
    public let statistics: ModelStatistics
    public let configuration: ModelConfiguration
    /// How long the stages of its requests took.
    public let stages: StageHistograms
    let runner: ModelRunner
    /// Nil where none of its requests are kept.
    let recorder: ModelRecorder?
    private let batcher: Batcher
    private let cache: ResponseCache?
    /// Nil where nobody wants to know its load.
    let meter: LoadMeter?
    private let ready: Mutex<[String]>

    /// - Parameters:
    ///   - time: what the statistics read the moment of the last request from.
    ///   - metrics: where its histograms and counters are shown.
    ///   - records: where its requests are kept.
    /// - Throws: ``ServingFailure/badRedaction(_:model:known:)``, or `StorageFailure` where requests can not be kept.
    public convenience init(
        name: String, version: String, model: any TensorModel,
        configuration: ModelConfiguration = ModelConfiguration(), time: any TimeSource,
        metrics: MetricsRegistry = MetricsRegistry(), records: RequestRecords
    ) throws {
        let policy = configuration.record ?? records.standard
        self.init(
            name: name, version: version, model: model, configuration: configuration, time: time, metrics: metrics,
            recorder: try records.recorder(of: name, version: version, model, policy))
    }

    /// One whose requests are not kept.
    public convenience init(
        name: String, version: String, model: any TensorModel,
        configuration: ModelConfiguration = ModelConfiguration(), time: any TimeSource,
        metrics: MetricsRegistry = MetricsRegistry()
    ) {
        self.init(
            name: name, version: version, model: model, configuration: configuration, time: time, metrics: metrics,
            recorder: nil)
    }

    private init(
        name: String, version: String, model: any TensorModel, configuration: ModelConfiguration,
        time: any TimeSource, metrics: MetricsRegistry, recorder: ModelRecorder?
    ) {
        self.recorder = recorder
        stages = StageHistograms(name, version: version, in: metrics)
        self.name = name
        self.version = version
        self.model = model
        self.configuration = configuration
        statistics = ModelStatistics(time: time)
        ready = Mutex([version])
        cache = configuration.responseCache.map(ResponseCache.init)
        runner = ModelRunner(model, statistics: statistics, metrics: ModelMetrics(name, version, in: metrics))
        meter = configuration.scaling.map { _ in LoadMeter(now: SystemTime.monotonicNanoseconds) }
        let scalable = runner.scalable
        // A run for each process there may be, so that all of them have work.
        let most = scalable == nil ? nil : configuration.scaling?.maximum
        batcher = Batcher(
            name, runner: runner, configuration: configuration,
            instances: most ?? configuration.instances ?? ProcessInfo.processInfo.activeProcessorCount)
        // The one it was loaded by stays until the load decides.
        scalable?.scale(to: max(1, configuration.scaling?.minimum ?? configuration.instances ?? 1))
        // Metrics outlive the models they tell of.
        metrics.reading(
            "modelworks_model_waiting", help: "Requests that wait for a model.",
            labels: ["model": name, "version": version]
        ) { [weak batcher] in Double(batcher?.waiting ?? 0) }
    }

    /// Versions of the model that are ready, by number.
    public internal(set) var versions: [String] {
        get { ready.withLock { $0 } }
        set { ready.withLock { $0 = newValue } }
    }

    /// How many requests were not answered, by reason.
    var failures: (ModelMetrics.Failure) -> UInt64 { runner.metrics.count }

    /// How many requests wait for their turn.
    public var waiting: Int { batcher.waiting }

    /// Answers on the calling thread, where the model is quick and nothing waits; nil where ``infer(_:)`` is the better way.
    ///
    /// - Throws: as ``infer(_:)``.
    public func inferHere(_ request: InferenceInput) throws -> InferenceOutcome? {
        let arrived = Self.arrival(of: request)
        guard let meter else { return try inferHere(request, arrived: arrived) }
        meter.began(at: arrived)
        var isEnded = true
        defer { meter.ended(from: arrived, at: SystemTime.monotonicNanoseconds, counts: isEnded) }
        let outcome = try inferHere(request, arrived: arrived)
        isEnded = outcome != nil
        return outcome
    }

    private func inferHere(_ request: InferenceInput, arrived: UInt64) throws -> InferenceOutcome? {
        try check(request, arrived: arrived)
        guard let cache else { return try batcher.runHere(request, arrived: arrived) }
        let key = ResponseCache.key(request)
        if let outcome = cache.find(key) { return found(outcome, arrived: arrived) }
        let lookedUp = SystemTime.monotonicNanoseconds
        guard let outcome = try batcher.runHere(request, arrived: arrived) else { return nil }
        statistics.missed(nanoseconds: lookedUp &- arrived)
        cache.keep(outcome, for: key)
        return outcome
    }

    /// Answers a request, together with others where that pays.
    ///
    /// - Throws: `InferenceError` where the tensors do not fit the model or the runtime fails, ``ServingFailure`` where the
    ///   queue is full or the deadline has passed, `CancellationError` where the caller went away.
    public func infer(_ request: InferenceInput) async throws -> InferenceOutcome {
        let arrived = Self.arrival(of: request)
        meter?.began(at: arrived)
        defer { meter?.ended(from: arrived, at: SystemTime.monotonicNanoseconds) }
        try check(request, arrived: arrived)
        guard let cache else { return try await run(request, arrived: arrived) }
        let key = ResponseCache.key(request)
        let lookedUp = SystemTime.monotonicNanoseconds
        let (outcome, isShared) = try await cache.answer(key) { try await self.run(request, arrived: arrived) }
        if isShared { return found(outcome, arrived: arrived) }
        statistics.missed(nanoseconds: lookedUp &- arrived)
        return outcome
    }

    /// What another request was answered, as the answer to this one: all its time went into finding it.
    private func found(_ outcome: InferenceOutcome, arrived: UInt64) -> InferenceOutcome {
        let spent = SystemTime.monotonicNanoseconds &- arrived
        statistics.found(nanoseconds: spent)
        var found = InferenceOutcome(outputs: outcome.outputs, queueNanoseconds: spent, batchRows: outcome.batchRows)
        found.isCached = true
        return found
    }

    private static func arrival(of request: InferenceInput) -> UInt64 {
        request.arrived == 0 ? SystemTime.monotonicNanoseconds : request.arrived
    }

    private func run(_ request: InferenceInput, arrived: UInt64) async throws -> InferenceOutcome {
        if let outcome = try batcher.runHere(request, arrived: arrived) { return outcome }
        return try await batcher.run(request, arrived: arrived)
    }

    private func check(_ request: InferenceInput, arrived: UInt64) throws {
        do {
            guard request.tensors.count == model.inputs.count else {
                throw ServingFailure.badRequest(
                    "the model '\(name)' takes \(model.inputs.count) inputs and was given \(request.tensors.count)",
                    remedy: "Send one tensor for each of: \(model.inputs.map(\.name).joined(separator: ", ")).")
            }
            for (place, tensor) in request.tensors.enumerated() { try model.inputs[place].check(tensor) }
            for (place, output) in request.wanted.enumerated() {
                guard model.outputs.indices.contains(output), !request.wanted[..<place].contains(output) else {
                    throw ServingFailure.badRequest(
                        "the outputs \(request.wanted) of the model '\(name)' can not be asked for",
                        remedy: "Ask for each at most once: \(model.outputs.map(\.name).joined(separator: ", ")).")
                }
            }
        } catch {
            runner.failed(.failed, arrived: arrived)
            throw error
        }
        if let deadline = request.deadline, deadline < arrived {
            runner.failed(.expired, arrived: arrived)
            throw ServingFailure.deadlineExceeded(name)
        }
    }
}
