import Basics
import Features
import Journal
import Registry
import SQL
import Serving
import Telemetry

/// Carries rollouts out: the durable driver around the ``Rollout`` state machine.
///
/// Guarantees: a rollout's state and the endpoint's traffic are brought together again after a crash at any point,
/// because each action can be done twice with the effect of once; one rollout per endpoint is under way at a time.
public actor RolloutService {
    private let database: Database
    private let registry: ModelRegistry
    private let endpoints: EndpointStore
    private let time: any TimeSource
    private let random: any RandomSource
    private let logger: Logger
    /// Rollouts under way, as stored; nil until read.
    private var active: [Rollout]?
    /// What was found since a rollout was last stored, by its id.
    private var analyses: [String: RolloutAnalysis] = [:]

    public init(
        database: Database, registry: ModelRegistry, endpoints: EndpointStore, time: any TimeSource,
        random: any RandomSource, logger: Logger
    ) {
        self.database = database
        self.registry = registry
        self.endpoints = endpoints
        self.time = time
        self.random = random
        self.logger = logger
    }

    static let migration = Migration(
        room: "automation", version: 1,
        sql: """
            CREATE TABLE rollouts (
              id TEXT PRIMARY KEY, endpoint TEXT NOT NULL, state TEXT NOT NULL, record TEXT NOT NULL,
              created INTEGER NOT NULL);
            CREATE TABLE pipeline_runs (
              id TEXT PRIMARY KEY, pipeline TEXT NOT NULL, "trigger" TEXT NOT NULL, state TEXT NOT NULL,
              record TEXT NOT NULL, created INTEGER NOT NULL, UNIQUE (pipeline, "trigger"));
            """)

    /// Starts rolling `candidate` out on an endpoint by the endpoint's plan.
    ///
    /// - Parameter id: an idempotency key; a rollout with this id that exists is returned as it is.
    public func start(_ candidate: ModelVersionID, on endpoint: String, id: String? = nil, by principal: String)
        async throws -> Rollout
    {
        let id = id ?? random.identifier()
        if let existing = try await all().first(where: { $0.id == id }) { return existing }
        let target = try endpoints.table.endpoint(endpoint)
        guard let traffic = target.traffic else { throw ServingFailure.notDeployed(endpoint) }
        guard traffic.split == nil else { throw AutomationFailure.isSplit(endpoint: endpoint) }
        if let other = try await underWay().first(where: { $0.endpoint == endpoint }) {
            throw AutomationFailure.rolloutUnderWay(endpoint: endpoint, candidate: other.candidate.description)
        }
        let rollout = Rollout(
            id: id, endpoint: endpoint, candidate: candidate, plan: target.definition.rollout, by: principal,
            at: time.now)
        try await endpoints.set(
            traffic.trying(candidate, share: rollout.share), on: endpoint, type: "rollout.started",
            reason: "rollout \(id) to \(rollout.share)", by: principal,
            with: try stored(rollout))
        active = nil
        return rollout
    }

    /// Reads anew which rollouts are under way: another process may have moved them.
    public func forget() { active = nil }

    /// Every rollout, oldest first, without the counts that its analysis goes on from.
    public func all() async throws -> [Rollout] {
        try await everyStored().map { rollout in
            var told = rollout
            told.analysis = nil
            return told
        }
    }

    private func everyStored() async throws -> [Rollout] {
        try await database.read { transaction in
            try transaction.query("SELECT record FROM rollouts ORDER BY created, id", [])
                .map { try JSON.decode(Rollout.self, from: try $0.string("record")) }
        }
    }

    private func underWay() async throws -> [Rollout] {
        if let active { return active }
        let rollouts = try await everyStored().filter { $0.state == .progressing }
        active = rollouts
        return rollouts
    }

    /// Judges every rollout under way and acts on it; returns those that changed.
    ///
    /// One that can not be carried on is logged and judged again at the next tick; the others go on. One whose candidate
    /// the registry does not let into Production is over: its traffic is taken away, and the journal says why.
    /// - Throws: what concerns all of them: the `SQLFailure` of the database, or that the task was cancelled.
    public func tick() async throws -> [Rollout] {
        var changed: [Rollout] = []
        for rollout in try await underWay() {
            // One whose definition was taken away waits until it is back.
            guard let endpoint = endpoints.table[rollout.endpoint] else { continue }
            try await tolerate("a rollout can not be carried on", rollout) {
                if let next = try await judge(rollout, on: endpoint) { changed.append(next) }
            }
        }
        return changed
    }

    /// Logs what goes wrong with one rollout only.
    private func tolerate(_ message: String, _ rollout: Rollout, _ body: () async throws -> Void) async throws {
        do { try await body() } catch let error where !(error is SQLFailure) && !(error is CancellationError) {
            logger.error(
                message,
                [
                    "rollout": .string(rollout.id), "endpoint": .string(rollout.endpoint),
                    "version": .string(rollout.candidate.description), "error": .string("\(error)"),
                ])
        }
    }

    /// Judges a rollout and acts on it.
    /// - Returns: what became of it; nil where it stays as it is.
    private func judge(_ stored: Rollout, on endpoint: Endpoint) async throws -> Rollout? {
        let now = time.now
        let canary = endpoint.reading(of: stored.candidate)
        var rollout = stored
        rollout.analysis = analyses[stored.id] ?? stored.analysis
        rollout = rollout.looked(at: endpoint.traffic, stable: endpoint.statistics.stable, canary: canary)
        analyses[stored.id] = rollout.analysis
        let decision = rollout.next(at: now, traffic: endpoint.traffic, canary: canary)
        do { return try await carryOut(decision, of: rollout, on: endpoint, canary: canary) } catch let refusal
            as RegistryFailure
        {
            guard case .complete(let step) = decision else { throw refusal }
            return try await end(rollout, refused: refusal, step, on: endpoint, canary: canary)
        }
    }

    /// Ends a rollout whose candidate the registry does not let into Production: what it refuses once it refuses at every look.
    private func end(
        _ rollout: Rollout, refused refusal: RegistryFailure, _ step: Rollout.Step, on endpoint: Endpoint,
        canary: ArmStatistics.Reading?
    ) async throws -> Rollout? {
        guard endpoint.traffic?.stable == rollout.candidate else {
            return try await carryOut(
                .rollBack(step, reason: refusal.message), of: rollout, on: endpoint, canary: canary)
        }
        // Somebody has given it all the traffic meanwhile, and that stays.
        var next = rollout.after(.complete(step), at: time.now, canary: canary)
        next.reason = refusal.message
        try await store(next)
        analyses[next.id] = nil
        return next
    }

    /// Ends the rollout on an endpoint by making its candidate stable now, whatever step it is in.
    ///
    /// - Returns: the rollout as it became; nil where it waits for others to agree to the move of the version.
    /// - Throws: ``AutomationFailure/nothingToPromote(endpoint:)`` where none is under way.
    public func promote(on name: String, by principal: String) async throws -> Rollout? {
        let endpoint = try endpoints.table.endpoint(name)
        guard let rollout = try await underWay().first(where: { $0.endpoint == name }),
            endpoint.traffic?.canary == rollout.candidate
        else { throw AutomationFailure.nothingToPromote(endpoint: name) }
        let canary = endpoint.reading(of: rollout.candidate)
        return try await carryOut(
            .complete(rollout.judged("promoted by \(principal)", at: time.now, canary: canary)), of: rollout,
            on: endpoint, canary: canary)
    }

    /// Does what was decided, and stores what became of the rollout.
    private func carryOut(
        _ decided: Rollout.Decision, of rollout: Rollout, on endpoint: Endpoint, canary: ArmStatistics.Reading?
    ) async throws -> Rollout? {
        var decision = decided
        let now = time.now
        if case .complete(let step) = decision {
            switch try await registry.moveOrAsk(
                rollout.candidate, to: .production, reason: Self.completion(of: rollout), by: Self.principal,
                for: rollout.person)
            {
            case .moved: break
            // Its share stays as it is until enough have agreed.
            case .waiting: return nil
            case .refused(let request):
                let who = request.closedBy ?? "somebody"
                let what = request.state == .withdrawn ? "took the request back" : "rejected it"
                decision = .rollBack(step, reason: "\(who) \(what): \(request.closeReason ?? "")")
            }
        }
        guard decision != .wait else { return nil }
        let next = rollout.after(decision, at: now, canary: canary)
        do { try await act(decision, rollout, next, on: endpoint) } catch ServingFailure.trafficChanged {
            // Decided on what another process has changed since: decide again on what is there now.
            return nil
        }
        try await store(next)
        if next.state != .progressing { analyses[next.id] = nil }
        return next
    }

    private func act(_ decision: Rollout.Decision, _ rollout: Rollout, _ next: Rollout, on endpoint: Endpoint)
        async throws
    {
        guard let traffic = endpoint.traffic else { return }
        switch decision {
        case .wait:
            break
        case .advance:
            try await endpoints.set(
                traffic.trying(rollout.candidate, share: next.share), on: rollout.endpoint, type: "rollout.advanced",
                reason: "rollout \(rollout.id) to \(next.share)",
                facts: try Self.facts(next), by: Self.principal, from: traffic)
        case .complete:
            try await endpoints.set(
                traffic.switched(to: rollout.candidate), on: rollout.endpoint,
                type: "rollout.completed", reason: Self.completion(of: rollout), facts: try Self.facts(next),
                by: Self.principal, from: traffic)
        case .rollBack(_, let reason):
            if traffic.canary == rollout.candidate {
                try await endpoints.rollBack(
                    rollout.endpoint, reason: reason, facts: try Self.facts(next), by: Self.principal, from: traffic)
            } else {
                try await registry.endRequests(
                    for: rollout.candidate, to: .production, because: reason, by: Self.principal)
            }
            // The candidate has no traffic any more, so the rollout is over whatever becomes of the version's stage.
            try await tolerate("a version that was rolled back is not archived", rollout) {
                _ = try await registry.moveOrAsk(
                    rollout.candidate, to: .archived, reason: reason, by: Self.principal, for: rollout.person)
            }
        }
    }

    /// What the step that was judged last is judged on, for the journal.
    private static func facts(_ rollout: Rollout) throws -> [String: JSONValue] {
        guard let step = rollout.steps.last else { return [:] }
        return ["step": try JSON.value(step)]
    }

    /// In whose name rollouts are carried on.
    private static let principal = "system:rollout"

    private static func completion(of rollout: Rollout) -> String { "rollout \(rollout.id) completed" }

    /// Stores a rollout in a transaction of its own.
    private func store(_ rollout: Rollout) async throws {
        try await database.write(try stored(rollout))
        active = nil
    }

    /// What stores a rollout, for a transaction with other things in it.
    private func stored(_ rollout: Rollout) throws -> @Sendable (Transaction) throws -> Void {
        let text = try JSON.string(rollout)
        let now = time.now
        return { transaction in
            try transaction.execute(
                """
                INSERT INTO rollouts (id, endpoint, state, record, created) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET state = excluded.state, record = excluded.record
                """,
                [
                    .text(rollout.id), .text(rollout.endpoint), .text(rollout.state.rawValue), .text(text), .init(now),
                ])
        }
    }
}
