import Automation
import Basics
import Columnar
import Experiments
import Features
import Foundation
import HTTP
import Inference
import Journal
import KeyValue
import Monitoring
import ObjectStorage
import OpenInference
import Registry
import SQL
import Serving
import Telemetry
import Training
import WorksAPI

/// How a factory is opened.
public struct WorksOptions: Sendable {
    public var root: String
    /// How many network threads there are, and so how many predictions may be under way at once.
    public var threads: Int
    public var logLevel: LogLevel
    public var time: any TimeSource
    public var random: any RandomSource
    /// Nil for the key and the anchor file below the root.
    public var journal: JournalOptions?

    public init(
        root: String, threads: Int = 2, logLevel: LogLevel = .warning, time: any TimeSource = SystemTime(),
        random: any RandomSource = SystemRandom(), journal: JournalOptions? = nil
    ) {
        self.root = root
        self.threads = threads
        self.logLevel = logLevel
        self.time = time
        self.random = random
        self.journal = journal
    }
}

/// A factory in this process: every store and service of a root, and the routes over them.
public final class Works: Sendable {
    public let router: Router
    public let metrics: MetricsRegistry
    public let logger: Logger
    let lock: RootLock
    let factory: Factory
    private let database: Database
    private let checkpointer: Checkpointer
    private let logs: RecordLogs
    private let threads: Int

    /// Opens a root, making it where there is none, and puts the definitions applied last in force.
    public static func open(_ options: WorksOptions) async throws -> Works {
        let root = options.root
        for folder in ["", "/objects", "/online", "/records", "/scratch"] {
            do {
                try FileManager.default.createDirectory(atPath: root + folder, withIntermediateDirectories: true)
            } catch {
                throw WorksFailure.rootUnusable(
                    root: root,
                    reason: (error as NSError).localizedDescription.trimmingCharacters(in: .punctuationCharacters))
            }
        }
        let lock = try RootLock(root: root)
        for name in try FileManager.default.contentsOfDirectory(atPath: "\(root)/scratch") {
            try? FileManager.default.removeItem(atPath: "\(root)/scratch/\(name)")
        }
        let database = try await Database.open(at: "\(root)/works.db")
        _ = try await database.migrate(
            Journal.migrations + DatasetStore.migrations + ExperimentStore.migrations + ModelRegistry.migrations
                + EndpointStore.migrations + MonitorService.migrations + ControlLoop.migrations + Factory.migrations)
        return try await Works(options, lock: lock, database: database)
    }

    private init(_ options: WorksOptions, lock: RootLock, database: Database) async throws {
        let root = options.root
        let (time, random) = (options.time, options.random)
        self.lock = lock
        self.database = database
        threads = options.threads
        logger = Logger(sink: .standardError(), level: options.logLevel, time: time)
        metrics = MetricsRegistry()
        logs = RecordLogs(root: "\(root)/records")
        let clock = FactoryClock(system: time)
        let journal = Journal(database)
        checkpointer = try await Checkpointer.open(
            journal, options: options.journal ?? .standard(root: root), time: time)
        let objects = try FileObjectStore(root: "\(root)/objects")
        let engine = ColumnarEngine(
            ColumnarOptions(
                memoryLimitBytes: 300 << 20, threads: 2, temporaryDirectory: "\(root)/scratch", connections: 1))
        // What is online can be computed again from the histories, so it need not reach the disk at every turn.
        let online = try LMDBStore(path: "\(root)/online", durable: false)
        let features = FeatureStore(
            database: database, objects: objects, engine: engine, online: online,
            onlineTable: try await online.table("features"), time: clock,
            scratch: "\(root)/scratch")
        let experiments = ExperimentStore(database: database, objects: objects, time: clock, random: random)
        let training = TrainingService(
            features: features, experiments: experiments, objects: objects, time: clock,
            environment: ProgramVersion.environment)
        let registry = ModelRegistry(database: database, time: clock)
        let slots = options.threads + 1
        let loader = ModelLoader(objects: objects, runtimes: ModelRuntimes([LightGBMRuntime()]), slots: slots)
        let logs = logs
        let endpoints = EndpointStore(
            database: database, registry: registry, loader: loader, features: features, time: clock, wallTime: time,
            slots: slots, logger: logger
        ) { kind, endpoint in try logs.open(kind, endpoint) }
        let monitors = MonitorService(database: database, registry: registry, loader: loader, endpoints: endpoints)
        let rollouts = RolloutService(
            database: database, registry: registry, endpoints: endpoints, time: clock, random: random)
        let retraining = RetrainService(
            database: database, registry: registry, loader: loader, training: training, rollouts: rollouts,
            endpoints: endpoints, time: clock, random: random)
        let materialisation = Materialisation(features: features)
        let loop = ControlLoop(
            materialisation: materialisation, monitors: monitors, retraining: retraining, rollouts: rollouts,
            endpoints: endpoints, time: clock, logger: logger)
        factory = Factory(
            database: database, clock: clock, system: time, features: features, training: training,
            endpoints: endpoints, monitors: monitors, retraining: retraining,
            loop: loop
        ) {
            ProgramVersion.environment.merging(["root": root]) { first, _ in first }
        }
        router = Router(log: logger)
        WorksAPI(
            Services(
                journal: journal, checkpointer: checkpointer, objects: objects, features: features,
                experiments: experiments, training: training,
                registry: registry, loader: loader, endpoints: endpoints, monitors: monitors, rollouts: rollouts,
                retraining: retraining, factory: factory)
        ).install(on: router)
        OpenInference(
            table: endpoints.table, time: clock, random: random, slots: slots, metrics: metrics
        ).install(on: router)
        OperatorRoutes(metrics: metrics).install(on: router)
        try await experiments.failAbandoned()
        try await factory.resume()
    }

    /// Listens until `stop` returns, then drains: requests under way are answered, new connections refused.
    ///
    /// - Parameter ready: called with the address once requests are answered.
    public func serve(
        host: String, port: Int, ready: @Sendable (String) -> Void, until stop: @Sendable () async -> Void
    ) async throws {
        var configuration = HTTPServerConfiguration(host: host, port: port)
        configuration.threads = threads
        let server = HTTPServer(configuration: configuration, router: router, log: logger, metrics: metrics)
        let bound = try server.start()
        let url = "http://\(host.contains(":") ? "[\(host)]" : host):\(bound)"
        try lock.publish(url: url)
        let ticking = Task { [factory, logger] in
            while !Task.isCancelled {
                do { try await factory.tick() } catch {
                    logger.error("the control loop failed", ["error": .string("\(error)")])
                }
                try? await Task.sleep(for: .seconds(1))
            }
        }
        let anchoring = Task { [checkpointer, logger] in
            await checkpointer.run { error in
                logger.error("the journal could not be anchored", ["error": .string("\(error)")])
            }
        }
        ready(url)
        await stop()
        ticking.cancel()
        anchoring.cancel()
        try lock.publish(url: nil)
        await server.shutdown(drainSeconds: 10)
        await close()
    }

    /// Closes every store, in order.
    public func close() async {
        await logs.close()
        do { try await checkpointer.checkpoint() } catch {
            logger.error("the end of the journal could not be anchored", ["error": .string("\(error)")])
        }
        await database.close()
    }

    /// Answers a request without a socket.
    public func dispatch(_ method: HTTPMethod, _ target: String, headers: HTTPHeaders, body: [UInt8]) async throws
        -> (status: Int, body: [UInt8])
    {
        let response = await router.dispatch(
            try HTTPRequest(method: method, target: target, headers: headers, body: body))
        return (response.status.code, try await response.collect())
    }
}
