import Automation
import Basics
import Columnar
import Datasets
import Experiments
import Feast
import Features
import Foundation
import GRPC
import HTTP
import Inference
import Jobs
import Journal
import KeyValue
import MLflow
import Monitoring
import ObjectStorage
import OpenInference
import Records
import Registry
import SQL
import Sealing
import Security
import Serving
import Telemetry
import Training
import Upkeep
import WorksAPI

/// How a factory is opened.
public struct WorksOptions: Sendable {
    public var root: String
    /// Where the stores are; what is not said is what the root remembers, or else embedded.
    public var stores: StoreAddresses
    /// What `${NAME}` in an address and the names of secrets stand for.
    public var environment: [String: String]
    /// How many network threads there are, and so how many predictions may be under way at once.
    public var threads: Int
    public var logLevel: LogLevel
    /// Where log lines go.
    public var logSink: LogSink
    public var time: any TimeSource
    public var random: any RandomSource
    /// Nil for the key that `MODELWORKS_JOURNAL_KEY_FILE` names, or the one below the root, and the anchor that the
    /// addresses name, or that such stores have.
    public var journal: JournalOptions?
    /// How long a process may be silent before its jobs are given to another.
    public var jobLeases: JobLeases
    /// The folder of MLflow's web pages, to be shown at `/`; nil for none.
    public var mlflowPages: String?
    /// The models that are served beside the endpoints. Where it names no folder, the folder `models` of the directory that
    /// was applied last is served, if it has one.
    public var models = RepositoryOptions()
    /// Whether metrics of models are shown under Triton's names too.
    public var tritonMetrics = false

    public init(
        root: String, stores: StoreAddresses = StoreAddresses(),
        environment: [String: String] = ProcessInfo.processInfo.environment, threads: Int = 2,
        logLevel: LogLevel = .warning, logSink: LogSink = .standardError(), time: any TimeSource = SystemTime(),
        random: any RandomSource = SystemRandom(), journal: JournalOptions? = nil, jobLeases: JobLeases = JobLeases()
    ) {
        self.root = root
        self.stores = stores
        self.environment = environment
        self.threads = threads
        self.logLevel = logLevel
        self.logSink = logSink
        self.time = time
        self.random = random
        self.journal = journal
        self.jobLeases = jobLeases
    }
}

/// A factory in this process: every store and service of a root, and the routes over them.
public final class Works: Sendable {
    public let router: Router
    public let metrics: MetricsRegistry
    public let logger: Logger
    /// Principals, roles and tokens.
    public let access: AccessStore
    let lock: RootLock
    let factory: Factory
    private let duty: ControlDuty
    private let checkpointer: Checkpointer
    private let stores: Stores
    private let anchorPlace: AnchorPlace
    private let jobs: JobDuty
    private let streaming: StreamDuty
    private let scoring: ScorerDuty
    private let hooks: WebhookDuty
    private let threads: Int
    private let limits: RateLimits
    private let random: any RandomSource
    /// The models that are served beside the endpoints.
    public let models: ModelRepository
    private let calls = GRPCRouter()
    private let requests: RequestRecords
    private let upkeep: RecordUpkeep
    private let scaler: ModelScaler
    /// The environment variable that names the file with the key that signs the journal.
    public static let journalKeyVariable = "MODELWORKS_JOURNAL_KEY_FILE"
    /// The environment variable that names the file with the key that signs exported model versions.
    public static let modelKeyVariable = "MODELWORKS_MODEL_KEY_FILE"
    /// The environment variable that names the file with the keys that seal the secrets of webhooks.
    public static let webhookKeyVariable = "MODELWORKS_WEBHOOK_KEY_FILE"
    /// The environment variable that names the file with the key that hashes what is redacted in records of requests.
    public static let recordKeyVariable = "MODELWORKS_RECORD_KEY_FILE"
    /// How many predictions may wait at once for features over a network.
    private static let remoteWorkers = 16
    private let time: any TimeSource

