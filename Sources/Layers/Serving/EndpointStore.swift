import Basics
import Features
import Inference
import Journal
import ObjectStorage
import Records
import Registry
import SQL
import Synchronization
import Telemetry

/// The endpoints of a factory: their definitions and traffic, durable and journaled, and the versions in memory.
///
/// Guarantees: traffic as stored and traffic as served differ only while a change is under way; a version is loaded and
/// has reproduced its sample before any traffic reaches it; a canary that fails too often loses its traffic at once, and
/// that is journaled before anything else happens to the endpoint.
public actor EndpointStore {
    private let database: Database
    private let registry: ModelRegistry
    private let loader: ModelLoader
    private let features: FeatureStore
    private let channels: RecordChannels
    private let metrics: MetricsRegistry
    private let time: any TimeSource
    private let wallTime: any TimeSource
    private let slots: Int
    private let logger: Logger
    private let worker = BlockingThread(name: "serving")
    private var labelStores: [String: LabelStore] = [:]
    private var versions: [ModelVersionID: DeployedVersion] = [:]
    /// Counts the changes of traffic made here, by endpoint.
    private var changes: [String: Int] = [:]
    /// What requests look up without waiting for the actor.
    public nonisolated let table = EndpointTable()

    /// - Parameters:
    ///   - channels: where answers and labels are kept.
    ///   - time: the factory's clock, for the journal.
    ///   - wallTime: when answers are recorded.
    ///   - slots: how many requests may be answered at once.
    ///   - metrics: where the stage times of requests are shown.
    public init(
        database: Database, registry: ModelRegistry, loader: ModelLoader, features: FeatureStore,
        time: any TimeSource, wallTime: any TimeSource, slots: Int, logger: Logger, channels: RecordChannels,
        metrics: MetricsRegistry
    ) {
        self.metrics = metrics
        self.database = database
        self.registry = registry
        self.loader = loader
        self.features = features
        self.time = time
        self.wallTime = wallTime
        self.slots = slots
        self.logger = logger
        self.channels = channels
    }

    public static let migrations = [
        Migration(
            room: "serving", version: 1,
            sql: """
                CREATE TABLE endpoint_traffic (
                  endpoint TEXT PRIMARY KEY, traffic TEXT NOT NULL, changed INTEGER NOT NULL);
                """)
    ]

    /// Opens every defined endpoint with the traffic it had when the process last ran.
    public func open(_ definitions: [EndpointDefinition]) async throws {
        for definition in definitions { try await define(definition) }
        table.keep(only: Set(definitions.map(\.name)))
    }

    /// Proves that the versions that have traffic could go on answering under other definitions.
    ///
    /// - Throws: ``ServingFailure/signatureMismatch(_:missing:)`` or ``ServingFailure/serviceMismatch(_:endpoint:)``.
    public func check(_ definitions: [EndpointDefinition], under catalogue: Catalogue) async throws {
        for definition in definitions {
            let service = try catalogue.service(definition.service)
            try Self.checkSplit(definition, service, catalogue)
            let offered = service.inputNames
            guard table[definition.name]?.service.inputNames != offered,
                let traffic = try await storedTraffic(of: definition.name)
            else { continue }
            for id in traffic.versions where id != traffic.previous {
                let bundle = try await loader.load(try await registry.version(id).bundle)
                try Self.fit(id, bundle.manifest.signature.inputs.map(\.name), offered, endpoint: definition.name)
            }
        }
    }

    /// Keys that only a transform brings are not known here.
    private static func checkSplit(
        _ definition: EndpointDefinition, _ service: FeatureService, _ catalogue: Catalogue
    ) throws {
        guard let key = definition.splitBy, !service.selections.contains(where: \.isTransform) else { return }
        let keys = try service.selections.flatMap { selection in
            try catalogue.view(selection.source).joinKeys.map(selection.callerKey)
        }
        guard !keys.contains(key) else { return }
        throw ServingFailure.badRequest(
            "the endpoint '\(definition.name)' splits by '\(key)', which is no key of '\(definition.service)'",
            remedy: "Keys: \(Set(keys).sorted().joined(separator: ", ")).")
    }

    private static func fit(_ id: ModelVersionID, _ wanted: [String], _ offered: [String], endpoint: String) throws {
        guard wanted != offered else { return }
        let missing = wanted.filter { !offered.contains($0) }
        throw missing.isEmpty
            ? ServingFailure.serviceMismatch(id, endpoint: endpoint)
            : ServingFailure.signatureMismatch(id, missing: missing)
    }

    private func define(_ definition: EndpointDefinition) async throws {
        let existing = table[definition.name]
        let service = try features.onlineService(definition.service)
        if let existing, existing.definition == definition, existing.service.digest == service.digest { return }
        let name = definition.name
        let endpoint = Endpoint(
            definition: definition, service: service,
            records: try existing?.records ?? channels.channel("predictions", name),
            stages: existing?.stages ?? EndpointStages(name, in: metrics), time: wallTime, slots: slots
        ) { [weak self] trip in
            Task { await self?.canaryTripped(name, trip) }
        }
        if labelStores[name] == nil { labelStores[name] = LabelStore(records: try channels.channel("labels", name)) }
        if let traffic = try await storedTraffic(of: name) {
            endpoint.deploy(try await deployment(for: traffic, on: endpoint))
        }
        table.set(endpoint)
    }

    private func storedTraffic(of endpoint: String) async throws -> TrafficPolicy? {
        try await database.read { try Self.traffic(of: endpoint, in: $0) }
    }

    private static func traffic(of endpoint: String, in transaction: Transaction) throws -> TrafficPolicy? {
        try transaction.first("SELECT traffic FROM endpoint_traffic WHERE endpoint = ?", [.text(endpoint)])
            .map { try JSON.decode(TrafficPolicy.self, from: try $0.string("traffic")) }
    }

    private func deployment(for traffic: TrafficPolicy, on endpoint: Endpoint) async throws -> Deployment {
        let stable = try await load(traffic.stable, for: endpoint)
        // Kept warm, so that going back waits for nothing. One that can not be loaded any more is found out then.
        if let previous = traffic.previous { _ = try? await load(previous, for: endpoint) }
        var canary: DeployedVersion?
        if let id = traffic.canary { canary = try await load(id, for: endpoint) }
        return Deployment(
            traffic: traffic, stable: stable, canary: canary, shadow: try await shadow(for: traffic, on: endpoint),
            override: try await override(for: traffic, on: endpoint),
            split: try await split(for: traffic, on: endpoint),
            failureLimit: max(1, endpoint.definition.rollout.failureLimit), stages: endpoint.stages)
    }

    /// The line of the shadow that is there already, as long as it stays the same version.
    private func shadow(for traffic: TrafficPolicy, on endpoint: Endpoint) async throws -> ShadowLine? {
        guard let shadow = traffic.shadow else { return nil }
        let version = try await load(shadow.version, for: endpoint)
        if let line = endpoint.deployment?.shadow, line.version === version { return line }
        let name = endpoint.definition.name
        return ShadowLine(
            version: version, endpoint: name, records: try channels.channel("shadows", name), time: wallTime)
    }

    private func split(for traffic: TrafficPolicy, on endpoint: Endpoint) async throws -> SplitLine? {
        guard let split = traffic.split else { return nil }
        var versions: [DeployedVersion] = []
        for arm in split.arms { versions.append(try await load(arm.version, for: endpoint)) }
        return SplitLine(
            split, versions: versions, records: try channels.channel("exposures", endpoint.definition.name))
    }

    private func override(for traffic: TrafficPolicy, on endpoint: Endpoint) async throws -> Deployment.Override? {
        if let constant = traffic.override?.constant { return .constant(constant) }
        guard let version = traffic.override?.version else { return nil }
        return .version(try await load(version, for: endpoint))
    }

    private func load(_ id: ModelVersionID, for endpoint: Endpoint) async throws -> DeployedVersion {
        let (name, offered) = (endpoint.definition.name, endpoint.service.inputNames)
        guard id.model == endpoint.definition.model else {
            throw ServingFailure.otherModel(id, endpoint: name, model: endpoint.definition.model)
        }
        if let version = versions[id] {
            try Self.fit(id, version.inputNames, offered, endpoint: name)
            return version
        }
        let record = try await registry.version(id)
        let bundle = try await loader.load(record.bundle)
        let inputNames = bundle.manifest.signature.inputs.map(\.name)
        try Self.fit(id, inputNames, offered, endpoint: name)
        let version = DeployedVersion(id: id, model: bundle.model, inputNames: inputNames)
        versions[id] = version
        return version
    }

    /// Takes over the traffic that another process of the factory has stored.
    public func follow() async throws {
        for endpoint in table.all { try await follow(endpoint) }
        prune()
    }

    private func follow(_ endpoint: Endpoint) async throws {
        let name = endpoint.definition.name
        let before = changes[name, default: 0]
        guard let stored = try await storedTraffic(of: name), stored != endpoint.traffic else { return }
        let deployment = try await deployment(for: stored, on: endpoint)
        // What was read may be older than a change made here meanwhile; the next call looks again.
        guard changes[name, default: 0] == before, table[name] === endpoint else { return }
        endpoint.deploy(deployment)
        logger.info("traffic changed elsewhere", ["endpoint": .string(name)])
    }

    /// Changes who answers: loads what is needed, stores and journals the policy, then swaps.
    ///
    /// - Parameters:
    ///   - type: the journal entry's type, such as `endpoint.deployed`.
    ///   - expected: the traffic that the change was decided on; nil to change whatever is there.
    ///   - companion: what must be stored with it, in the same transaction.
    /// - Throws: ``ServingFailure/trafficChanged(endpoint:)`` where another process has changed it since.
    @discardableResult
    public func set(
        _ traffic: TrafficPolicy, on name: String, type: String, reason: String, facts: [String: JSONValue] = [:],
        by principal: String, from expected: TrafficPolicy? = nil,
        with companion: @escaping @Sendable (Transaction) throws -> Void = { _ in }
    ) async throws -> TrafficPolicy {
        let endpoint = try table.endpoint(name)
        let deployment = try await deployment(for: traffic, on: endpoint)
        changes[name, default: 0] += 1
        try await store(
            traffic, on: name, type: type, reason: reason, facts: facts, by: principal, from: expected,
            with: companion)
        endpoint.deploy(deployment)
        prune()
        return traffic
    }

    private func store(
        _ traffic: TrafficPolicy, on name: String, type: String, reason: String,
        facts: [String: JSONValue] = [:], by principal: String, from expected: TrafficPolicy? = nil,
        with companion: @escaping @Sendable (Transaction) throws -> Void = { _ in }
    ) async throws {
        let now = time.now
        let text = try JSON.string(traffic)
        let body = try facts.merging(["traffic": JSON.value(traffic), "reason": .string(reason)]) { fact, _ in fact }
        try await database.write { transaction in
            if let expected, try Self.traffic(of: name, in: transaction) != expected {
                throw ServingFailure.trafficChanged(endpoint: name)
            }
            try companion(transaction)
            try transaction.execute(
                """
                INSERT INTO endpoint_traffic (endpoint, traffic, changed) VALUES (?, ?, ?)
                ON CONFLICT (endpoint) DO UPDATE SET traffic = excluded.traffic, changed = excluded.changed
                """,
                [.text(name), .text(text), .init(now)])
            try Journal.append(
                JournalDraft(
                    principal: principal, type: type, subject: "endpoint/\(name)",
                    body: .object(body)),
                in: transaction, at: now)
        }
    }

    /// Makes a version the stable one, at once.
    /// - Parameter emergency: the reason for not waiting until people agree to it, where they must; journaled.
    /// - Throws: `RegistryFailure.notApproved(_:approvals:)` where they have yet to.
    @discardableResult
    public func deploy(
        _ id: ModelVersionID, on name: String, reason: String, emergency: String? = nil, by principal: String
    ) async throws -> TrafficPolicy {
        let traffic = try table.endpoint(name).traffic?.switched(to: id) ?? TrafficPolicy(stable: id)
        return try await set(
            traffic, on: name, type: "endpoint.deployed", reason: reason,
            facts: emergency.map { ["emergency": .string($0)] } ?? [:], by: principal
        ) { [registry] transaction in
            if emergency == nil { try registry.refuseUnapproved(id, in: transaction) }
        }
    }

    /// Takes the canary away, or, where there is none, puts the version that was stable before back.
    ///
    /// - Parameter expected: the traffic that this was decided on; nil to roll back whatever is there.
    @discardableResult
    public func rollBack(
        _ name: String, reason: String, facts: [String: JSONValue] = [:], by principal: String,
        from expected: TrafficPolicy? = nil
    ) async throws -> TrafficPolicy {
        let endpoint = try table.endpoint(name)
        let facts = facts.merging(endpoint.canaryFacts) { given, _ in given }
        guard let traffic = endpoint.traffic, let next = traffic.rolledBack() else {
            throw ServingFailure.nothingToRollBack(endpoint: name)
        }
        return try await set(
            next, on: name, type: "endpoint.rolled_back", reason: reason, facts: facts, by: principal,
            from: expected, with: endingRequests(for: traffic.canary ?? traffic.stable, by: principal))
    }

    /// What ends the wish that a version go to Production from which traffic was taken.
    private func endingRequests(
        for id: ModelVersionID, by principal: String
    ) -> @Sendable (Transaction) throws -> Void {
        let now = time.now
        return { transaction in
            try ModelRegistry.endRequests(
                for: id, to: .production, because: "it was rolled back", by: principal, at: now, in: transaction)
        }
    }

    /// Puts one answer, or one version, in the place of all arms, or takes it away again: the kill switch. What the arms
    /// are is kept meanwhile.
    @discardableResult
    public func override(
        _ override: TrafficPolicy.Override?, on name: String, reason: String, by principal: String
    ) async throws -> TrafficPolicy {
        var traffic = try deployedTraffic(of: name)
        let before = traffic
        traffic.override = override
        return try await set(
            traffic, on: name, type: override == nil ? "endpoint.released" : "endpoint.overridden", reason: reason,
            by: principal, from: before
        ) { [registry] transaction in
            // The stable version and the one before it have been agreed to.
            guard let version = override?.version, version != before.stable, version != before.previous else { return }
            try registry.refuseUnapproved(version, in: transaction)
        }
    }

    /// Mirrors a share of the requests to a version that nobody gets an answer of, or stops it.
    @discardableResult
    public func shadow(
        _ shadow: TrafficPolicy.Shadow?, on name: String, reason: String, by principal: String
    ) async throws -> TrafficPolicy {
        var traffic = try deployedTraffic(of: name)
        let before = traffic
        if let share = shadow?.share, !(share > 0 && share <= 1) {
            throw ServingFailure.badRequest(
                "a shadow can not be asked a share of \(share)", remedy: "Give a share above 0 and at most 1.")
        }
        traffic.shadow = shadow
        return try await set(
            traffic, on: name, type: "endpoint.shadowed", reason: reason, by: principal, from: before)
    }

    /// Lets several versions share the traffic, or gives all of it back to the stable one.
    ///
    /// - Throws: ``ServingFailure/badRequest(_:remedy:)`` where the first arm is not the stable version, or a canary has
    ///   traffic.
    @discardableResult
    public func split(
        _ split: TrafficSplit?, on name: String, reason: String, by principal: String
    ) async throws -> TrafficPolicy {
        var traffic = try deployedTraffic(of: name)
        let before = traffic
        if let control = split?.arms.first?.version, control != traffic.stable {
            throw ServingFailure.badRequest(
                "the first arm of a split is the control, and \(control) is not what answers on '\(name)'",
                remedy: "Name \(traffic.stable) first.")
        }
        if split != nil, let canary = traffic.canary {
            throw ServingFailure.badRequest(
                "\(canary) has traffic on '\(name)' as a canary",
                remedy: "Promote it or roll it back before the traffic is split.")
        }
        traffic.split = split
        return try await set(
            traffic, on: name, type: split == nil ? "endpoint.joined" : "endpoint.split", reason: reason,
            by: principal, from: before)
    }

    /// The exposures of an endpoint's splits, from a position on.
    public func exposures(of name: String, from position: RecordPosition) async throws -> ExposureReader {
        ExposureReader(
            try await channels.channel("exposures", try table.endpoint(name).definition.name)
                .reader(from: position))
    }

    private func deployedTraffic(of name: String) throws -> TrafficPolicy {
        guard let traffic = try table.endpoint(name).traffic else { throw ServingFailure.notDeployed(name) }
        return traffic
    }

    private func canaryTripped(_ name: String, _ trip: CanaryTrip) async {
        changes[name, default: 0] += 1
        do {
            try await store(
                trip.policy, on: name, type: "endpoint.rolled_back",
                reason: "\(trip.reading.failures) of \(trip.reading.answers) answers of \(trip.canary) failed",
                facts: trip.facts, by: "system:guard", with: endingRequests(for: trip.canary, by: "system:guard"))
        } catch {
            logger.error(
                "the roll-back is in force but could not be stored",
                ["endpoint": .string(name), "error": .string("\(error)")])
        }
    }

    /// The labels of an endpoint.
    public func labels(of name: String) throws -> LabelStore {
        guard let store = labelStores[name] else {
            throw ServingFailure.unknownEndpoint(name, known: Array(labelStores.keys))
        }
        return store
    }

    /// Counts what the record of an endpoint holds, by reading all of it.
    ///
    /// - Throws: ``ServingFailure/unknownEndpoint(_:known:)``, or what the record log throws where it is damaged.
    public func totals(of name: String) async throws -> RecordTotals {
        let predictions = try await table.endpoint(name).predictions(from: .start)
        let labels = try await labels(of: name).labels(from: .start)
        return try await worker.run { try RecordTotals(predictions: predictions, labels: labels) }
    }

    /// Forgets versions that no endpoint names any more.
    private func prune() {
        var used: Set<ModelVersionID> = []
        for endpoint in table.all {
            guard let traffic = endpoint.traffic else { continue }
            used.formUnion(traffic.versions)
        }
        versions = versions.filter { used.contains($0.key) }
    }
}

