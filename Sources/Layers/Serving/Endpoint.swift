import Basics
import Features
import Inference
import ObjectStorage
import Records
import Registry
import Synchronization

/// A model version in memory, ready to answer.
public final class DeployedVersion: Sendable {
    public let id: ModelVersionID
    public let model: any Model
    /// What the model wants, in order.
    let inputNames: [String]
    public let statistics = ArmStatistics()

    init(id: ModelVersionID, model: any Model, inputNames: [String]) {
        self.id = id
        self.model = model
        self.inputNames = inputNames
    }
}

/// What answers on an endpoint at one moment. Immutable: a change of traffic is a new one.
final class Deployment: Sendable {
    /// What stands in the place of all arms.
    enum Override: Sendable {
        case constant(Double)
        case version(DeployedVersion)
    }

    let traffic: TrafficPolicy
    let stable: DeployedVersion
    let canary: DeployedVersion?
    let shadow: ShadowLine?
    let override: Override?
    let split: SplitLine?
    /// A request whose hash is below this goes to the canary.
    let canaryThreshold: UInt64
    /// A request whose other hash is below this is mirrored to the shadow.
    let shadowThreshold: UInt64
    let failureLimit: Int64
    private let stableStages: StageHistograms
    private let canaryStages: StageHistograms
    private let overrideStages: StageHistograms
    /// By the arms of the split.
    private let splitStages: [StageHistograms]

    init(
        traffic: TrafficPolicy, stable: DeployedVersion, canary: DeployedVersion?, shadow: ShadowLine? = nil,
        override: Override? = nil, split: SplitLine? = nil, failureLimit: Int64, stages: EndpointStages
    ) {
        stableStages = stages.histograms(version: stable.id.version, arm: .stable)
        canaryStages = canary.map { stages.histograms(version: $0.id.version, arm: .canary) } ?? stableStages
        overrideStages =
            switch override {
            case .version(let version): stages.histograms(version: version.id.version, arm: .override)
            case .constant: stages.histograms(version: 0, arm: .override)
            case nil: stableStages
            }
        splitStages =
            split?.versions.map { stages.histograms(version: $0.id.version, arm: .challenger) } ?? []
        self.traffic = traffic
        self.stable = stable
        self.canary = canary
        self.shadow = shadow
        self.override = override
        self.split = split
        self.failureLimit = failureLimit
        canaryThreshold = canary == nil ? 0 : Self.threshold(traffic.canaryShare)
        shadowThreshold = shadow == nil ? 0 : Self.threshold(traffic.shadow?.share ?? 0)
    }

    /// Where the time of a request is counted that a version answered on an arm.
    /// - Parameter version: nil where a constant answered.
    func stages(of version: DeployedVersion?, on arm: Arm) -> StageHistograms {
        switch arm {
        case .stable, .shadow: return stableStages
        case .canary: return canaryStages
        case .override: return overrideStages
        case .challenger:
            let place = split?.versions.firstIndex { $0 === version } ?? 0
            return splitStages.indices.contains(place) ? splitStages[place] : stableStages
        }
    }

    /// Who else than the stable version a request belongs to; nil for the stable one.
    func candidate(for choice: UInt64) -> (version: DeployedVersion, arm: Arm)? {
        if let split {
            let arm = split.arm(of: choice)
            return arm > 0 && arm < split.versions.count ? (split.versions[arm], .challenger) : nil
        }
        guard let canary, choice < canaryThreshold else { return nil }
        return (canary, .canary)
    }

    private static func threshold(_ share: Double) -> UInt64 {
        let share = min(max(share, 0), 1)
        return share >= 1 ? .max : UInt64(share * 0x1p64)
    }
}

/// One row to predict, as pointers into the request: nothing of it is copied until it is recorded.
public struct PredictionRow {
    /// UTF-8, 1 to 255 bytes; the label will name it.
    public var id: UnsafeRawBufferPointer
    /// The moment the prediction is for: features are read as of then.
    public var eventTime: Int64
    /// How long it took to read the request.
    public var ingestNanoseconds: UInt64

    public init(id: UnsafeRawBufferPointer, eventTime: Int64, ingestNanoseconds: UInt64 = 0) {
        self.id = id
        self.eventTime = eventTime
        self.ingestNanoseconds = ingestNanoseconds
    }
}

/// A feature that the caller of an endpoint gives, in place of the one that would be looked up.
public struct GivenFeature: Sendable {
    /// Its place among the inputs of the service.
    public var place: Int
    public var value: Double

    public init(place: Int, value: Double) {
        self.place = place
        self.value = value
    }
}

