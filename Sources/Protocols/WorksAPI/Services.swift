import Automation
import Basics
import Experiments
import Features
import Journal
import Monitoring
import ObjectStorage
import Registry
import Serving
import Training
import Upkeep

/// The services that the API speaks for.
public struct Services: Sendable {
    public let journal: Journal
    public let checkpointer: Checkpointer
    public let objects: any ObjectStore
    public let features: FeatureStore
    public let streams: FeatureStreams
    public let experiments: ExperimentStore
    public let training: TrainingService
    public let registry: ModelRegistry
    public let archive: VersionArchive
    public let webhooks: WebhookStore
    public let loader: ModelLoader
    public let endpoints: EndpointStore
    public let monitors: MonitorService
    public let rollouts: RolloutService
    public let splits: SplitService
    public let retraining: RetrainService
    public let factory: any FactoryControl
    public let jobs: any JobControl
    public let collector: Collector

    public init(
        journal: Journal, checkpointer: Checkpointer, objects: any ObjectStore, features: FeatureStore,
        streams: FeatureStreams, experiments: ExperimentStore, training: TrainingService, registry: ModelRegistry,
        archive: VersionArchive, webhooks: WebhookStore, loader: ModelLoader,
        endpoints: EndpointStore,
        monitors: MonitorService, rollouts: RolloutService, splits: SplitService, retraining: RetrainService,
        factory: any FactoryControl,
        jobs: any JobControl, collector: Collector
    ) {
        self.journal = journal
        self.checkpointer = checkpointer
        self.objects = objects
        self.features = features
        self.streams = streams
        self.experiments = experiments
        self.training = training
        self.registry = registry
        self.archive = archive
        self.webhooks = webhooks
        self.loader = loader
        self.endpoints = endpoints
        self.monitors = monitors
        self.rollouts = rollouts
        self.splits = splits
        self.retraining = retraining
        self.factory = factory
        self.jobs = jobs
        self.collector = collector
    }
}

/// The factory as a whole: its definitions and its clock.
public protocol FactoryControl: Sendable {
    /// The factory's present moment.
    var now: Timestamp { get }

    /// What would change if the files were applied.
    func plan(_ directory: FactoryFiles) async throws -> FactoryPlan

    /// Makes the files the definitions in force.
    ///
    /// - Parameter allowBreaking: also where a model version in use could not go on with the features it was made for.
    func apply(_ directory: FactoryFiles, allowBreaking: Bool, by principal: String) async throws -> FactoryPlan

    /// Runs the feature tests of the files, without putting them in force.
    ///
    /// - Parameter names: only these; nil runs all.
    func testFeatures(_ directory: FactoryFiles, named names: [String]?) async throws -> FeatureTestReport

    /// The files in force, and their digest; nil before the first apply.
    func current() async throws -> FactoryRevision?

    /// Moves a replayed clock forward and does everything that has become due.
    func advance(to moment: Timestamp) async throws -> ControlLoop.Turn

    /// Facts about the process and its stores, for people and for `doctor`.
    func facts() async throws -> [String: String]
}

/// A factory directory as it travels: texts by path.
public struct FactoryFiles: Sendable, Codable, Equatable {
    /// Where the directory is on the machine that sent it; data paths are relative to it.
    public var root: String
    public var files: [String: String]

    public init(root: String, files: [String: String]) {
        self.root = root
        self.files = files
    }
}

/// One applied state of a factory's definitions.
public struct FactoryRevision: Sendable, Codable, Equatable {
    public var number: Int64
    public var digest: Digest
    public var applied: Timestamp
    public var principal: String
    public var directory: FactoryFiles

    public init(number: Int64, digest: Digest, applied: Timestamp, principal: String, directory: FactoryFiles) {
        self.number = number
        self.digest = digest
        self.applied = applied
        self.principal = principal
        self.directory = directory
    }
}

/// The difference between definitions and what is in force.
public struct FactoryPlan: Sendable, Codable, Equatable {
    public var changes: [Change]
    /// What it means for model versions in Staging and Production.
    public var impacts: [Impact]

    public init(changes: [Change], impacts: [Impact] = []) {
        self.changes = changes
        self.impacts = impacts
    }

    /// A feature service that would give something else, and the model versions made for what it gives now.
    public struct Impact: Sendable, Codable, Equatable {
        public var service: String
        /// Whether they could not go on; else they would be given other values under the same names.
        public var breaks: Bool
        public var explanation: String
        public var consumers: [String]

        public init(service: String, breaks: Bool, explanation: String, consumers: [String]) {
            self.service = service
            self.breaks = breaks
            self.explanation = explanation
            self.consumers = consumers
        }
    }

    public struct Change: Sendable, Codable, Equatable {
        public var action: Action
        public var kind: String
        public var name: String

        /// Whether it changes what the factory runs as a command.
        var isOfJob: Bool { kind == "job" }

        public init(action: Action, kind: String, name: String) {
            self.action = action
            self.kind = kind
            self.name = name
        }
    }

    public enum Action: String, Sendable, Codable, CaseIterable { case create, change, remove }
}
