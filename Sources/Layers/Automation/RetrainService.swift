import Basics
import Features
import Inference
import Journal
import Monitoring
import Registry
import SQL
import Serving
import Statistics
import Training

/// Retrains models when alerts say so: reads alerts from the journal, and takes each through train, evaluate, gate,
/// register and rollout.
///
/// Guarantees: an alert starts at most one run of a pipeline; the alert's cursor and the run are one transaction; a
/// crash between or within steps resumes at the step that was under way, and training again gives the same bundle.
public actor RetrainService {
    private let database: Database
    private let registry: ModelRegistry
    private let loader: ModelLoader
    private let training: TrainingService
    private let rollouts: RolloutService
    private let endpoints: EndpointStore
    private let time: any TimeSource
    private let random: any RandomSource
    private var definitions: [PipelineDefinition] = []
    /// False until the stored runs were looked at, and while one is under way.
    private var idle = false
    private static let attemptsMax = 3

    public init(
        database: Database, registry: ModelRegistry, loader: ModelLoader, training: TrainingService,
        rollouts: RolloutService, endpoints: EndpointStore, time: any TimeSource, random: any RandomSource
    ) {
        self.database = database
        self.registry = registry
        self.loader = loader
        self.training = training
        self.rollouts = rollouts
        self.endpoints = endpoints
        self.time = time
        self.random = random
    }

    public func use(_ definitions: [PipelineDefinition]) { self.definitions = definitions }

    /// Looks at the stored runs anew: another process may have started or ended some.
    public func forget() { idle = false }

    /// Every run, oldest first.
    public func runs() async throws -> [PipelineRun] {
        try await database.read { transaction in
            try transaction.query("SELECT record FROM pipeline_runs ORDER BY created, id", [])
                .map { try JSON.decode(PipelineRun.self, from: try $0.string("record")) }
        }
    }

    /// Starts runs for new alerts and carries every run under way to its end; returns those that changed.
    ///
    /// - Parameter alerts: whether alerts may have been raised since the last tick; false spares the reading.
    public func tick(alerts: Bool) async throws -> [PipelineRun] {
        if alerts || !idle { try await readAlerts() }
        guard !idle else { return [] }
        var changed: [PipelineRun] = []
        for run in try await runs() where run.state == .running {
            changed.append(try await carryOut(run))
        }
        idle = true
        return changed
    }

    private func readAlerts() async throws {
        let definitions = definitions
        let now = time.now
        let ids = (0..<16).map { _ in random.identifier() }
        var more = true
        while more {
            let (count, started) = try await database.write { transaction -> (Int, Int) in
                let entries = try Journal.consume("automation", limit: 500, in: transaction)
                var started = 0
                for entry in entries where entry.type.hasPrefix("alert.") {
                    let alert = try JSON.decode(Alert.self, from: entry.bodyText)
                    for definition in definitions
                    where definition.endpoint == alert.endpoint && definition.triggers.contains(alert.kind.rawValue) {
                        guard try Self.mayStart(definition, at: now, in: transaction), started < ids.count else {
                            continue
                        }
                        let run = PipelineRun(
                            id: ids[started], pipeline: definition.name, trigger: alert.id, created: now,
                            state: .running,
                            step: .train, history: [])
                        try Self.store(run, in: transaction)
                        try Journal.append(
                            JournalDraft(
                                principal: "system:automation", type: "pipeline.started",
                                subject: "pipeline/\(run.pipeline)",
                                body: [
                                    "run": .string(run.id), "trigger": .string(alert.id), "why": .string(alert.message),
                                ]),
                            in: transaction, at: now)
                        started += 1
                    }
                }
                return (entries.count, started)
            }
            if started > 0 { idle = false }
            more = count == 500
        }
    }

    private static func mayStart(
        _ definition: PipelineDefinition, at now: Timestamp, in transaction: Transaction
    ) throws -> Bool {
        let rows = try transaction.query(
            "SELECT created FROM pipeline_runs WHERE pipeline = ? ORDER BY created DESC", [.text(definition.name)])
        if let maximum = definition.maximumRuns, rows.count >= maximum { return false }
        guard let last = try rows.first?.timestamp("created") else { return true }
        return now >= last.advanced(bySeconds: definition.cooldownSeconds)
    }

    private func carryOut(_ start: PipelineRun) async throws -> PipelineRun {
        var run = start
        guard let definition = definitions.first(where: { $0.name == run.pipeline }) else {
            return try await end(run, .failed, "its pipeline is no longer defined")
        }
        while run.state == .running, run.step != .done {
            let step = run.step
            let attempts = (run.history.last { $0.step == step }?.attempts ?? 0) + 1
            do {
                var next = try await perform(step, of: run, definition)
                next.history.append(.init(step: step, attempts: attempts, outcome: next.reason ?? "done"))
                run = next
                // A state that ends the run is stored with its journal entry, as one: a crash between would lose the entry.
                if run.state == .running { try await save(run) }
            } catch {
                run.history.append(.init(step: step, attempts: attempts, outcome: "\(error)"))
                if attempts >= Self.attemptsMax { return try await end(run, .failed, "\(step.rawValue): \(error)") }
                try await save(run)
            }
        }
        return run.state == .running ? try await end(run, .succeeded, nil) : try await end(run, run.state, run.reason)
    }

    private func perform(_ step: PipelineRun.Step, of start: PipelineRun, _ definition: PipelineDefinition) async throws
        -> PipelineRun
    {
        var run = start
        let target = try training.definition(definition.training)
        switch step {
        case .train:
            let to = run.created
            let from = definition.historySeconds.map { max(target.from, to.advanced(bySeconds: -$0)) } ?? target.from
            run.candidate = try await training.train(target, from: from, to: to, by: "system:pipeline")
            run.step = .evaluate
        case .evaluate:
            run.comparison = try await compare(run, target, on: definition.endpoint)
            run.step = .gate
        case .gate:
            let verdicts = (run.candidate?.verdicts ?? []) + [championVerdict(run, definition)]
            let refused = verdicts.filter { !$0.passed }
            if refused.isEmpty {
                run.step = .register
            } else {
                run.state = .refused
                run.reason = refused.map { "\($0.gate): \($0.value.map { "\($0)" } ?? "no value")" }.joined(
                    separator: "; ")
            }
        case .register:
            guard let candidate = run.candidate else {
                throw AutomationFailure.incompleteRun(run.id, step: step, missing: "candidate")
            }
            let version = try await registry.register(candidate, by: "system:pipeline", why: run.trigger)
            // Where others must agree they are asked, and the rollout begins meanwhile: Production has consents of its own.
            _ = try await registry.moveOrAsk(
                version.id, to: .staging, reason: "passed its gates", by: "system:pipeline")
            run.version = version.id
            run.step = .rollout
        case .rollout:
            guard let version = run.version else {
                throw AutomationFailure.incompleteRun(run.id, step: step, missing: "registered version")
            }
            run.rollout = try await rollouts.start(
                version, on: definition.endpoint, id: "rollout-\(run.id)", by: "system:pipeline"
            ).id
            run.step = .done
        case .done:
            break
        }
        return run
    }

    private func championVerdict(_ run: PipelineRun, _ definition: PipelineDefinition) -> GateVerdict {
        let name = "challenger AUC ≥ champion's × \(1 + definition.margin) on the same rows"
        guard let comparison = run.comparison else { return GateVerdict(gate: name, value: nil, passed: false) }
        return GateVerdict(
            gate: name, value: comparison.challengerAUC,
            passed: comparison.challengerAUC >= comparison.championAUC * (1 + definition.margin))
    }

    private func compare(_ run: PipelineRun, _ target: TrainingDefinition, on endpoint: String) async throws
        -> PipelineRun.Comparison?
    {
        guard let candidate = run.candidate, let champion = try endpoints.table.endpoint(endpoint).traffic?.stable
        else {
            return nil
        }
        let championModel = try await loader.load(try await registry.version(champion).bundle).model
        let challengerModel = try await loader.load(candidate.judged).model
        let old = try await training.score(
            championModel, on: target, from: candidate.holdoutFrom, to: candidate.holdoutTo)
        let new = try await training.score(
            challengerModel, on: target, from: candidate.holdoutFrom, to: candidate.holdoutTo)
        let truths = old.labels.map { $0 == 1 }
        guard let oldArea = RankingQuality(scores: old.scores, labels: truths)?.auc,
            let newArea = RankingQuality(scores: new.scores, labels: truths)?.auc
        else { return nil }
        return PipelineRun.Comparison(
            from: candidate.holdoutFrom, to: candidate.holdoutTo, rows: truths.count, champion: champion,
            championAUC: oldArea, challengerAUC: newArea,
            pValue: PairedRankingTest(first: old.scores, second: new.scores, labels: truths)?.pValue)
    }

    private func save(_ run: PipelineRun) async throws {
        try await database.write { transaction in try Self.store(run, in: transaction) }
    }

    private func end(_ run: PipelineRun, _ state: PipelineRun.State, _ reason: String?) async throws -> PipelineRun {
        var ended = run
        ended.state = state
        ended.reason = reason
        let final = ended
        let now = time.now
        try await database.write { transaction in
            try Self.store(final, in: transaction)
            try Journal.append(
                JournalDraft(
                    principal: "system:automation", type: "pipeline.ended", subject: "pipeline/\(final.pipeline)",
                    body: [
                        "run": .string(final.id), "state": .string(state.rawValue),
                        "reason": reason.map { .string($0) } ?? .null,
                        "version": final.version.map { .string($0.description) } ?? .null,
                        "comparison": try final.comparison.map { try JSON.value($0) } ?? .null,
                    ]),
                in: transaction, at: now)
        }
        return final
    }

    private static func store(_ run: PipelineRun, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO pipeline_runs (id, pipeline, "trigger", state, record, created) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET state = excluded.state, record = excluded.record
            """,
            [
                .text(run.id), .text(run.pipeline), .text(run.trigger), .text(run.state.rawValue),
                .text(try JSON.string(run)), .init(run.created),
            ])
    }
}

extension ModelRegistry {
    /// Registers what a training made.
    public func register(_ candidate: Candidate, by principal: String, why: String) async throws -> ModelVersion {
        try await register(
            model: candidate.model, bundle: candidate.bundle, run: candidate.run,
            materials: BillOfMaterials(
                datasets: candidate.datasets, features: candidate.features, training: candidate.definition,
                trainingSet: candidate.trainingSet, code: candidate.environment["modelworks"] ?? "unknown",
                parameters: candidate.parameters ?? [:], environment: candidate.environment, seed: candidate.seed,
                signature: candidate.signature, sample: candidate.sample),
            metrics: candidate.metrics, description: why, by: principal)
    }
}