    /// Opens a root, making it where there is none, and puts the definitions applied last in force.
    public static func open(_ options: WorksOptions) async throws -> Works {
        let root = options.root
        for folder in ["", "/scratch"] {
            do {
                try FileManager.default.createDirectory(atPath: root + folder, withIntermediateDirectories: true)
            } catch {
                throw WorksFailure.rootUnusable(root: root, error)
            }
        }
        let lock = try RootLock(root: root)
        for name in try FileManager.default.contentsOfDirectory(atPath: "\(root)/scratch") {
            try? FileManager.default.removeItem(atPath: "\(root)/scratch/\(name)")
        }
        let metrics = MetricsRegistry()
        let logger = Logger(sink: options.logSink, level: options.logLevel, time: options.time)
        let stores = try await Stores.open(options, metrics: metrics, logger: logger)
        do {
            _ = try await WorksFailure.naming("sql") { try await stores.database.migrate(migrations) }
            return try await Works(options, lock: lock, stores: stores, metrics: metrics, logger: logger)
        } catch {
            await stores.close()
            throw error
        }
    }

    /// The schema of every room, in order.
    public static var migrations: [Migration] {
        Leases.migrations + Journal.migrations + AccessStore.migrations + RecordChannels.migrations
            + JobQueue.migrations + DatasetStore.migrations + FeatureStore.migrations + ExperimentStore.migrations
            + ModelRegistry.migrations
            + EndpointStore.migrations + MonitorService.migrations + ControlLoop.migrations + Factory.migrations
            + Collector.migrations
    }