/// The answer for one row.
public struct Prediction: Sendable {
    public var output: Double
    public var version: Int64
    public var arm: Arm
    public var featureNanoseconds: UInt64
    public var inferenceNanoseconds: UInt64
    /// Where the time of the request is to be counted once its answer is written.
    public var stages: StageHistograms
}

/// A canary that failed too often and has lost its traffic.
struct CanaryTrip: Sendable {
    var canary: ModelVersionID
    /// The traffic now in force.
    var policy: TrafficPolicy
    var reading: ArmStatistics.Reading
    /// From its first failure until it had no traffic.
    var seconds: Double

    var facts: [String: JSONValue] { Self.facts(canary: canary, reading: reading, seconds: seconds) }

    static func facts(canary: ModelVersionID, reading: ArmStatistics.Reading, seconds: Double) -> [String: JSONValue] {
        [
            "canary": .string(canary.description), "answers": .integer(reading.answers),
            "failures": .integer(reading.failures), "seconds": .number(seconds),
        ]
    }
}

/// A named place that answers prediction requests, with the features it joins and the record it keeps.
///
/// On the hot path requests share one short lock, that of the record log, which puts their answers in order; each caller
/// has a slot of its own with scratch memory and a reference to the current deployment, renewed only when the
/// deployment's generation has moved.
public final class Endpoint: Sendable {
    public let definition: EndpointDefinition
    public let service: OnlineService
    let records: any RecordChannel
    /// How long the stages of its requests took.
    let stages: EndpointStages
    private let time: any TimeSource
    /// Which join key decides the arm; nil for the request's id.
    private let splitKey: Int?
    private let slots: [Slot]
    private let current: Mutex<Deployment?>
    private let generation = Atomic<UInt64>(1)
    /// The canary that last lost its traffic by failing.
    private let tripped = Mutex<CanaryTrip?>(nil)
    /// Called once, off the hot path's lock, when the canary has failed too often and has lost its traffic.
    private let onCanaryTripped: @Sendable (CanaryTrip) -> Void

    /// Memory that one caller at a time uses, so that nothing is allocated per request.
    private final class Slot: @unchecked Sendable {
        var seen: UInt64 = 0
        var deployment: Deployment?
        let features: UnsafeMutableBufferPointer<Double>
        let record: UnsafeMutableRawBufferPointer
        let scratch: OnlineScratch

        init(features count: Int, scratch: OnlineScratch) {
            self.scratch = scratch
            features = .allocate(capacity: max(1, count))
            features.initialize(repeating: 0)
            record = .allocate(
                byteCount: PredictionRecord.size(id: PredictionRecord.idBytesMax, features: count), alignment: 8)
        }

        deinit {
            features.deallocate()
            record.deallocate()
        }
    }

    /// - Parameter slots: how many callers may ask at once; each names its own slot from 0.
    init(
        definition: EndpointDefinition, service: OnlineService, records: any RecordChannel, stages: EndpointStages,
        time: any TimeSource, slots: Int,
        onCanaryTripped: @escaping @Sendable (CanaryTrip) -> Void
    ) {
        self.definition = definition
        self.service = service
        self.records = records
        self.stages = stages
        self.time = time
        splitKey = definition.splitBy.flatMap { service.joinKeys.firstIndex(of: $0) }
        self.slots = (0..<max(1, slots)).map { _ in Slot(features: service.inputNames.count, scratch: service.scratch())
        }
        self.onCanaryTripped = onCanaryTripped
        current = Mutex(nil)
    }

    /// Puts another deployment in place; requests already under way end on the one they began with.
    func deploy(_ deployment: Deployment?) {
        current.withLock { $0 = deployment }
        generation.wrappingAdd(1, ordering: .releasing)
    }

    var deployment: Deployment? { current.withLock { $0 } }

    /// Who answers now.
    public var traffic: TrafficPolicy? { deployment?.traffic }

    /// The counters of both arms.
    public var statistics: (stable: ArmStatistics.Reading?, canary: ArmStatistics.Reading?) {
        let deployment = deployment
        return (deployment?.stable.statistics.read(), deployment?.canary?.statistics.read())
    }

    /// When it was asked last; nil before.
    public var lastAsked: Timestamp? {
        let moment = stages.lastAsked.load(ordering: .relaxed)
        return moment == 0 ? nil : Timestamp(microseconds: moment)
    }

    /// How long the stages of its requests took since the start of this process, by version and arm.
    public var stageHistograms: [(version: Int64, arm: Arm, stages: StageHistograms)] { stages.all }

    /// The counters of a split's arms, in their order; empty where there is none.
    public var splitReadings: [ArmStatistics.Reading] {
        deployment?.split?.versions.map { $0.statistics.read() } ?? []
    }

