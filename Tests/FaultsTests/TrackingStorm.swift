import Basics
import Foundation
import HTTP
import TestSupport
import Testing

/// Writers that log to runs and register versions through MLflow's protocol while the server is killed again and again.
/// What was acknowledged must be there, and no version number is given twice.
final class TrackingStorm: @unchecked Sendable {
    /// What came of it.
    struct Outcome: Sendable {
        var runs = 0
        var records = 0
        var versions = 0
        var lost: [String] = []
        var problems: [String] = []
    }

    private static let model = "storm"
    private static let operationsOfARun = 60

    private let link: ServerLink
    private let seed: UInt64
    private let done = DispatchGroup()
    // Read and written under the lock only.
    private let lock = NSLock()
    private var ending = false
    private var outcome = Outcome()
    private var ledgers: [TrackingLedger] = []
    /// The source of each version that was acknowledged.
    private var versions: [Int64: String] = [:]
    /// Versions that were to be deleted: those whose deletion was acknowledged, and all.
    private var deleted: (acknowledged: Set<Int64>, asked: Set<Int64>) = ([], [])

    /// Starts the writers.
    init(_ link: ServerLink, writers: Int, seed: UInt64) throws {
        self.link = link
        self.seed = seed
        let client = try TrackingClient(url: try link.server(after: -1).url)
        try client.post("registered-models/create", ["name": .string(Self.model)])
        for writer in 0..<writers {
            done.enter()
            Thread { [self] in
                Writer(writer, SeededRandom(seed: SplitMix.mix(seed &+ UInt64(writer))), self).write()
                done.leave()
            }.start()
        }
    }

    /// How much was acknowledged so far.
    var acknowledged: Int { lock.withLock { outcome.records } }

    /// Ends the writers and reads everything back.
    func end() throws -> Outcome {
        lock.withLock { ending = true }
        done.wait()
        let client = try TrackingClient(url: try link.server(after: -1).url)
        var outcome = self.outcome
        for ledger in ledgers { outcome.lost += try ledger.lost(client) }
        var there: [Int64: String] = [:]
        let found = try client.get("/api/2.0/mlflow/model-versions/search?max_results=200000")
        for item in found["model_versions"]?.array ?? [] {
            if let version = item["version"]?.string.flatMap({ Int64($0) }) { there[version] = item["source"]?.string }
        }
        for (version, source) in versions where !deleted.asked.contains(version) && there[version] != source {
            outcome.lost.append("version \(version)")
        }
        for version in deleted.acknowledged where there[version] != nil {
            outcome.lost.append("the deletion of version \(version)")
        }
        outcome.runs = ledgers.count
        outcome.versions = versions.count
        return outcome
    }

    private func note(_ change: (inout Outcome) -> Void) { lock.withLock { change(&outcome) } }

    private var isEnding: Bool { lock.withLock { ending } }

    /// One client and what it knows.
    private final class Writer {
        private let number: Int
        private let random: SeededRandom
        private let storm: TrackingStorm
        private var at: (client: TrackingClient, generation: Int)?
        private var generation = -1
        private var ledger: TrackingLedger?
        private var operations = 0
        private var step = 0

        init(_ number: Int, _ random: SeededRandom, _ storm: TrackingStorm) {
            self.number = number
            self.random = random
            self.storm = storm
        }

        func write() {
            while !storm.isEnding {
                do {
                    try operate(try client())
                } catch is ConnectionGone {
                    at = nil
                } catch {
                    storm.note { $0.problems.append("writer \(number): \(error)") }
                    break
                }
            }
            close()
        }

        /// A connection to the server of now. What a new one does not have of the writer's run is told.
        private func client() throws -> TrackingClient {
            if let at { return at.client }
            let server = try storm.link.server(after: generation)
            let client = try TrackingClient(url: server.url)
            if let ledger {
                let lost = try ledger.lost(client)
                storm.note { $0.lost += lost }
            }
            at = (client, server.generation)
            // Another one is waited for once this one is gone.
            generation = server.generation
            return client
        }

        private func close() {
            if let ledger { storm.lock.withLock { storm.ledgers.append(ledger) } }
            ledger = nil
            operations = 0
        }

