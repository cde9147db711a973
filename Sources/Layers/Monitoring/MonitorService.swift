import Basics
import Features
import Inference
import Journal
import ObjectStorage
import Registry
import SQL
import Serving
import Statistics

/// Judges windows of predictions against the model's own training, by drift and by late labels.
///
/// Guarantees: each window of an endpoint is judged once, in order, and its report, its alerts and their journal entries
/// are one transaction; a prediction recorded twice counts once.
public actor MonitorService {
    private let database: Database
    private let registry: ModelRegistry
    private let loader: ModelLoader
    private let endpoints: EndpointStore
    private let worker = BlockingThread(name: "monitoring")
    private var definitions: [MonitorDefinition] = []
    private var nextWindow: [String: Timestamp] = [:]

    public init(
        database: Database, registry: ModelRegistry, loader: ModelLoader, endpoints: EndpointStore
    ) {
        self.database = database
        self.registry = registry
        self.loader = loader
        self.endpoints = endpoints
    }

    public static let migrations = [
        Migration(
            room: "monitoring", version: 1,
            sql: """
                CREATE TABLE monitor_windows (
                  endpoint TEXT NOT NULL, start INTEGER NOT NULL, report TEXT NOT NULL, PRIMARY KEY (endpoint, start));
                CREATE TABLE monitor_starts (endpoint TEXT PRIMARY KEY, start INTEGER NOT NULL);
                """)
    ]

    public func use(_ definitions: [MonitorDefinition]) {
        self.definitions = definitions
        nextWindow = [:]
    }

    /// Reads anew which window is next: another process may have judged some.
    public func forget() { nextWindow = [:] }

    /// Reports of an endpoint's windows, oldest first.
    public func reports(of endpoint: String) async throws -> [WindowReport] {
        try await database.read { transaction in
            try transaction.query(
                "SELECT report FROM monitor_windows WHERE endpoint = ? ORDER BY start", [.text(endpoint)]
            ).map { try JSON.decode(WindowReport.self, from: try $0.string("report")) }
        }
    }

    /// Judges every window whose labels have had their time by `now`; returns the new reports.
    public func evaluate(dueBy now: Timestamp) async throws -> [WindowReport] {
        var reports: [WindowReport] = []
        for definition in definitions {
            while let start = try await windowStart(definition, now: now) {
                let end = start.advanced(bySeconds: definition.windowSeconds)
                guard end.advanced(bySeconds: definition.labelWaitSeconds) <= now,
                    let report = try await evaluate(definition, start: start, end: end, now: now)
                else { break }
                nextWindow[definition.endpoint] = end
                reports.append(report)
            }
        }
        return reports
    }

    /// The first window begins with the clock's day on which the endpoint first had traffic; one that is shorter than a
    /// day, at its own last boundary, so that no window is judged that was over before.
    private func windowStart(_ definition: MonitorDefinition, now: Timestamp) async throws -> Timestamp? {
        if let start = nextWindow[definition.endpoint] { return start }
        guard endpoints.table[definition.endpoint]?.traffic != nil else { return nil }
        let first = now.floored(toSeconds: min(86_400, definition.windowSeconds))
        let start = try await database.write { transaction -> Timestamp in
            if let row = try transaction.first(
                "SELECT max(start) AS start FROM monitor_windows WHERE endpoint = ?", [.text(definition.endpoint)]),
                let last = try row.optionalTimestamp("start")
            {
                return last.advanced(bySeconds: definition.windowSeconds)
            }
            try transaction.execute(
                "INSERT INTO monitor_starts (endpoint, start) VALUES (?, ?) ON CONFLICT (endpoint) DO NOTHING",
                [.text(definition.endpoint), .init(first)])
            return try transaction.first(
                "SELECT start FROM monitor_starts WHERE endpoint = ?", [.text(definition.endpoint)]
            )?.timestamp("start") ?? first
        }
        nextWindow[definition.endpoint] = start
        return start
    }

    private func evaluate(
        _ definition: MonitorDefinition, start: Timestamp, end: Timestamp, now: Timestamp
    ) async throws -> WindowReport? {
        guard let endpoint = endpoints.table[definition.endpoint], let traffic = endpoint.traffic else { return nil }
        let labels = try await endpoints.labels(of: definition.endpoint)
        let previous = try await reports(of: definition.endpoint)
        let bookmark = previous.last?.next ?? WindowReport.Bookmark(records: .start, labels: .start)
        let predictions = try await endpoint.predictions(from: bookmark.records)
        let told = try await labels.labels(from: bookmark.labels)
        let sample = try await worker.run {
            try WindowSample.collect(
                inputNames: endpoint.service.inputNames, predictions: predictions, labels: told, from: bookmark,
                start: start, end: end)
        }
        // Who answered most is who is judged: traffic may have changed hands since the window ended.
        let reference =
            sample.mainVersion.map { ModelVersionID(model: traffic.stable.model, version: $0) } ?? traffic.stable
        let profile = try await loader.profile(of: try await registry.version(reference).bundle)
        var report = try await worker.run {
            sample.report(
                definition: definition, start: start, end: end, now: now, reference: reference, profile: profile)
        }
        report.alerts = Self.alerts(for: report, definition, after: previous)
        try await store(report)
        return report
    }

    private static func alerts(
        for report: WindowReport, _ definition: MonitorDefinition, after previous: [WindowReport]
    )
        -> [Alert]
    {
        var alerts: [Alert] = []
        let before = previous.last { $0.reference == report.reference && $0.end == report.start }?.alerts ?? []
        func raise(_ kind: Alert.Kind, _ message: String) {
            alerts.append(
                Alert(
                    id: "\(definition.name)/\(kind.rawValue)/\(report.end)", monitor: definition.name,
                    endpoint: report.endpoint, kind: kind, time: report.evaluated, message: message,
                    ongoing: before.contains { $0.kind == kind }))
        }
        let drifted = report.features.filter { $0.level == .critical }
        if drifted.count >= definition.minimumDrifted {
            let worst = drifted.max { $0.psi < $1.psi }.map { "\($0.name) (PSI \($0.psi.rounded(to: 3)))" } ?? ""
            raise(.drift, "\(drifted.count) features have drifted, most of all \(worst)")
        }
        let run = ([report] + previous.reversed().filter { $0.reference == report.reference })
            .prefix(max(1, definition.performance.windows))
        if run.count == max(1, definition.performance.windows), run.allSatisfy(\.performanceBelow),
            let auc = report.servedAUC, let baseline = report.baselineAUC
        {
            raise(
                .performance,
                "AUC is \(auc.rounded(to: 4)) where the holdout had \(baseline.rounded(to: 4))")
        }
        return alerts
    }

    private func store(_ report: WindowReport) async throws {
        let text = try JSON.string(report)
        try await database.write { transaction in
            try transaction.execute(
                "INSERT INTO monitor_windows (endpoint, start, report) VALUES (?, ?, ?)",
                [.text(report.endpoint), .init(report.start), .text(text)])
            try Journal.append(
                JournalDraft(
                    principal: "system:monitor", type: "monitor.window", subject: "endpoint/\(report.endpoint)",
                    body: [
                        "start": .string(report.start.description), "end": .string(report.end.description),
                        "requests": .integer(Int64(report.requests)), "labels": .integer(Int64(report.labels)),
                        "auc": report.servedAUC.map { .number($0) } ?? .null,
                    ]),
                in: transaction, at: report.evaluated)
            for alert in report.alerts {
                try Journal.append(
                    JournalDraft(
                        principal: "system:monitor", type: alert.ongoing ? "alert.ongoing" : "alert.raised",
                        subject: "endpoint/\(report.endpoint)",
                        body: try JSON.value(alert)),
                    in: transaction, at: report.evaluated)
            }
        }
    }

    /// AUC by window of what a version would have answered, from the features recorded with each prediction.
    ///
    /// - Parameter windows: moments that bound the windows, rising; the last window ends with the last of them.
    public func rescore(_ id: ModelVersionID, on name: String, windows: [Timestamp]) async throws
        -> [WindowReport.VersionPart]
    {
        let endpoint = try endpoints.table.endpoint(name)
        let predictions = try await endpoint.predictions(from: .start)
        let labels = try await endpoints.labels(of: name).labels(from: .start)
        let model = try await loader.load(try await registry.version(id).bundle).model
        return try await worker.run {
            try Rescoring(model: model, windows: windows).run(
                predictions: predictions, labels: labels, version: id.version)
        }
    }
}

extension Double {
    /// Rounded to a number of decimal places, for messages.
    func rounded(to places: Int) -> Double {
        let scale = (0..<max(0, places)).reduce(1.0) { scale, _ in scale * 10 }
        return (self * scale).rounded() / scale
    }
}