    /// What the shadow has done; nil where there is none.
    public var shadowReading: ShadowReading? { deployment?.shadow?.reading }

    /// The counters of a candidate, as they are or as they were when it lost its traffic by failing.
    public func reading(of candidate: ModelVersionID) -> ArmStatistics.Reading? {
        if let canary = deployment?.canary, canary.id == candidate { return canary.statistics.read() }
        return tripped.withLock { $0?.canary == candidate ? $0?.reading : nil }
    }

    /// What the canary has done so far, for the entry that tells of its end; empty where there is none.
    var canaryFacts: [String: JSONValue] {
        guard let canary = deployment?.canary else { return [:] }
        let reading = canary.statistics.read()
        return CanaryTrip.facts(
            canary: canary.id, reading: reading,
            seconds: canary.statistics.secondsSinceFirstFailure(atNanoseconds: SystemTime.monotonicNanoseconds))
    }

    /// Where the features of the row being asked for go: request features first, in the order of the service.
    public func requestFeatures(slot: Int) -> UnsafeMutableBufferPointer<Double> {
        UnsafeMutableBufferPointer(rebasing: slots[slot].features[..<service.requestCount])
    }

    /// Answers one row: joins the online features that it does not bring, chooses an arm, asks the model, and records the answer before it
    /// returns. The caller has put the request's own features into `requestFeatures(slot:)`.
    ///
    /// - Parameters:
    ///   - keys: one value for each of the service's join keys, in order; none where all features are given.
    ///   - given: features of the caller, NaN for one that is null. Where all are, nothing is looked up.
    ///   - slot: below the number of slots, and used by one thread at a time.
    /// - Throws: ``ServingFailure/notDeployed(_:)``, ``ServingFailure/badRequest(_:remedy:)`` where keys are missing,
    ///   ``ServingFailure/modelFailed(_:_:)`` when the stable version fails, ``ServingFailure/notRecorded(endpoint:reason:)`` when the answer can not be kept.
    public func predict(
        _ row: PredictionRow, keys: UnsafeBufferPointer<UnsafeRawBufferPointer>,
        given: UnsafeBufferPointer<GivenFeature> = UnsafeBufferPointer(start: nil, count: 0), slot index: Int
    ) throws -> Prediction {
        let slot = slots[index]
        let generation = generation.load(ordering: .acquiring)
        if slot.seen != generation {
            slot.deployment = deployment
            slot.seen = generation
        }
        guard let deployment = slot.deployment else { throw ServingFailure.notDeployed(definition.name) }
        let start = SystemTime.monotonicNanoseconds
        if given.count < service.inputNames.count - service.requestCount {
            guard keys.count == service.joinKeys.count else {
                throw ServingFailure.badRequest(
                    "the endpoint '\(definition.name)' looks features up by \(service.joinKeys.count) keys and was given "
                        + "\(keys.count)", remedy: "Send them, or all features.")
            }
            try service.read(keys: keys, at: row.eventTime, into: slot.features, with: slot.scratch)
        }
        for feature in given where slot.features.indices.contains(feature.place) {
            slot.features[feature.place] = feature.value
        }
        let joined = SystemTime.monotonicNanoseconds

        let features = UnsafeBufferPointer(rebasing: slot.features[..<service.inputNames.count])
        let unit = splitKey.flatMap { keys.indices.contains($0) ? keys[$0] : nil } ?? row.id
        let choice = Self.hash(unit)
        let answer = try answer(deployment, features, choice: choice, slot: index)
        let inferred = SystemTime.monotonicNanoseconds
        let prediction = Prediction(
            output: answer.output, version: answer.version?.id.version ?? 0, arm: answer.arm,
            featureNanoseconds: joined &- start, inferenceNanoseconds: inferred &- joined,
            stages: deployment.stages(of: answer.version, on: answer.arm))
        let moment = time.now.microseconds
        stages.lastAsked.store(moment, ordering: .relaxed)
        let count = PredictionRecord.encode(
            into: slot.record, id: row.id, eventTime: row.eventTime, recorded: moment,
            version: prediction.version, arm: answer.arm, outcome: answer.outcome, output: answer.output,
            ingestNanoseconds: UInt32(clamping: row.ingestNanoseconds),
            featureNanoseconds: UInt32(clamping: prediction.featureNanoseconds),
            inferenceNanoseconds: UInt32(clamping: prediction.inferenceNanoseconds), features: features)
        do {
            try records.append(UnsafeRawBufferPointer(rebasing: slot.record[..<count]))
            if let split = deployment.split, deployment.override == nil {
                try split.expose(choice, unit: unit, id: row.id, at: time.now.microseconds)
            }
        } catch {
            throw ServingFailure.notRecorded(
                endpoint: definition.name, reason: (error as? any Failure)?.message ?? "\(error)")
        }
        answer.version?.statistics.succeeded(
            nanoseconds: SystemTime.monotonicNanoseconds &- start, output: answer.output)
        // Mixed once more, so that which requests are mirrored has nothing to do with which arm answers them.
        if let shadow = deployment.shadow, SplitMix.mix(~choice) < deployment.shadowThreshold {
            shadow.offer(
                ShadowLine.Asked(
                    id: [UInt8](row.id), eventTime: row.eventTime, features: [Double](features), output: answer.output))
        }
        return prediction
    }