    private init(
        _ options: WorksOptions, lock: RootLock, stores: Stores, metrics: MetricsRegistry, logger: Logger
    ) async throws {
        let root = options.root
        let database = stores.database
        let (time, random) = (options.time, options.random)
        let process = random.identifier()
        let objects = CollectedObjectStore(stores.objects, database: database, time: time, holder: process)
        self.lock = lock
        self.stores = stores
        self.metrics = metrics
        threads = options.threads
        limits = RateLimits([], metrics: metrics)
        self.random = random
        self.time = time
        self.logger = logger
        duty = ControlDuty(
            database: database, isShared: stores.isShared, holder: process, time: time, logger: logger)
        jobs = try JobDuty(
            options, database: database, url: stores.url(.jobs), metrics: metrics, logger: logger)
        let clock = FactoryClock(system: time)
        let journal = Journal(database)
        var proof = options.journal ?? .standard(root: root)
        if options.journal == nil {
            anchorPlace = try await stores.anchor(options, metrics: metrics, logger: logger)
            proof.anchor = anchorPlace.anchor
            // Processes that share a journal sign it with one key.
            if let file = options.environment[Self.journalKeyVariable], !file.isEmpty { proof.signingKeyFile = file }
        } else {
            anchorPlace = AnchorPlace(anchor: proof.anchor)
        }
        checkpointer = try await Checkpointer.open(journal, options: proof, time: time)
        access = AccessStore(database: database, time: time, random: random)
        let engine = ColumnarEngine(
            ColumnarOptions(
                memoryLimitBytes: 300 << 20, threads: 2, temporaryDirectory: "\(root)/scratch", connections: 1))
        let features = FeatureStore(
            database: database, objects: objects, engine: engine, online: stores.online,
            onlineTable: try await stores.online.table(Stores.onlineTable), time: clock, random: random,
            scratch: "\(root)/scratch", environment: options.environment,
            offline: try WorksFailure.naming("offline") { try OfflineEngine(try stores.url(.offline)) })
        streaming = StreamDuty(
            features: features, shared: stores.streams, address: try stores.url(.streams),
            opener: StoreOpener(options: options, cache: "\(root)/cache", metrics: metrics, logger: logger), duty: duty)
        let experiments = ExperimentStore(
            database: database, objects: objects, time: clock, random: random, process: process)
        let training = TrainingService(
            features: features, experiments: experiments, objects: objects, time: clock,
            environment: ProgramVersion.environment, host: ProgramVersion.host)
        let registry = ModelRegistry(database: database, time: clock)
        features.compareHistories {
            try await registry.versions().filter { $0.stage == .production }.sorted { $0.staged > $1.staged }
                .compactMap { version in
                    guard let materials = version.materials, let features = materials.features else { return nil }
                    return ModelInUse(features: features, datasets: materials.datasets)
                }
        }
        // Each network thread and each worker asks models and endpoints through a slot of its own; one more is for checks.
        let workers = stores.online.isLocal ? 1 : Self.remoteWorkers
        let slots = options.threads + workers + 1
        let loader = ModelLoader(objects: objects, runtimes: .all, slots: slots)
        let endpoints = EndpointStore(
            database: database, registry: registry, loader: loader, features: features, time: clock, wallTime: time,
            slots: slots, logger: logger, channels: stores.records, metrics: metrics)
        let monitors = MonitorService(database: database, registry: registry, loader: loader, endpoints: endpoints)
        let rollouts = RolloutService(
            database: database, registry: registry, endpoints: endpoints, time: clock, random: random,
            logger: logger)
        let splits = SplitService(endpoints: endpoints, random: random, logger: logger)
        let retraining = RetrainService(
            database: database, registry: registry, loader: loader, training: training, rollouts: rollouts,
            endpoints: endpoints, time: clock, random: random)
        let materialisation = Materialisation(features: features, metrics: metrics, logger: logger)
        let loop = ControlLoop(
            materialisation: materialisation, monitors: monitors, retraining: retraining, rollouts: rollouts,
            splits: splits, endpoints: endpoints, time: clock, logger: logger)
        scoring = ScorerDuty(
            registry: registry, loader: loader, features: features, store: streaming.store, duty: duty, clock: clock,
            time: time, metrics: metrics, logger: logger)
        requests = RequestRecords(
            stores.records,
            key: try RecordKey.open(
                try Self.keyFile("redaction.key", orNamedBy: Self.recordKeyVariable, options), random: random),
            time: time, random: random, metrics: metrics)
        upkeep = RecordUpkeep(stores.records, requests: requests, time: time)
        models = ModelRepository(
            try await Self.models(
                options, applied: try await Factory.current(in: database), endpoints, requests, logger),
            time: time, random: random, metrics: metrics)
        scaler = ModelScaler(models, metrics: metrics)
        factory = Factory(
            database: database, addresses: stores.addresses, clock: clock, system: time, random: random,
            features: features,
            training: training,
            endpoints: endpoints, registry: registry, limits: limits, monitors: monitors, retraining: retraining,
            loop: loop, experiments: experiments, duty: duty, jobs: jobs, scorers: scoring, models: models,
            requests: requests
        ) {
            ProgramVersion.environment.merging(["root": root]) { first, _ in first }
        }
        let webhooks = WebhookStore(
            database: database, registry: registry, time: time, random: random,
            keyring: try Self.webhookKeyring(options))
        try await webhooks.sealPlainSecrets()
        let hooks = WebhookDuty(webhooks: webhooks, time: time, logger: logger)
        self.hooks = hooks
        router = Router(log: logger)
        WorksAPI(
            Services(
                journal: journal, checkpointer: checkpointer, objects: objects, features: features,
                streams: streaming.streams,
                experiments: experiments, training: training,
                registry: registry,
                archive: VersionArchive(
                    registry: registry, experiments: experiments, objects: objects, time: time,
                    keyFile: try Self.modelKeyFile(options), spoolFolder: "\(options.root)/scratch"),
                webhooks: webhooks, loader: loader, endpoints: endpoints,
                monitors: monitors, rollouts: rollouts, splits: splits, retraining: retraining, factory: factory,
                jobs: jobs,
                collector: Collector(
                    database: database, objects: stores.objects, experiments: experiments, registry: registry,
                    clock: clock, time: time, holder: process)), access: access,
            version: ProgramVersion.current
        ).install(on: router)
        let inference = OpenInference(
            table: endpoints.table, models: models, version: ProgramVersion.current, time: clock, random: random,
            loops: options.threads, workers: workers, answersOnLoops: stores.online.isLocal)
        inference.install(on: router)
        inference.install(on: calls)
        PredictionRoutes(
            endpoints: endpoints.table, models: models,
            kept: .init(finder: PredictionFinder(stores.records, endpoints: endpoints.table), upkeep: upkeep)
        ).install(on: router)
        inference.installScoring(on: router, tables: engine, standalone: false)
        Feast(
            features: features, streams: streaming.streams, time: clock, loops: options.threads,
            workers: max(2, workers), answersOnLoops: stores.online.isLocal
        ).install(on: router)
        MLflow(
            experiments: experiments, registry: registry, webhooks: webhooks, time: time,
            pages: try options.mlflowPages.map { try WebPages(directory: $0) }
        ) {
            await hooks.attempt($0)
        }.install(on: router)
        router.get(
            "/api/works/v1/scorers", needs: .right(to: .read),
            about: .init(
                "Tells how far the scorers of streams in this process have come",
                answer: .json([StreamScorerStatus].self))
        ) { [scoring] _ in
            try .json(await scoring.statuses())
        }
        ScalingRoutes(scaler).install(on: router)
        OperatorRoutes(metrics: metrics) { [models] in
            options.tritonMetrics ? TritonMetrics.text(models) : ""
        }.install(on: router)
        try await factory.resume()
    }