/// Endpoints by name, read by every request.
public final class EndpointTable: Sendable {
    private let endpoints = Mutex<[String: Endpoint]>([:])

    private let changes = Atomic<Int>(0)

    /// A table without endpoints.
    public init() {}

    func set(_ endpoint: Endpoint) {
        endpoints.withLock { $0[endpoint.definition.name] = endpoint }
        changes.wrappingAdd(1, ordering: .releasing)
    }

    /// Moves whenever an endpoint is added or replaced: as long as it stands still, a found endpoint is the right one.
    public var generation: Int { changes.load(ordering: .acquiring) }

    func keep(only names: Set<String>) {
        endpoints.withLock { $0 = $0.filter { names.contains($0.key) } }
        changes.wrappingAdd(1, ordering: .releasing)
    }

    public subscript(name: String) -> Endpoint? { endpoints.withLock { $0[name] } }

    /// - Throws: ``ServingFailure/unknownEndpoint(_:known:)``.
    public func endpoint(_ name: String) throws -> Endpoint {
        guard let endpoint = self[name] else {
            throw ServingFailure.unknownEndpoint(name, known: all.map(\.definition.name))
        }
        return endpoint
    }

    public var all: [Endpoint] {
        endpoints.withLock { $0.values.sorted { $0.definition.name < $1.definition.name } }
    }
}
