import Basics
import Features
import Foundation
import Inference
import Registry
import Serving
import Streams
import Synchronization
import Telemetry

/// Runs the scorers of streams that a factory defines, in the process that drives it.
final class ScorerDuty: Sendable {
    /// Which version of a registered model a scorer asks for.
    enum Reference: Sendable, Equatable {
        /// The one in Production, whichever that is.
        case production(String)
        case version(ModelVersionID)

        private static let scheme = "models:/"

        /// Reads `models:/NAME/3`, `models:/NAME/Production` or `models:/NAME`.
        /// - Throws: ``WorksFailure/brokenReference(file:problem:known:)``.
        init(_ scoring: StreamScoring) throws {
            let parts =
                scoring.model.hasPrefix(Self.scheme)
                ? scoring.model.dropFirst(Self.scheme.count).split(separator: "/", omittingEmptySubsequences: false)
                : []
            switch (parts.first.map(String.init), parts.dropFirst().first.map(String.init), parts.count) {
            case (let name?, nil, 1) where !name.isEmpty, (let name?, "Production"?, 2) where !name.isEmpty:
                self = .production(name)
            case (let name?, let text?, 2) where !name.isEmpty:
                guard let version = Int64(text), version > 0 else { fallthrough }
                self = .version(ModelVersionID(model: name, version: version))
            default:
                throw WorksFailure.brokenReference(
                    file: "scorer '\(scoring.name)'",
                    problem: "its model '\(scoring.model)' is neither models:/NAME/VERSION nor models:/NAME/Production",
                    known: [])
            }
        }
    }

    private let registry: ModelRegistry
    private let loader: ModelLoader
    private let features: FeatureStore
    private let store: StreamStoreOpener
    private let duty: ControlDuty
    private let clock: any TimeSource
    private let time: any TimeSource
    private let metrics: MetricsRegistry
    private let logger: Logger
    private let wanted = Mutex<[StreamScoring]>([])
    private let scorers = Mutex<[String: StreamScorer]>([:])
    private static let look = Duration.milliseconds(200)

    /// - Parameters:
    ///   - clock: features are those of its moment.
    ///   - time: stamps answers.
    init(
        registry: ModelRegistry, loader: ModelLoader, features: FeatureStore, store: StreamStoreOpener,
        duty: ControlDuty,
        clock: any TimeSource, time: any TimeSource, metrics: MetricsRegistry, logger: Logger
    ) {
        self.registry = registry
        self.loader = loader
        self.features = features
        self.store = store
        self.duty = duty
        self.clock = clock
        self.time = time
        self.metrics = metrics
        self.logger = logger
    }

    func use(_ definitions: [StreamScoring]) { wanted.withLock { $0 = definitions } }

    /// How far the scorers of this process have come.
    func statuses() async -> [StreamScorerStatus] {
        var statuses: [StreamScorerStatus] = []
        for (_, scorer) in scorers.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
            statuses.append(await scorer.status())
        }
        return statuses
    }

    /// Scores while this process drives the factory, until the task is cancelled. A scorer whose definition changes begins
    /// anew with the new one.
    func work() async {
        var running: [String: (scoring: StreamScoring, task: Task<Void, Never>)] = [:]
        while !Task.isCancelled {
            let definitions = await duty.isHeld ? wanted.withLock { $0 } : []
            for (name, work) in running where !definitions.contains(work.scoring) {
                work.task.cancel()
                await work.task.value
                scorers.withLock { $0[name] = nil }
                running[name] = nil
            }
            for scoring in definitions where running[scoring.name] == nil {
                running[scoring.name] = (scoring, Task { await self.keepAt(scoring) })
            }
            try? await Task.sleep(for: Self.look)
        }
        for work in running.values { work.task.cancel() }
        for work in running.values { await work.task.value }
    }

    private func keepAt(_ scoring: StreamScoring) async {
        var pause: Int64 = 50
        while !Task.isCancelled {
            let began = SystemTime.monotonicNanoseconds
            do {
                let source = RegisteredStreamModel(
                    try Reference(scoring), registry: registry, loader: loader, features: features, clock: clock)
                let scorer = try StreamScorer(
                    scoring, streams: try await store.opened(), model: { try await source.model() }, time: time,
                    metrics: metrics, logger: logger)
                scorers.withLock { $0[scoring.name] = scorer }
                try await scorer.run()
            } catch {
                guard !Task.isCancelled else { return }
                logger.warning(
                    "a scorer of a stream was broken off and begins again",
                    ["scorer": .string(scoring.name), "error": .string("\(error)")])
            }
            if SystemTime.monotonicNanoseconds &- began > 10_000_000_000 { pause = 50 }
            try? await Task.sleep(for: .milliseconds(pause))
            pause = min(pause * 2, 5000)
        }
    }
}

/// A version of a registered model with the features of its service, looked up again every second where it may change.
actor RegisteredStreamModel {
    private let reference: ScorerDuty.Reference
    private let registry: ModelRegistry
    private let loader: ModelLoader
    private let features: FeatureStore
    private let clock: any TimeSource
    private var current: (model: StreamModel, service: Digest?)?
    private var looked: UInt64 = 0
    private static let freshNanoseconds: UInt64 = 1_000_000_000

    init(
        _ reference: ScorerDuty.Reference, registry: ModelRegistry, loader: ModelLoader, features: FeatureStore,
        clock: any TimeSource
    ) {
        self.reference = reference
        self.registry = registry
        self.loader = loader
        self.features = features
        self.clock = clock
    }

    /// - Throws: `RegistryFailure` where there is no such version, ``ServingFailure/signatureMismatch(_:missing:)`` where its
    ///   service gives other features than it was trained on, or what loading its bundle throws.
    func model() async throws -> StreamModel {
        let now = SystemTime.monotonicNanoseconds
        if let current, now &- looked < Self.freshNanoseconds { return current.model }
        let version: ModelVersion
        switch reference {
        case .version(let id): version = try await registry.version(id)
        case .production(let name):
            guard let found = try await registry.production(of: name) else {
                throw ServingFailure.modelNotReady(name, reason: "no version of it is in Production")
            }
            version = found
        }
        let loaded = try await loader.load(version.bundle)
        let service = try loaded.manifest.featureService.map { try features.onlineService($0.name) }
        looked = now
        if let current, current.model.version == "\(version.id.version)", current.service == service?.digest {
            return current.model
        }
        let inputs = loaded.manifest.signature.inputs.map(\.name)
        if let service, service.inputNames != inputs {
            throw ServingFailure.signatureMismatch(
                version.id, missing: inputs.filter { !service.inputNames.contains($0) })
        }
        let model = StreamModel(
            name: version.id.model, version: "\(version.id.version)",
            model: RowsAsTensors(loaded.model, platform: loaded.manifest.kind, byteCount: 0, columns: inputs),
            join: service.map { FeatureJoin($0, time: clock) })
        current = (model, service?.digest)
        return model
    }
}
