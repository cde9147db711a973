import Automation
import Basics
import Experiments
import Features
import Jobs
import Journal
import Monitoring
import Registry
import SQL
import Security
import Serving
import Synchronization
import Telemetry
import Training
import WorksAPI

/// The factory as a whole: applies definitions, keeps the clock, and runs the control loop one turn at a time.
final class Factory: FactoryControl {
    private let database: Database
    private let addresses: StoreAddresses
    private let clock: FactoryClock
    private let system: any TimeSource
    private let random: any RandomSource
    private let features: FeatureStore
    private let training: TrainingService
    private let endpoints: EndpointStore
    private let registry: ModelRegistry
    private let limits: RateLimits
    private let monitors: MonitorService
    private let retraining: RetrainService
    private let loop: ControlLoop
    private let experiments: ExperimentStore
    private let duty: ControlDuty
    private let jobs: JobDuty
    private let scorers: ScorerDuty
    private let models: ModelRepository
    private let requests: RequestRecords
    private let turns = TurnGate()
    private let journal: Journal
    /// The last journal entry whose effects are in force here.
    private let followed = Mutex<Int64>(-1)
    /// What time the database says it is in a replay.
    private let keptClock = Mutex<Timestamp?>(nil)
    /// The revision whose definitions are in force here.
    private let inForce = Mutex<Int64>(0)
    private let describe: @Sendable () async throws -> [String: String]

    init(
        database: Database, addresses: StoreAddresses, clock: FactoryClock, system: any TimeSource,
        random: any RandomSource,
        features: FeatureStore,
        training: TrainingService, endpoints: EndpointStore, registry: ModelRegistry, limits: RateLimits,
        monitors: MonitorService,
        retraining: RetrainService,
        loop: ControlLoop, experiments: ExperimentStore, duty: ControlDuty, jobs: JobDuty,
        scorers: ScorerDuty, models: ModelRepository, requests: RequestRecords,
        describe: @escaping @Sendable () async throws -> [String: String]
    ) {
        self.database = database
        journal = Journal(database)
        self.addresses = addresses
        self.clock = clock
        self.system = system
        self.random = random
        self.features = features
        self.training = training
        self.endpoints = endpoints
        self.registry = registry
        self.limits = limits
        self.monitors = monitors
        self.retraining = retraining
        self.loop = loop
        self.experiments = experiments
        self.duty = duty
        self.jobs = jobs
        self.scorers = scorers
        self.models = models
        self.requests = requests
        self.describe = describe
    }

    static let migrations = [
        Migration(
            room: "works", version: 1,
            sql: """
                CREATE TABLE factory_revisions (
                  number INTEGER PRIMARY KEY, digest TEXT NOT NULL, record TEXT NOT NULL, applied INTEGER NOT NULL);
                CREATE TABLE factory_clock (id INTEGER PRIMARY KEY CHECK (id = 1), now INTEGER NOT NULL);
                """)
    ]

    var now: Timestamp { clock.now }

    func facts() async throws -> [String: String] { try await describe() }

    func current() async throws -> FactoryRevision? { try await Self.current(in: database) }

    /// The revision that was applied last.
    static func current(in database: Database) async throws -> FactoryRevision? {
        try await database.read { transaction in
            try transaction.first("SELECT record FROM factory_revisions ORDER BY number DESC LIMIT 1")
                .map { try JSON.decode(FactoryRevision.self, from: try $0.string("record")) }
        }
    }

    func plan(_ directory: FactoryFiles) async throws -> FactoryPlan {
        let wanted = try FactoryDefinitions(directory)
        return try await plan(wanted, from: try await current().map { try FactoryDefinitions($0.directory) })
    }

    func testFeatures(_ directory: FactoryFiles, named names: [String]?) async throws -> FeatureTestReport {
        try await FeatureTestRunner(folder: features.scratch, time: system, random: random)
            .run(FactoryDefinitions(directory).catalogue, only: names)
    }

    private func plan(_ wanted: FactoryDefinitions, from old: FactoryDefinitions?) async throws -> FactoryPlan {
        var plan = wanted.changes(from: old)
        guard let changes = try old?.catalogue.serviceChanges(to: wanted.catalogue), !changes.isEmpty else {
            return plan
        }
        let inUse = try await registry.versions().filter { $0.stage == .staging || $0.stage == .production }
        plan.impacts = try changes.compactMap { change in
            let made = try old?.catalogue.digest(ofService: change.service)
            let consumers = inUse.filter { made != nil && $0.materials?.features == made }.map {
                "model \($0.id) (\($0.stage.rawValue))"
            }
            guard !consumers.isEmpty else { return nil }
            return FactoryPlan.Impact(
                service: change.service, breaks: change.breaks, explanation: change.explanation, consumers: consumers)
        }
        return plan
    }

