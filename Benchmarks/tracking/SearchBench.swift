import Engines
import Foundation
import TestSupport

/// `search [--runs N]`: searches by metric and param, ordered by a metric, and paging, over runs of 10 metrics, 10 params
/// and 5 tags each; with more than 10,000 runs without MLflow.
enum SearchBench {
    static func run(_ words: Words) throws {
        let runs = Int(words.number("--runs", 10_000))
        let isLarge = runs > 10_000
        let folder = try TemporaryFolder()
        let ours = try TrackingServer.ours(folder)
        let experiment = try fill(ours, runs)
        let mine = try measure(ours, experiment, runs, rounds: 200)
        ours.stop()
        var other: [Figure]?
        if words.withPeer, !isLarge, TrackingServer.mlflowTools != nil {
            try TrackingServer.runPeerScript(
                "mlflow_fill.py", [folder("mlflow.db"), folder("mlflow-artifacts"), "\(runs)", "0"])
            if let server = try TrackingServer.mlflow(folder) {
                defer { server.stop() }
                other = try measure(server, "1", runs, rounds: 5)
            }
        }
        for (place, figure) in mine.enumerated() {
            guard other == nil || other?[place].found == figure.found else {
                throw EngineUnavailable(
                    "\(figure.what): \(figure.found) runs here, \(other?[place].found ?? 0) there")
            }
            TrackingRow(
                what: "\(figure.what), \(runs) runs", ours: figure.seconds, peer: other?[place].seconds,
                target: isLarge ? figure.largeTarget : figure.target,
                note: figure.isWhole ? "" : "p99 \(Format.time(figure.p99)), \(figure.found) runs"
            ).show()
            if isLarge, !figure.isWhole {
                TrackingRow(
                    what: "\(figure.what), \(runs) runs, p99", ours: figure.p99, target: .below(0.050, "50 ms")
                ).show()
            }
        }
    }

    private struct Figure {
        var what: String
        var seconds: Double
        var p99 = 0.0
        var found: Int
        var target: TrackingRow.Target
        var largeTarget = TrackingRow.Target.none
        /// Whether it is about all pages together.
        var isWhole = false
    }

    static func fill(_ server: TrackingServer, _ runs: Int) throws -> String {
        let experiment = try TrackingCalls.createExperiment(try Wire(port: server.port), "search")
        _ = try Load.run(server, clients: 16, seconds: 240, total: runs) { wire, number in
            let run = try TrackingCalls.createRun(wire, in: experiment, start: 1_760_000_000_000 + number)
            try wire.post("/api/2.0/mlflow/runs/log-batch", BenchRuns.batch(number, run: run))
        }
        return experiment
    }

    private static func measure(
        _ server: TrackingServer, _ experiment: String, _ runs: Int, rounds: Int
    ) throws -> [Figure] {
        func searches(_ what: String, _ filter: String, _ order: String?, _ limit: Double) throws -> Figure {
            // On a connection of its own: MLflow closes one that is idle for as long as it takes for an ordered search or two.
            let wire = try Wire(port: server.port)
            let found = try TrackingCalls.count(
                try TrackingCalls.search(wire, experiment, filter: filter, order: order, limit: 100))
            let outcome = try Load.run(server, seconds: 60, total: rounds) { wire, _ in
                _ = try TrackingCalls.search(wire, experiment, filter: filter, order: order, limit: 100)
            }
            return Figure(
                what: what, seconds: outcome.p50, p99: outcome.p99, found: found,
                target: .below(limit, Format.time(limit)))
        }
        var figures = [
            try searches(
                "search by metric and param, a page of 100", "metrics.m0 > 0.5 and params.p1 = '3'", nil, 0.006),
            try searches("search by a rare metric and param", "metrics.m2 > 0.99 and params.p4 = '7'", nil, 0.006),
            try searches(
                "search by two metrics and a tag", "metrics.m1 < 0.5 and metrics.m7 > 0.5 and tags.t1 = 'v3'", nil,
                0.006),
            try searches("ordered by a metric, a page of 100", "", "metrics.m3 DESC", 0.010),
            try searches(
                "by metric and param, ordered by a metric", "metrics.m0 > 0.5 and params.p1 = '3'", "metrics.m9 ASC",
                0.010),
        ]
        guard runs <= 10_000 else { return figures }
        var pages = 0
        var seen = 0
        let whole = try Load.run(server, seconds: 60, total: 1) { wire, _ in
            var token: String?
            repeat {
                let reply = try TrackingCalls.search(wire, experiment, filter: "", limit: 1000, page: token)
                token = TrackingCalls.token(reply)
            } while token != nil
        }
        pages = (runs + 999) / 1000
        seen = runs
        figures.append(
            Figure(
                what: "paging through all, \(pages) pages", seconds: whole.seconds, found: seen, target: .times(30),
                isWhole: true))
        return figures
    }
}
