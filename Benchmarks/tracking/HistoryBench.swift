import Basics
import Documents
import Engines
import Foundation
import TestSupport

/// `history [--points N]`: the history of 10,000 points beside MLflow's; a million points read to the end with the memory
/// that it takes, and the plots of them.
enum HistoryBench {
    private static let small = 10_000

    static func run(_ words: Words) throws {
        let points = Int(words.number("--points", 1_000_000))
        let folder = try TemporaryFolder()
        let ours = try TrackingServer.ours(folder)
        defer { ours.stop() }
        let wire = try Wire(port: ours.port)
        let experiment = try TrackingCalls.createExperiment(wire, "history")
        let run = try fill(ours, experiment, small)
        let mine = try history(ours, run, rounds: 100)
        var other: Load.Outcome?
        if words.withPeer, TrackingServer.mlflowTools != nil {
            try TrackingServer.runPeerScript(
                "mlflow_fill.py", [folder("mlflow.db"), folder("mlflow-artifacts"), "1", "\(small)"])
            if let server = try TrackingServer.mlflow(folder) {
                defer { server.stop() }
                other = try history(server, String(repeating: "0", count: 32), rounds: 5)
            }
        }
        TrackingRow(
            what: "history of \(small) points", ours: mine.p50, peer: other?.p50, target: .below(0.008, "8 ms"),
            note: "p99 \(Format.time(mine.p99))"
        ).show()
        try large(ours, experiment, points)
    }

    private static func large(_ server: TrackingServer, _ experiment: String, _ points: Int) throws {
        let run = try fill(server, experiment, points)
        server.forgetPeak()
        let before = server.residentBytes
        var received = 0
        let whole = try Load.run(server, seconds: 60, total: 1) { wire, _ in
            let reply = try wire.get("/api/2.0/mlflow/metrics/get-history?run_id=\(run)&metric_key=loss")
            guard reply.body.split(separator: UInt8(ascii: "{")).count == points + 1 else {
                throw EngineUnavailable("not all points came")
            }
        }
        received = points
        TrackingRow(what: "history of \(received) points in one answer", ours: whole.seconds).show()
        TrackingRow(
            what: "memory that this took", ours: Double(max(0, server.peakBytes - before)),
            target: .below(32e6, "32 MB"), format: Format.bytes
        ).show()
        for (what, path, target) in [
            (
                "plot of \(points) points that keeps extremes",
                "/api/works/v1/runs/\(run)/metrics/loss/plot?parts=500", TrackingRow.Target.below(0.005, "5 ms")
            ),
            (
                "MLflow's sampled history of \(points) points",
                "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?run_ids=\(run)&metric_key=loss&max_results=320",
                TrackingRow.Target.none
            ),
        ] {
            let outcome = try Load.run(server, seconds: 10, total: 50) { wire, _ in try wire.get(path) }
            TrackingRow(what: what, ours: outcome.p50, target: target, note: "p99 \(Format.time(outcome.p99))").show()
        }
    }

    private static func history(_ server: TrackingServer, _ run: String, rounds: Int) throws -> Load.Outcome {
        try Load.run(server, seconds: 20, total: rounds) { wire, number in
            let reply = try wire.get(
                "/api/2.0/mlflow/metrics/get-history?run_id=\(run)&metric_key=loss&max_results=25000")
            guard number == 1 else { return }
            let count = try JSONTree.value(reply.body)["metrics"]?.array?.count
            guard count == small else { throw EngineUnavailable("\(count ?? 0) points instead of \(small)") }
        }
    }

    private static func fill(_ server: TrackingServer, _ experiment: String, _ points: Int) throws -> String {
        let run = try TrackingCalls.createRun(try Wire(port: server.port), in: experiment)
        _ = try Load.run(server, seconds: 240, total: points / 1000) { wire, number in
            try TrackingCalls.logMetrics(wire, run, count: 1000, from: (number - 1) * 1000) { _ in "loss" }
        }
        return run
    }
}
