import Basics
import Journal
import KeyValue
import SQL

extension FeatureStore {
    /// Writes the newest row per entity with an event time in a window, both ends included, of each view.
    ///
    /// - Parameters:
    ///   - views: nil for all views that are computed over history and kept online.
    ///   - from: nil for the beginning.
    ///   - to: a moment in the future counts as now, and is warned of.
    ///   - progress: called now and then, from any thread.
    /// - Throws: ``FeaturesFailure``, and what the stores throw; what was written until then stays.
    public func materialize(
        _ views: [String]? = nil, from: Timestamp?, to: Timestamp? = nil, by principal: String,
        progress: @escaping @Sendable (MaterialisationProgress) -> Void = { _ in }
    ) async throws -> MaterialisationReport {
        try await materialise(
            try checked(views, from: from, to: to), incremental: false, by: principal, progress: progress)
    }

    /// Writes what became known since the last time, of each view: also rows with an old event time that came late.
    public func materializeIncremental(
        _ views: [String]? = nil, to: Timestamp? = nil, by principal: String,
        progress: @escaping @Sendable (MaterialisationProgress) -> Void = { _ in }
    ) async throws -> MaterialisationReport {
        try await materialise(
            try checked(views, from: nil, to: to), incremental: true, by: principal, progress: progress)
    }

    /// Begins a materialisation and comes back at once.
    /// - Returns: what tells how it goes; also known by its id to ``materialisation(_:)``.
    /// - Throws: ``FeaturesFailure`` where the request can not be done.
    public func startMaterialisation(
        _ views: [String]?, from: Timestamp?, to: Timestamp?, incremental: Bool, by principal: String
    ) throws -> MaterialisationRun {
        let plan = try checked(views, from: from, to: to)
        let run = onlineState.beginRun()
        Task {
            do {
                run.end(
                    .success(
                        try await materialise(plan, incremental: incremental, by: principal) { run.progress($0) }))
            } catch {
                run.end(.failure(error))
            }
        }
        return run
    }

    /// A materialisation that was begun by ``startMaterialisation(_:from:to:incremental:by:)``.
    /// - Throws: ``FeaturesFailure/unknown(kind:name:known:)``; only the last ones are remembered, until the process ends.
    public func materialisation(_ id: String) throws -> MaterialisationRun.Status {
        guard let run = onlineState.run(id) else {
            throw FeaturesFailure.unknown(kind: "materialisation", name: id, known: [])
        }
        return run.status
    }

    /// A materialisation that was asked for, and can be done.
    struct MaterialisationPlan: Sendable {
        var views: [FeatureView]
        var from: Timestamp?
        var to: Timestamp
        var warnings: [String] = []
    }

    private func checked(_ names: [String]?, from: Timestamp?, to: Timestamp?) throws -> MaterialisationPlan {
        let catalogue = catalogue
        let views: [FeatureView]
        if let names {
            guard !names.isEmpty else {
                throw FeaturesFailure.request("no view was named", remedy: "Name some, or leave 'views' out for all.")
            }
            views = try names.map { name in
                let view = try catalogue.view(name)
                guard view.isOnline else {
                    throw FeaturesFailure.request(
                        "the view '\(name)' is kept out of the online store",
                        remedy: "Write 'online: true' in its definition.")
                }
                return view
            }
        } else {
            views = catalogue.views.values.filter { $0.isOnline && !catalogue.isStreamed($0) }.sorted {
                $0.name < $1.name
            }
        }
        let now = time.now
        var plan = MaterialisationPlan(views: views, from: from, to: to ?? now)
        if plan.to > now {
            plan.warnings.append("the end \(plan.to) lies in the future; \(now) was taken")
            plan.to = now
        }
        if let from, from > plan.to {
            throw FeaturesFailure.request(
                "the window begins at \(from), after its end at \(plan.to)", remedy: "Give a start before the end.")
        }
        return plan
    }

    private func materialise(
        _ plan: MaterialisationPlan, incremental: Bool, by principal: String,
        progress: @escaping @Sendable (MaterialisationProgress) -> Void
    ) async throws -> MaterialisationReport {
        let start = time.now
        var report = MaterialisationReport(
            from: plan.from, to: plan.to, views: [], warnings: plan.warnings, seconds: 0, rowsPerSecond: 0)
        report.warnings += try await staleViews(plan.views, at: plan.to).map(\.warning)
        var before = 0
        for view in plan.views {
            let begun = time.now
            let base = before
            let outcome = try await ViewMaterialisation(features: self, view: view).run(
                from: plan.from?.microseconds, through: plan.to.microseconds, incremental: incremental
            ) { done, total in
                progress(MaterialisationProgress(view: view.name, done: base + done, total: base + total))
            }
            before += outcome.count.put + outcome.count.skipped
            report.views.append(
                MaterialisationReport.View(
                    view: view.name, written: outcome.count.put, skipped: outcome.count.skipped,
                    keyless: outcome.keyless, resumed: outcome.resumed, seconds: time.now.seconds(since: begun)))
        }
        report.seconds = time.now.seconds(since: start)
        report.rowsPerSecond = report.seconds > 0 ? Double(report.written) / report.seconds : 0
        try await tell(report, by: principal)
        return report
    }

    private func tell(_ report: MaterialisationReport, by principal: String) async throws {
        var body: [String: JSONValue] = ["to": .string(report.to.description)]
        if let from = report.from { body["from"] = .string(from.description) }
        for view in report.views {
            body["written.\(view.view)"] = .integer(Int64(view.written))
            if view.skipped > 0 { body["skipped.\(view.view)"] = .integer(Int64(view.skipped)) }
        }
        let draft = JournalDraft(
            principal: principal, type: "features.materialised", subject: "features", body: .object(body))
        let now = time.now
        _ = try await database.write { try Journal.append(draft, in: $0, at: now) }
    }
}