    /// What is served beside the endpoints.
    private static func models(
        _ options: WorksOptions, applied: FactoryRevision?, _ endpoints: EndpointStore, _ requests: RequestRecords,
        _ logger: Logger
    ) async throws -> RepositoryOptions {
        var models = options.models.logging(to: logger)
        if models.folder == nil, let root = applied?.directory.root {
            var isFolder: ObjCBool = false
            let folder = "\(root)/models"
            if FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue {
                models.folder = folder
            }
        }
        models.records = requests
        models.refuse = { [table = endpoints.table] name in
            table[name] == nil ? nil : "an endpoint has its name; rename the model's folder or the endpoint"
        }
        return models
    }

    /// Where the key is that signs exported model versions.
    private static func modelKeyFile(_ options: WorksOptions) throws -> String {
        try keyFile("models.ed25519", orNamedBy: modelKeyVariable, options)
    }

    /// What the secrets of webhooks are sealed with, made where there is none.
    private static func webhookKeyring(_ options: WorksOptions) throws -> SealingKeyring {
        let file = try keyFile("webhooks.keys", orNamedBy: webhookKeyVariable, options)
        if !FileManager.default.fileExists(atPath: file) {
            try SealingKeyring.create(file: file, id: "webhooks-1")
        }
        return try SealingKeyring(file: file)
    }

    /// A key file of the root, or the one that a variable names. The folder is made where it is below the root.
    private static func keyFile(_ name: String, orNamedBy variable: String, _ options: WorksOptions) throws -> String {
        if let file = options.environment[variable], !file.isEmpty { return file }
        let folder = "\(options.root)/keys"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        return "\(folder)/\(name)"
    }