    /// What is answered, and by whom; no version where a constant is.
    private struct Answer {
        var output: Double
        var version: DeployedVersion?
        var arm: Arm
        var outcome = PredictionRecord.Outcome.answered
    }

    /// Asks the arm that the request belongs to, and the stable version where a candidate fails.
    private func answer(
        _ deployment: Deployment, _ features: UnsafeBufferPointer<Double>, choice: UInt64, slot: Int
    ) throws -> Answer {
        switch deployment.override {
        case .constant(let output): return Answer(output: output, version: nil, arm: .override)
        case .version(let version): return try answer(.override, version, features, slot: slot)
        case nil: break
        }
        guard let (candidate, arm) = deployment.candidate(for: choice) else {
            return try answer(.stable, deployment.stable, features, slot: slot)
        }
        do {
            return Answer(output: try Self.ask(candidate, features, slot: slot), version: candidate, arm: arm)
        } catch {
            let failures = candidate.statistics.failed(atNanoseconds: SystemTime.monotonicNanoseconds)
            if failures >= deployment.failureLimit { trip(deployment, candidate) }
            var answer = try answer(.stable, deployment.stable, features, slot: slot)
            answer.outcome = .fallback
            return answer
        }
    }

    private func answer(
        _ arm: Arm, _ version: DeployedVersion, _ features: UnsafeBufferPointer<Double>, slot: Int
    ) throws -> Answer {
        do {
            return Answer(output: try Self.ask(version, features, slot: slot), version: version, arm: arm)
        } catch {
            _ = version.statistics.failed(atNanoseconds: SystemTime.monotonicNanoseconds)
            throw error
        }
    }

    private static func ask(_ version: DeployedVersion, _ features: UnsafeBufferPointer<Double>, slot: Int) throws
        -> Double
    {
        var output = 0.0
        do {
            try withUnsafeMutablePointer(to: &output) {
                try version.model.predict(
                    row: features, slot: slot, into: UnsafeMutableBufferPointer(start: $0, count: 1))
            }
        } catch {
            throw ServingFailure.modelFailed(version.id, "\(error)")
        }
        guard output.isFinite else { throw ServingFailure.modelFailed(version.id, "its output is \(output)") }
        return output
    }

    /// Takes all traffic from a canary, or from all challengers. Only the first of several callers does it.
    private func trip(_ failing: Deployment, _ canary: DeployedVersion) {
        let policy = failing.traffic.withoutCandidates()
        let changed = current.withLock { current -> Bool in
            guard current === failing else { return false }
            current = Deployment(
                traffic: policy, stable: failing.stable, canary: nil, shadow: failing.shadow,
                override: failing.override, failureLimit: failing.failureLimit, stages: stages)
            return true
        }
        guard changed else { return }
        generation.wrappingAdd(1, ordering: .releasing)
        let trip = CanaryTrip(
            canary: canary.id, policy: policy, reading: canary.statistics.read(),
            seconds: canary.statistics.secondsSinceFirstFailure(atNanoseconds: SystemTime.monotonicNanoseconds))
        tripped.withLock { $0 = trip }
        onCanaryTripped(trip)
    }

    /// FNV-1a, then mixed: the same request, or key, goes to the same arm in every process.
    private static func hash(_ id: UnsafeRawBufferPointer) -> UInt64 {
        var value: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in id { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return SplitMix.mix(value)
    }

    /// The record of answers from `position` on.
    public func predictions(from position: RecordPosition) async throws -> PredictionReader {
        PredictionReader(try await records.reader(from: position))
    }
}

/// A stretch of the record of an endpoint's answers.
public struct PredictionReader: Sendable {
    private let records: RecordReader

    init(_ records: RecordReader) { self.records = records }

    /// Hands over the answers in the order they were kept, each with its own position. Blocks while it reads.
    public func read(_ body: (PredictionRecord, RecordPosition) throws -> Void) throws {
        try records.read { logged in
            guard let record = PredictionRecord(logged.bytes) else { return }
            try body(record, logged.position)
        }
    }
}
