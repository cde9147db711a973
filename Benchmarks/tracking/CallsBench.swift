import Foundation
import TestSupport

/// `calls [--seconds N]`: log metric, log param, set tag and create run, one client and 16 at once, and batches of 1,000 metrics.
enum CallsBench {
    private struct Kind {
        let name: String
        let call: @Sendable (Wire, Target, Int) throws -> Void
    }

    /// Where the calls go.
    struct Target: Sendable {
        let experiment: String
        let runs: [String]

        func run(_ number: Int) -> String { runs[number % runs.count] }
    }

    private static let kinds = [
        Kind(name: "log metric") { try TrackingCalls.logMetric($0, $1.run($2), key: "loss", step: $2) },
        Kind(name: "log param") { try TrackingCalls.logParameter($0, $1.run($2), $2) },
        // No two calls under way at once set the same tag of a run, which MLflow refuses.
        Kind(name: "set tag") { try TrackingCalls.setTag($0, $1.run($2), $2 / $1.runs.count) },
        Kind(name: "create run") { try TrackingCalls.createRun($0, in: $1.experiment, start: $2) },
    ]

    static func run(_ words: Words) throws {
        let seconds = words.number("--seconds", 4)
        let folder = try TemporaryFolder()
        let ours = try measure(try TrackingServer.ours(folder), seconds)
        var peer: [Figure]?
        if words.withPeer, let server = try TrackingServer.mlflow(folder) { peer = try measure(server, seconds) }
        for (place, figure) in ours.enumerated() {
            let other = peer?[place].outcome
            var row = TrackingRow(
                what: figure.what, ours: figure.outcome.each, peer: other?.each, target: figure.target)
            if !figure.isBatch { row.format = Format.rate }
            row.note = "p50 \(Format.time(figure.outcome.p50)), p99 \(Format.time(figure.outcome.p99))"
            row.show()
            guard figure.clients == 16 else { continue }
            TrackingRow(
                what: "\(figure.what), p99", ours: figure.outcome.p99, peer: other?.p99,
                target: .below(0.010, "10 ms")
            ).show()
        }
    }

    private struct Figure {
        var what: String
        var clients: Int
        var outcome: Load.Outcome
        var target: TrackingRow.Target
        var isBatch = false
    }

    private static func measure(_ server: TrackingServer, _ seconds: Double) throws -> [Figure] {
        defer { server.stop() }
        let wire = try Wire(port: server.port)
        let experiment = try TrackingCalls.createExperiment(wire, "calls")
        let runs = try (0..<16).map { try TrackingCalls.createRun(wire, in: experiment, start: 1_760_000_000_000 + $0) }
        let target = Target(experiment: experiment, runs: runs)
        // The first calls to each of MLflow's worker processes load what they need, for seconds.
        for (place, kind) in kinds.enumerated() {
            let first = place * 1_000_000
            _ = try Load.run(server, clients: 16, seconds: seconds) { try kind.call($0, target, first + $1) }
        }
        var figures: [Figure] = []
        for (clients, atOnce, what) in [
            (1, true, "1 client"), (1, false, "1 ordinary client"), (16, true, "16 clients"),
        ] {
            for kind in kinds {
                let first = (kinds.count + figures.count) * 1_000_000
                let outcome = try Load.run(server, clients: clients, seconds: seconds, acknowledgesAtOnce: atOnce) {
                    try kind.call($0, target, first + $1)
                }
                figures.append(
                    Figure(
                        what: "\(kind.name), \(what)", clients: clients, outcome: outcome,
                        target: .times(clients == 1 ? 20 : 50)))
            }
        }
        // Written beforehand: what a client takes for it is not the server's.
        let bodies = (0..<50).map { number in
            TrackingCalls.metrics(target.run(number), count: 1000, from: number * 1000) { "m\($0 % 1000)" }
        }
        let batch = try Load.run(server, seconds: seconds, total: bodies.count) { wire, number in
            try TrackingCalls.logBatch(wire, bodies[number % bodies.count])
        }
        figures.append(
            Figure(
                what: "log-batch of 1,000 distinct metrics", clients: 1, outcome: batch, target: .times(20),
                isBatch: true))
        return figures
    }
}