        private func operate(_ client: TrackingClient) throws {
            guard var ledger, operations < TrackingStorm.operationsOfARun else {
                close()
                let made = try client.post("runs/create", ["experiment_id": "0", "start_time": 1])["run"]?["info"]
                guard let run = made?["run_id"]?.string, let location = made?["artifact_uri"]?.string else {
                    throw Unmet("a run without an id")
                }
                self.ledger = TrackingLedger(run: run, root: location.replacing("mlflow-artifacts:/", with: ""))
                return
            }
            operations += 1
            step += 1
            // Kept also where it fails half-way: what is not known to have been done may have been done.
            defer { self.ledger = ledger }
            let before = ledger.count
            let run = JSONValue.string(ledger.run)
            switch random.next() % 8 {
            case 0, 1:
                let value = Double(random.next() % 1_000_000) / 1000
                try client.post(
                    "runs/log-metric",
                    [
                        "run_id": run, "key": "loss", "value": .number(value), "timestamp": 1,
                        "step": .integer(Int64(step)),
                    ])
                ledger.metrics["loss", default: [:]][step] = value
            case 2:
                try client.post(
                    "runs/log-parameter", ["run_id": run, "key": .string("p\(step)"), "value": .string("\(step)")])
                ledger.parameters["p\(step)"] = "\(step)"
            case 3:
                let (key, value) = ("t\(step % 3)", "value \(step)")
                ledger.tags[key]?.insert(value)
                try client.post("runs/set-tag", ["run_id": run, "key": .string(key), "value": .string(value)])
                ledger.tags[key] = [value]
            case 4:
                // Enough for a block of the history.
                let count = random.next() % 2 == 0 ? 300 : 5
                let metrics = (0..<count).map { index -> JSONValue in
                    [
                        "key": "batch", "value": .integer(Int64(index)), "timestamp": 2,
                        "step": .integer(Int64(step * 1000 + index)),
                    ]
                }
                try client.post(
                    "runs/log-batch",
                    [
                        "run_id": run, "metrics": .array(metrics),
                        "params": [["key": .string("b\(step)"), "value": "x"]], "tags": [],
                    ])
                for index in 0..<count { ledger.metrics["batch", default: [:]][step * 1000 + index] = Double(index) }
                ledger.parameters["b\(step)"] = "x"
            case 5, 6:
                let size = random.next() % 4 == 0 ? 300_000 : 2000
                var bytes = Array("\(number) \(step) ".utf8)
                while bytes.count < size { withUnsafeBytes(of: random.next()) { bytes.append(contentsOf: $0) } }
                try client.put("\(ledger.root)/files/\(step).bin", bytes)
                ledger.artifacts["files/\(step).bin"] = Digest(of: bytes)
            default: try register(client, ledger)
            }
            let more = ledger.count - before
            storm.note { $0.records += max(1, more) }
        }

        private func register(_ client: TrackingClient, _ ledger: TrackingLedger) throws {
            // Not where it goes on writing: what a version is made of stays as it is.
            let source = "mlflow-artifacts:/\(ledger.root)/model"
            let made = try client.post(
                "model-versions/create",
                ["name": .string(TrackingStorm.model), "source": .string(source), "run_id": .string(ledger.run)])
            guard let version = made["model_version"]?["version"]?.string.flatMap({ Int64($0) }) else {
                throw Unmet("a version without a number")
            }
            let isNew = storm.lock.withLock { storm.versions.updateValue(source, forKey: version) == nil }
            if !isNew { storm.note { $0.problems.append("version \(version) was given twice") } }
            guard random.next() % 4 == 0 else { return }
            storm.lock.withLock { _ = storm.deleted.asked.insert(version) }
            try client.delete(
                "model-versions/delete",
                ["name": .string(TrackingStorm.model), "version": .string("\(version)")])
            storm.lock.withLock { _ = storm.deleted.acknowledged.insert(version) }
        }
    }
}

/// Kills the server of a tracking storm, and starts it again each time.
struct TrackingTrial {
    let seed: UInt64
    let kills: Int
    private static let writers = 16

    func run() throws {
        let folder = try TemporaryFolder()
        let random = SeededRandom(seed: SplitMix.mix(seed))
        var server = try Server(root: folder("root"), logs: folder.path)
        let link = ServerLink(url: server.url)
        let begun = SystemTime.monotonicNanoseconds
        let storm = try TrackingStorm(link, writers: Self.writers, seed: seed)
        for _ in 0..<kills {
            let before = storm.acknowledged
            let wanted = 1 + Int(random.next() % 200)
            try eventually("writes go on") { storm.acknowledged >= before + wanted }
            usleep(UInt32(random.next() % 10_000))
            try server.kill()
            server = try Server(root: folder("root"), logs: folder.path)
            link.replace(url: server.url)
        }
        let outcome = try storm.end()
        let seconds = Double(SystemTime.monotonicNanoseconds - begun) / 1e9
        print(
            "kill storm: tracking, seed \(seed), writers \(Self.writers), kills \(kills), runs \(outcome.runs), "
                + "acknowledged \(outcome.records), versions \(outcome.versions), lost \(outcome.lost.count), "
                + "faults \(outcome.problems.count), seconds \(Int(seconds.rounded()))")
        #expect(outcome.lost.isEmpty, "seed \(seed): lost \(outcome.lost.prefix(10))")
        #expect(outcome.problems.isEmpty, "seed \(seed): \(outcome.problems.prefix(10))")
        #expect(outcome.records > kills, "hardly anything was acknowledged")
    }
}

/// What MLflow's clients were told is kept stays, however the server ends.
@Suite struct TrackingKillFaults {
    @Test("eight kills under 16 writers lose nothing that was acknowledged", .timeLimit(.minutes(5)))
    func eightKills() async throws {
        try await onThread("tracking-faults") { try TrackingTrial(seed: KillTrial.seed, kills: 8).run() }
    }
}

/// The same at length.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["MODELWORKS_SOAK"] != nil, "make soak runs it"))
struct TrackingKillFaultsSoak {
    @Test("two hundred kills under 16 writers lose nothing that was acknowledged", .timeLimit(.minutes(30)))
    func twoHundredKills() async throws {
        try await onThread("tracking-soak") { try TrackingTrial(seed: KillTrial.seed, kills: 200).run() }
    }
}
