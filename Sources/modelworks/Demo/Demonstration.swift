import Automation
import Basics
import Datasets
import Features
import Foundation
import HTTP
import Inference
import Monitoring
import Registry
import Serving
import Training
import WorksAPI

/// The main job from raw files to a rolled-back canary, as a client of a running server.
final class Demonstration {
    let server: ServerProcess
    let factory: String
    let until: Timestamp
    let screen: Screen
    let client: Client
    let replay: Replay
    var summary = DemoSummary()
    var report: DemoReport
    /// Claims that did not hold; empty where all is well.
    private(set) var failures: [String] = []
    private let started = SystemTime.monotonicNanoseconds
    private var stageStarted = SystemTime.monotonicNanoseconds

    static let endpoint = "flight-delay"
    static let training = "flight_delay"
    /// Days at the end of the replay in which the broken version is deployed.
    private static let drillDays: Int64 = 4

    init(server: ServerProcess, factory: String, until: Timestamp, screen: Screen) throws {
        self.server = server
        self.factory = factory
        self.until = until
        self.screen = screen
        client = try Client(url: server.url, principal: "user:demo")
        replay = Replay(
            connection: try HTTPConnection(url: server.url, timeout: 3600), endpoint: Self.endpoint, gridSeconds: 900)
        report = DemoReport(title: "Flights of New York, 2013")
    }

