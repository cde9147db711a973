import Basics
import Foundation
import TestSupport
import Testing

/// Kills the server of a folder of models at random moments, while callers ask and records go to Parquet, and starts it
/// again each time: what a caller was told is kept once, with what was asked and answered.
struct ModelServerTrial {
    let seed: UInt64
    let kills: Int
    private static let callers = 4

    func run() throws {
        let folder = try TemporaryFolder()
        let models = try AskedModels([.mlp, .trees], in: folder)
        let random = SeededRandom(seed: SplitMix.mix(seed))
        var since = SystemTime().now
        var server = try start(folder, models)
        let link = ServerLink(url: server.url)
        let load = ModelLoad(link, models, callers: Self.callers, mayEnd: true, seed: seed)
        let compactor = Compactor(link, seed: seed)
        var seen = AnswerLedger()
        var faults: [String] = []
        var amid = 0
        let begun = SystemTime.monotonicNanoseconds
        for _ in 0..<kills {
            let wanted = load.answers() + 1 + Int(random.next() % 400)
            // Every other one falls where some are in Parquet and some in the log.
            let turns = compactor.turns + Int(random.next() % 2)
            try eventually("answers and compaction go on") {
                load.answers() >= wanted && compactor.turns >= turns || !load.now.problems.isEmpty
            }
            usleep(UInt32(random.next() % 20_000))
            if compactor.isAtWork { amid += 1 }
            try server.kill()
            // One of four dies once more, while it starts or soon after.
            if random.next() % 4 == 0 {
                let young = SystemTime.monotonicNanoseconds + random.next() % 300_000_000
                let second = try? start(folder, models) { SystemTime.monotonicNanoseconds >= young }
                try second?.kill()
            }
            let next = SystemTime().now
            server = try start(folder, models)
            // Nobody is answered before it has the new address.
            let told = load.now.ledger
            faults += told.without(seen).faults(in: try Self.records(server, since: since))
            (seen, since) = (told, next)
            link.replace(url: server.url)
        }
        let outcome = load.end()
        compactor.end()
        faults += outcome.ledger.without(seen).faults(in: try Self.records(server, since: since))
        faults += try outcome.ledger.faultsInParquet(server, kept: folder("kept"), folder)
        let seconds = Double(SystemTime.monotonicNanoseconds - begun) / 1e9
        print(
            "kill storm: server of models, seed \(seed), kills \(kills), amid compaction \(amid), acknowledged "
                + "\(outcome.ledger.told.count), cut off \(outcome.cut), compacted \(compactor.records) in "
                + "\(compactor.turns) turns, faults \(faults.count + outcome.problems.count), "
                + "seconds \(Int(seconds.rounded()))")
        #expect(faults.isEmpty, "seed \(seed): \(faults.prefix(10).joined(separator: "; "))")
        #expect(outcome.problems.isEmpty, "seed \(seed): \(outcome.problems.prefix(10))")
        #expect(outcome.cut > 0 && compactor.records > 0 && outcome.ledger.told.count > kills)
        #expect(try server.stop() == 0)
    }

    private func start(
        _ folder: TemporaryFolder, _ models: AskedModels, giveUp: () -> Bool = { false }
    ) throws -> Server {
        try Server(
            ["--models", models.path, "--record", folder("kept"), "--grpc-port", "0"], logs: folder.path, giveUp: giveUp
        )
    }

    private static func records(_ server: Server, since: Timestamp) throws -> [JSONValue] {
        try API(url: server.url).get("/predictions?since=\(since)&limit=10000").array ?? []
    }
}

/// Has all records taken into Parquet again and again, by whichever server there is.
private final class Compactor: @unchecked Sendable {
    private let link: ServerLink
    private let done = DispatchGroup()
    // Read and written under the lock only.
    private let lock = NSLock()
    private var working = false
    private var ending = false
    private var taken: (records: Int64, turns: Int) = (0, 0)

    init(_ link: ServerLink, seed: UInt64) {
        self.link = link
        done.enter()
        let random = SeededRandom(seed: SplitMix.mix(seed &+ 7))
        Thread { [self] in
            work(random)
            done.leave()
        }.start()
    }

    /// Whether a server is at it now.
    var isAtWork: Bool { lock.withLock { working } }
    var records: Int64 { lock.withLock { taken.records } }
    var turns: Int { lock.withLock { taken.turns } }

    func end() {
        lock.withLock { ending = true }
        done.wait()
    }

    private func work(_ random: SeededRandom) {
        var generation = -1
        while let server = try? link.server(after: generation), let api = try? API(url: server.url) {
            generation = server.generation
            while true {
                guard !lock.withLock({ ending }) else { return }
                usleep(UInt32(random.next() % 30_000))
                lock.withLock { working = true }
                defer { lock.withLock { working = false } }
                guard let answer = try? api.post("/predictions/compact", [:]) else { break }
                lock.withLock {
                    taken.records += answer["records"]?.integer ?? 0
                    taken.turns += 1
                }
            }
            guard !lock.withLock({ ending }) else { return }
        }
    }
}

/// What callers of models were told is kept, however the server ends.
@Suite struct ModelServerKillFaults {
    @Test("six kills while callers ask and records are compacted", .timeLimit(.minutes(5)))
    func sixKills() async throws {
        try await onThread("model-kill") { try ModelServerTrial(seed: KillTrial.seed, kills: 6).run() }
    }
}

/// The same at length.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["MODELWORKS_SOAK"] != nil, "make soak runs it"))
struct ModelServerKillSoak {
    @Test("a hundred kills while callers ask and records are compacted", .timeLimit(.minutes(30)))
    func aHundredKills() async throws {
        try await onThread("model-soak") { try ModelServerTrial(seed: KillTrial.seed, kills: 100).run() }
    }
}