    func apply(_ directory: FactoryFiles, allowBreaking: Bool, by principal: String) async throws -> FactoryPlan {
        let definitions = try FactoryDefinitions(directory)
        let last = try await current()
        let plan = try await plan(definitions, from: try last.map { try FactoryDefinitions($0.directory) })
        var number = last?.number
        try addresses.check(definitions.stores)
        try await endpoints.check(definitions.endpoints, under: definitions.catalogue)
        let served = Set(models.index(readyOnly: true).map(\.name))
        if let endpoint = definitions.endpoints.first(where: { served.contains($0.name) }) {
            throw WorksFailure.nameTaken(endpoint: endpoint.name)
        }
        if !allowBreaking, let broken = plan.impacts.first(where: \.breaks) { throw WorksFailure.wouldBreak(broken) }
        if last?.directory != directory {
            let revision = FactoryRevision(
                number: (last?.number ?? 0) + 1, digest: Digest(of: try JSON.canonical(directory.files)),
                applied: system.now, principal: principal, directory: directory)
            number = revision.number
            let text = try JSON.string(revision)
            try await database.write { [before = last?.number] transaction in
                let newest = try transaction.first("SELECT max(number) AS number FROM factory_revisions")
                guard try newest?.optionalInteger("number") == before else { throw WorksFailure.appliedMeanwhile }
                try transaction.execute(
                    "INSERT INTO factory_revisions (number, digest, record, applied) VALUES (?, ?, ?, ?)",
                    [.integer(revision.number), .init(revision.digest), .text(text), .init(revision.applied)])
                try JobQueue.replaceSchedules(
                    named: JobDefinition.schedulePrefix, with: definitions.jobs.compactMap(\.schedule),
                    at: revision.applied, in: transaction)
                try Journal.append(
                    JournalDraft(
                        principal: principal, type: "factory.applied", subject: "factory/\(definitions.settings.name)",
                        body: [
                            "revision": .integer(revision.number), "digest": .string(revision.digest.description),
                            "changes": try JSON.value(plan),
                        ]),
                    in: transaction, at: revision.applied)
            }
        }
        try await use(definitions)
        if let number { inForce.withLock { $0 = number } }
        return plan
    }

    /// Puts the definitions in force that were applied last.
    func resume() async throws {
        try await duty.showLife()
        try await failAbandoned()
        guard let revision = try await current() else { return }
        try await use(try FactoryDefinitions(revision.directory))
        inForce.withLock { $0 = revision.number }
    }

    /// Puts in force here what other processes of the factory have changed.
    func follow() async throws {
        let head = try await journal.head().sequence
        guard followed.withLock({ $0 != head }) else { return }
        if let revision = try await current(), inForce.withLock({ $0 != revision.number }) {
            try await use(try FactoryDefinitions(revision.directory))
            inForce.withLock { $0 = revision.number }
        }
        try await features.follow()
        try await endpoints.follow()
        await loop.lookAgain()
        followed.withLock { $0 = head }
    }

    /// Runs a turn of the loop where this process drives it; nil where another does.
    private func drive<Result: Sendable>(_ turn: @Sendable () async throws -> Result) async throws -> Result? {
        try await duty.drive {
            await loop.takeOver()
        } _: {
            if duty.isShared { try await failAbandoned() }
            return try await turn()
        }
    }

    /// Ends as failed what processes that are gone were working on.
    private func failAbandoned() async throws {
        for process in try await experiments.workingProcesses() where try await duty.isGone(process) {
            try await experiments.failAbandoned(by: process)
        }
    }

    private func use(_ definitions: FactoryDefinitions) async throws {
        if definitions.settings.replay {
            let stored = try await database.read { transaction in
                try transaction.first("SELECT now FROM factory_clock WHERE id = 1").map { try $0.timestamp("now") }
            }
            let first = definitions.trainings.map(\.from).min() ?? Timestamp(microseconds: 0)
            clock.replay(from: stored ?? first)
            keptClock.withLock { $0 = stored ?? clock.now }
        } else {
            clock.useSystem()
        }
        features.use(definitions.catalogue, dataFolder: definitions.dataFolder)
        training.use(definitions.trainings)
        registry.use(definitions.registry)
        limits.set(definitions.limits, of: .definitions)
        requests.standard = definitions.records
        try await endpoints.open(definitions.endpoints)
        await monitors.use(definitions.monitors)
        await retraining.use(definitions.pipelines)
        jobs.use(definitions.jobs)
        scorers.use(definitions.scorers)
    }

    func advance(to moment: Timestamp) async throws -> ControlLoop.Turn {
        guard clock.isReplay else { throw AutomationFailure.clockIsSystem }
        return try await turns.run { [self] in
            guard moment >= clock.now else { throw AutomationFailure.clockGoesBack(now: clock.now, asked: moment) }
            let before = clock.now
            guard
                let turn = try await drive({ [self] in
                    clock.advance(to: moment)
                    return try await loop.tick()
                })
            else { throw WorksFailure.otherProcessDrives }
            let quiet = turn.windows.isEmpty && turn.pipelines.isEmpty && turn.rollouts.isEmpty
            // After a crash the replay says again what time it is, so the stored clock may lag a little.
            if !quiet || before.floored(toSeconds: 21_600) != moment.floored(toSeconds: 21_600) {
                try await keepClock()
            }
            return turn
        }
    }

    /// Stores what time it is in a replay, so that a restart goes on from there.
    func keepClock() async throws {
        let now = clock.now
        guard clock.isReplay, keptClock.withLock({ $0 != now }) else { return }
        _ = try await database.write { transaction in
            try transaction.execute(
                """
                INSERT INTO factory_clock (id, now) VALUES (1, ?)
                ON CONFLICT (id) DO UPDATE SET now = excluded.now
                """, [.init(now)])
        }
        keptClock.withLock { $0 = now }
    }

    /// One turn of the loop on the system's clock; nothing while a replay drives it.
    func tick() async throws {
        guard !clock.isReplay else { return }
        _ = try await turns.run { [self] in try await drive { [self] in try await loop.tick() } }
    }
}

/// Lets one turn of the control loop run at a time; others wait in order.
actor TurnGate {
    private var busy = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func run<Result: Sendable>(_ body: @Sendable () async throws -> Result) async throws -> Result {
        if busy { await withCheckedContinuation { waiting.append($0) } }
        busy = true
        defer {
            if waiting.isEmpty { busy = false } else { waiting.removeFirst().resume() }
        }
        return try await body()
    }
}