    func run() async throws {
        try await apply()
        try await ingest()
        try await computeFeatures()
        let start = try await train()
        try await deploy()
        try await replayMonths(from: start)
        try await drill()
        try await judge()
        try await measureStages()
        try await verifyJournal()
        summary.wallSeconds = seconds(since: started)
        summary.peakRSSBytes = max(
            server.peakResidentBytes,
            ProcessMemory.peak((try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""))
        finishReport()
    }

    private func seconds(since start: UInt64) -> Double { Double(SystemTime.monotonicNanoseconds - start) / 1e9 }

    private func finish(_ stage: String) {
        summary.stagesSeconds[stage] = seconds(since: stageStarted)
        summary.stagesPeakBytes[stage] = server.peakResidentBytes
        stageStarted = SystemTime.monotonicNanoseconds
    }

    private func apply() async throws {
        screen.step(1, "Apply the factory directory")
        let plan = try await client.post("/apply", try FactoryDirectoryReader.read(factory), as: FactoryPlan.self)
        screen.say("\(plan.changes.count) definitions are in force")
        finish("apply")
    }

    private func ingest() async throws {
        screen.step(2, "Ingest and validate the tables")
        let versions = try await client.post("/data/ingest", [String: String](), as: [DatasetVersion].self)
        for version in versions {
            screen.say(
                "\(version.table): \(version.rows) rows, \(version.quarantined) quarantined, version \(version.digest.short)"
            )
            for result in version.results where result.failing > 0 {
                screen.say(
                    "  \(result.severity.rawValue): \(result.name), \(result.failing) rows, such as \(result.example?.prefix(110) ?? "")"
                )
                guard result.severity == .quarantine else { continue }
                report.quarantine.append(
                    .init(
                        table: version.table, expectation: result.name, rows: Int(result.failing),
                        reason: result.example ?? ""))
            }
            summary.digests["dataset.\(version.table)"] = version.digest.hex
            report.lineage.items.append(.init(kind: "dataset", name: version.table, digest: version.digest.hex))
            if version.table == "flights" { summary.dataset.flights = version.rows }
            summary.dataset.quarantined += version.quarantined
        }
        finish("ingest")
    }

    private func computeFeatures() async throws {
        screen.step(3, "Compute the feature views, and prove that nothing saw the future")
        let histories = try await client.post("/features/build", [String: String](), as: [ViewHistory].self)
        for history in histories {
            screen.say("\(history.view): \(history.rows) rows")
            summary.digests["view.\(history.view)"] = history.digest.hex
            report.lineage.items.append(.init(kind: "features", name: history.view, digest: history.digest.hex))
        }
        finish("features")
        struct Body: Encodable {
            var training = Demonstration.training
            var sample = 5
            var seed = 7
        }
        let leaks = try await client.post("/features/leak-check", Body(), as: LeakReport.self)
        summary.leakCheck = .init(rows: leaks.rows, values: leaks.values, leaks: leaks.findings.count)
        screen.say(
            "\(leaks.values) values of \(leaks.rows) sampled rows computed again from what was knowable: \(leaks.findings.count) differ"
        )
        if let leak = leaks.findings.first { throw FeaturesFailure.leak(leak) }
        finish("leak check")
    }

    /// - Returns: where the replay begins: the end of the champion's training range.
    private func train() async throws -> Timestamp {
        screen.step(4, "Train the champion on January to March")
        let result = try await client.post("/train/\(Self.training)", [String: String](), as: WorksAPI.TrainResult.self)
        summary.champion.aucHoldout = result.candidate.metrics["auc"] ?? 0
        for verdict in result.candidate.verdicts {
            screen.say(
                "gate \(verdict.gate): \(verdict.value.map { String(format: "%.4f", $0) } ?? "missing"), \(verdict.passed ? "passed" : "failed")"
            )
        }
        summary.digests["bundle.champion"] = result.candidate.bundle.hex
        summary.digests["training_set.champion"] = result.candidate.trainingSet.hex
        report.lineage.items.append(
            .init(kind: "model", name: "flight-delay/1", digest: result.candidate.bundle.hex, note: "champion"))
        finish("train")
        return result.candidate.holdoutTo
    }

    private func deploy() async throws {
        screen.step(5, "Promote it to Production and deploy it")
        for stage in ["Staging", "Production"] {
            _ = try await client.post(
                "/models/flight-delay/versions/1/stage", ["stage": stage, "reason": "passed its gates"])
        }
        _ = try await client.post(
            "/endpoints/\(Self.endpoint)/deploy", ["version": "flight-delay/1", "reason": "the first champion"])
        screen.say("flight-delay/1 answers at \(server.url)/v2/models/\(Self.endpoint)/infer")
        finish("deploy")
    }

    private func replayMonths(from start: Timestamp) async throws {
        screen.step(6, "Replay the flights as they happened, with the loop left to itself")
        let end = until.advanced(bySeconds: -Self.drillDays * 86_400)
        report.traffic.append(.init(time: start, arms: ["flight-delay/1": 1]))
        replay.onTurn = { [unowned self] turn in note(turn) }
        // Nothing may be asked before the features of the first moment are online.
        try replay.settle(until: start)
        try await play(from: start, to: end)
        finish("replay")
    }

    private func play(from start: Timestamp, to end: Timestamp) async throws {
        let days = max(1, Int(end.seconds(since: start) / 86_400))
        let bar = screen.bar("replay", total: days, unit: "days")
        var moment = start
        while moment < end {
            let next = min(end, moment.advanced(bySeconds: 7 * 86_400))
            let page = try await client.get(
                "/training/\(Self.training)/population", [("from", moment.description), ("to", next.description)],
                as: PopulationPage.self)
            try replay.play(page, from: moment, to: next) { _ in }
            bar?.advance(by: Int(next.seconds(since: moment) / 86_400))
            moment = next
        }
        bar?.finish("\(replay.totals.requests) requests")
    }

    private func note(_ turn: ControlLoop.Turn) {
        for alert in turn.windows.flatMap(\.alerts) where !alert.ongoing {
            if summary.drift.firstAlertEventTime == nil { summary.drift.firstAlertEventTime = alert.time }
            report.events.append(.init(time: alert.time, kind: .alert, label: "\(alert.kind.rawValue) alert"))
            screen.say("\(alert.time.day) alert: \(alert.message)")
        }
        for run in turn.pipelines {
            report.events.append(.init(time: turn.now, kind: .retrain, label: "retrain \(run.state.rawValue)"))
            let comparison = run.comparison.map {
                String(
                    format: "challenger %.4f, champion %.4f on the same %d flights", $0.challengerAUC, $0.championAUC,
                    $0.rows)
            }
            screen.say("\(turn.now.day) retrain \(run.state.rawValue): \(comparison ?? run.reason ?? "")")
            if let version = run.version {
                if summary.challenger.version == nil {
                    summary.challenger.version = version.description
                    summary.challenger.aucHoldout = run.comparison?.challengerAUC
                    summary.challenger.championAUCOnHoldout = run.comparison?.championAUC
                }
                if let candidate = run.candidate {
                    summary.digests["bundle.\(version)"] = candidate.bundle.hex
                    report.lineage.items.append(.init(kind: "model", name: "\(version)", digest: candidate.bundle.hex))
                }
                report.traffic.append(.init(time: turn.now, arms: shares(version, 0.05)))
            }
        }
        for rollout in turn.rollouts { note(rollout, at: turn.now) }
    }

    private var stableName = "flight-delay/1"

    private func shares(_ canary: ModelVersionID, _ share: Double) -> [String: Double] {
        share >= 1 ? [canary.description: 1] : [stableName: 1 - share, canary.description: share]
    }

    private func note(_ rollout: Rollout, at now: Timestamp) {
        guard let step = rollout.steps.last else { return }
        let share = "\(Int((step.share * 100).rounded()))%"
        report.rollout.append(
            .init(
                share: step.share, from: step.from, to: step.to, requests: Int(step.requests),
                errors: Int(step.failures), p99: step.p99Milliseconds,
                verdict: rollout.state == .rolledBack ? "roll back" : "promote"))
        summary.rollout.steps.append(
            .init(share: step.share, requests: step.requests, failures: step.failures, verdict: step.verdict))
        screen.say(
            "\(now.day) \(rollout.candidate) at \(share): \(step.requests) answers, \(step.failures) failed, \(step.verdict)"
        )
        switch rollout.state {
        case .progressing:
            report.events.append(
                .init(time: now, kind: .rolloutStep, label: "rollout \(Int((rollout.share * 100).rounded()))%"))
            report.traffic.append(.init(time: now, arms: shares(rollout.candidate, rollout.share)))
        case .completed:
            stableName = rollout.candidate.description
            report.traffic.append(.init(time: now, arms: [stableName: 1]))
        case .rolledBack:
            report.events.append(.init(time: now, kind: .rollback, label: "rollback"))
            report.traffic.append(.init(time: now, arms: [stableName: 1]))
        }
    }

    private func drill() async throws {
        screen.step(7, "Deploy a broken version as a canary, with traffic running")
        let start = until.advanced(bySeconds: -Self.drillDays * 86_400)
        let broken = try await registerBroken()
        let before = replay.totals
        _ = try await client.post(
            "/endpoints/\(Self.endpoint)/deploy",
            ["version": JSONValue.string(broken.description), "canary": true, "reason": "a drill"])
        report.traffic.append(.init(time: start, arms: shares(broken, 0.05)))
        try await play(from: start, to: until)
        let entries = try await client.get(
            "/journal", [("type", "endpoint.rolled_back"), ("limit", "1000")], as: [WorksAPI.EntryDocument].self)
        guard let entry = entries.last, let failures = entry.body["failures"]?.integer else {
            throw CommandFailure(.internal, "the broken version was not rolled back")
        }
        summary.rollback.seconds = entry.body["seconds"]?.double ?? 0
        summary.rollback.canaryFailures = failures
        summary.rollback.clientErrors = replay.totals.failed - before.failed
        summary.rollback.servedByStable =
            (replay.totals.answersByArm["stable"] ?? 0) - (before.answersByArm["stable"] ?? 0)
        report.rollback = .init(
            seconds: summary.rollback.seconds, canaryErrors: Int(failures), clientErrors: summary.rollback.clientErrors,
            servedByStable: summary.rollback.servedByStable, reason: entry.body["reason"]?.string)
        screen.say(
            String(
                format:
                    "rolled back in %.4f s after %d failures; clients saw %d errors; the stable version answered %d requests",
                summary.rollback.seconds, Int(failures), summary.rollback.clientErrors, summary.rollback.servedByStable)
        )
        finish("drill")
    }

    private func registerBroken() async throws -> ModelVersionID {
        let versions = try await client.get("/models/flight-delay", as: [ModelVersion].self)
        guard let production = versions.first(where: { $0.stage == .production }) else {
            throw CommandFailure(.internal, "no version is in Production")
        }
        let manifest = try BundleManifest(decoding: try await client.object(production.bundle))
        var files: [String: [UInt8]] = [:]
        for (path, digest) in manifest.files { files[path] = try await client.object(digest) }
        let sample = manifest.sample.inputs.map { row in row.map { $0 ?? .nan } }
        files[LightGBMRuntime.modelPath] = try BrokenModel.spoil(
            files[LightGBMRuntime.modelPath] ?? [], keeping: sample.first ?? [])
        let bundle = try ModelBundle.encode(
            kind: manifest.kind, files: files, signature: manifest.signature, sampleRows: sample,
            featureService: manifest.featureService, runtimes: .all)
        for bytes in files.values { _ = try await client.put(bytes) }
        let digest = try await client.put(bundle.manifestBytes)
        let version = try await client.post(
            "/models/flight-delay/versions",
            ["bundle": digest.description, "reason": "broken on purpose, to try the roll-back"], as: ModelVersion.self)
        screen.say("\(version.id) passes its sample and gives no number for some flights")
        return version.id
    }

    /// Champion and challenger on the weeks after the change-over, and the pictures of every week.
    private func judge() async throws {
        screen.step(8, "Judge the versions on the same weeks")
        let windows = try await client.get("/endpoints/\(Self.endpoint)/monitor", as: [WindowReport].self)
        let rollouts = try await client.get("/rollouts", as: [Rollout].self)
        let completed = rollouts.first { $0.state == .completed }
        var champion: [WindowReport.VersionPart] = []
        var challenger: [WindowReport.VersionPart] = []
        if let first = windows.first {
            let bounds = [first.start] + windows.map(\.end)
            champion = try await rescore("flight-delay/1", bounds)
            if let candidate = completed?.candidate { challenger = try await rescore(candidate.description, bounds) }
        }
        let after = completed?.steps.last?.to
        let next = rollouts.filter { $0.state == .completed }.dropFirst().first?.steps.last?.to
        for (index, window) in windows.enumerated() {
            let comparable = (window.labels) > 0
            let taken = after.map { window.start >= $0 } ?? false
            report.weeks.append(
                .init(
                    weekStart: window.start, championAUC: comparable ? champion[index].auc : nil,
                    challengerAUC: taken && challenger.indices.contains(index) ? challenger[index].auc : nil,
                    servedAUC: window.servedAUC, labels: window.labels, requests: window.requests))
        }
        let inProduction = windows.filter { $0.start >= after ?? .distantFuture && $0.end <= next ?? .distantFuture }
        if let first = inProduction.first, let last = inProduction.last {
            let bounds = [first.start, last.end]
            summary.champion.aucAfterDrift = try await rescore("flight-delay/1", bounds).first?.auc ?? 0
            if let candidate = completed?.candidate {
                summary.challenger.aucSameWeeks = try await rescore(candidate.description, bounds).first?.auc ?? 0
            }
            summary.challenger.weeks = inProduction.count
            screen.say(
                String(
                    format:
                        "on the %d whole weeks that the challenger was in Production: %.4f, the champion would have had %.4f",
                    summary.challenger.weeks,
                    summary.challenger.aucSameWeeks, summary.champion.aucAfterDrift))
        }
        drift(windows)
        finish("judge")
    }

    private func rescore(_ version: String, _ windows: [Timestamp]) async throws -> [WindowReport.VersionPart] {
        struct Body: Encodable {
            var version: String
            var windows: [Timestamp]
        }
        return try await client.post(
            "/endpoints/\(Self.endpoint)/rescore", Body(version: version, windows: windows),
            as: [WindowReport.VersionPart].self)
    }

    private func drift(_ windows: [WindowReport]) {
        let names = windows.first?.features.map(\.name) ?? []
        report.drift.features = names
        report.drift.weeks = windows.map(\.start)
        report.drift.psi = names.map { name in
            windows.map { window in window.features.first { $0.name == name }?.psi }
        }
        summary.drift.features = zip(names, report.drift.psi).map { name, row in
            .init(name: name, psi: row.compactMap { $0 }.max() ?? 0)
        }.sorted { $0.psi > $1.psi }
    }

    /// Means of the server's own stage timers, in microseconds.
    private func measureStages() async throws {
        let text = String(decoding: try await client.operatorPage("/metrics"), as: UTF8.self)
        let lines = text.split(separator: "\n")
        for stage in ["ingest", "preprocess", "inference"] {
            // Of all versions and arms.
            func value(_ suffix: String) -> Double {
                lines.filter {
                    $0.hasPrefix("modelworks_inference_stage_seconds_\(suffix){") && $0.contains("stage=\"\(stage)\"")
                }.compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }.reduce(0, +)
            }
            let (sum, count) = (value("sum"), value("count"))
            guard count > 0 else { continue }
            summary.stagesMicroseconds[stage] = sum / count * 1e6
        }
    }

    private func verifyJournal() async throws {
        let verified = try await client.get("/journal/verify", as: WorksAPI.VerificationDocument.self)
        summary.journal = .init(entries: verified.entries, verified: verified.intact)
        report.journal = .init(entries: Int(verified.entries), verified: verified.intact)
        finish("journal")
    }
}