    /// Listens until `stop` returns, then drains: requests under way are answered, new connections refused.
    ///
    /// - Parameters:
    ///   - security: who is let in, and the certificate.
    ///   - grpcPort: where gRPC is answered, 0 for any free port; nil for nowhere.
    ///   - gateway: limits, logs and what else stands before the routes.
    ///   - endJobs: whether jobs that run on this machine are ended and given back when it stops. Else they go on, and the
    ///     next process of this root carries them on.
    ///   - grpcReady: called before `ready` with the address of gRPC, `HOST:PORT`, where there is one.
    ///   - ready: called with the address once requests are answered, and every model has been loaded or has failed to.
    /// - Throws: `AccessFailure.exposed` where the host lies beyond this machine and nothing keeps strangers out, or
    ///   the `HTTPFailure` for which the server can not start.
    public func serve(
        host: String, port: Int, grpcPort: Int? = nil, security: ServerSecurity = ServerSecurity(),
        gateway options: GatewayOptions = GatewayOptions(), endJobs: Bool = false,
        grpcReady: @Sendable (String) -> Void = { _ in },
        ready: @Sendable (String) -> Void,
        until stop: @Sendable () async -> Void
    ) async throws {
        let isEncrypted = security.certificate != nil
        try security.access.check(host: host, encrypted: isEncrypted, insecure: security.insecure)
        var configuration = HTTPServerConfiguration(host: host, port: port)
        configuration.http2Port = grpcPort
        configuration.threads = threads
        configuration.certificate = security.certificate
        let gateway = try Gateway(
            options, limits: limits, time: time, random: random, metrics: metrics, logger: logger)
        gateway.configure(&configuration)
        let authenticator = gateway.authenticator(access)
        let guardian: any AccessGuard = security.access == .on ? authenticator : OpenAccess(limits: limits)
        router.protect(with: guardian)
        calls.protect(with: guardian)
        let server = HTTPServer(
            configuration: configuration, router: router, calls: calls, log: logger, metrics: metrics)
        let bound = try server.start()
        func address(_ host: String) -> String {
            "\(isEncrypted ? "https" : "http")://\(host.contains(":") ? "[\(host)]" : host):\(bound)"
        }
        let url = address(host)
        // Who finds the server through its root is on this machine, and can not speak to "every address".
        try lock.publish(url: ["0.0.0.0", "::"].contains(host) ? address("127.0.0.1") : url)
        do { try await models.start() } catch {
            // The endpoints answer, whatever became of the folder.
            logger.error("no models are served beside the endpoints", ["error": .string("\(error)")])
        }
        let compacting = Task { [upkeep, logger] in await upkeep.work(log: logger) }
        let watching = Task { [models, logger] in await models.follow(every: 1, log: logger) }
        let ticking = Task { [factory, logger] in
            while !Task.isCancelled {
                do { try await factory.tick() } catch {
                    // A turn that is broken off because the server ends has not failed.
                    guard !Task.isCancelled else { return }
                    logger.error("the control loop failed", ["error": .string("\(error)")])
                }
                try? await Task.sleep(for: .seconds(1))
            }
        }
        let following = Task { [factory, stores, logger] in
            guard stores.isShared else { return }
            while !Task.isCancelled {
                do { try await factory.follow() } catch {
                    logger.error("what other processes changed is not in force here", ["error": .string("\(error)")])
                }
                try? await Task.sleep(for: .milliseconds(500))
            }
        }
        let living = Task { [duty] in await duty.showLifeContinually() }
        let anchoring = Task { [checkpointer, duty, logger] in
            await checkpointer.run {
                await duty.isHeld
            } failed: { error in
                logger.error("the journal could not be anchored", ["error": .string("\(error)")])
            }
        }
        let shipping = Task { [stores, logger] in await stores.records.shipContinually(log: logger) }
        let working = Task { [jobs] in await jobs.work() }
        let telling = Task { [hooks] in await hooks.work() }
        let streamed = Task { [streaming] in await streaming.work() }
        let scaling = Task { [scaler] in await scaler.follow() }
        let scored = Task { [scoring] in await scoring.work() }
        let guarding = Task { [logger] in
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await gateway.keep(server, security) }
                group.addTask {
                    while !Task.isCancelled {
                        try? await Task.sleep(for: .seconds(30))
                        do { try await authenticator.flushUses() } catch {
                            logger.warning("the last uses of tokens were not noted", ["error": .string("\(error)")])
                        }
                    }
                }
            }
        }
        let name = host.contains(":") ? "[\(host)]" : host
        if let port = server.http2Port { grpcReady("\(name):\(port)") }
        ready(url)
        await stop()
        let tasks = [
            watching, compacting, scaling, ticking, following, living, shipping, anchoring, working, guarding, streamed,
            scored,
            telling,
        ]
        for task in tasks { task.cancel() }
        try lock.publish(url: nil)
        await server.shutdown(drainSeconds: 10)
        for task in tasks { await task.value }
        await jobs.stop(endJobs: endJobs)
        await gateway.close()
        await close()
    }

    /// Makes this process the one that drives the loop, until it closes.
    /// - Returns: false where another does.
    func driveLoop() async -> Bool { await duty.claim() }

    /// Closes every store, in order.
    public func close() async {
        // At the same time: where the database is away, each of them waits for it as long as a change does.
        await requests.drain()
        async let anchored: Void = anchorEnd()
        async let shipped: Void = stores.records.close()
        async let ended: Void = jobs.close()
        _ = await (anchored, shipped, ended)
        await anchorPlace.close()
        await streaming.close(isShared: stores.streams != nil)
        await stores.close()
        lock.release()
    }

    private func anchorEnd() async {
        if await duty.claim() {
            do { try await factory.keepClock() } catch {
                logger.error("the clock could not be stored", ["error": .string("\(error)")])
            }
            do { try await checkpointer.checkpoint() } catch {
                logger.error("the end of the journal could not be anchored", ["error": .string("\(error)")])
            }
        }
        await duty.end()
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
