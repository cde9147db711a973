import Basics
import Engines
import Foundation
import HTTP
import TestSupport
import Testing

/// Two servers of one factory on one PostgreSQL, Redis, S3 and Kafka, under load, while either is killed again and again.
final class TwoServersTrial {
    private let seed: UInt64
    /// How long the storm lasts.
    private let seconds: Double
    /// How long each server stands still once in it; nil for not at all.
    private let freeze: Double?
    private let factory: LiveFactory
    private let servers: LiveServers
    /// Predictions that were asked for beside the load.
    private var asides: Set<String> = []
    private var freezes = 0
    private static let endpoint = SeededFactory.endpoint

    init(seed: UInt64, seconds: Double, freeze: Double? = nil, on engines: EngineSet) throws {
        self.seed = seed
        self.seconds = seconds
        self.freeze = freeze
        factory = try LiveFactory("two\(UUID().uuidString.prefix(8).lowercased())", seed: seed, on: engines)
        servers = try LiveServers(2, of: factory)
    }

    func run() throws {
        try factory.prepare(servers)
        let load = LiveLoad(servers)
        try follow("before the storm")
        // Windows are counted from the first that was judged, and a server that has just begun has histories to read first.
        try eventually("a window is judged before the storm", within: 40) { try !windowStarts().isEmpty }
        let kept = try LongTraining(on: 1, of: servers)
        let orphan = try LongTraining(on: 0, of: servers)
        try servers.strike(0, pause: 0)
        #expect(try kept.end() == nil)
        try storm()
        try follow("after the storm")
        let outcome = load.end()
        #expect(outcome.problems.isEmpty, "\(outcome.problems.count): \(outcome.problems.prefix(5))")
        #expect(outcome.predictions.count > Int(20 * seconds) && outcome.labels.count > Int(10 * seconds))
        try judgeRuns(orphan: orphan.run, kept: kept.run)
        let windows = try judgeWindows()
        let records = try judgeRecords(outcome)
        #expect(try servers.stop() == [0, 0])
        let complaints = servers.logged("error").merging(servers.logged("warning"), uniquingKeysWith: +)
        for (line, count) in complaints { print("two servers: logged \(count) times: \(line.prefix(300))") }
        print(
            "two servers: seed \(seed), \(servers.kills) kills, \(freezes) freezes, \(outcome.retries) requests sent "
                + "again, \(records) records of \(outcome.predictions.count + asides.count) predictions, "
                + "\(windows) windows, longest wait \(outcome.longest) s")
    }

    /// What one server is told, the other does within 5 s.
    private func follow(_ when: String) throws {
        for (teller, version) in [(0, 2), (1, 1)] {
            try servers.api(teller).post(
                "/endpoints/\(Self.endpoint)/deploy",
                ["version": .string("orders/\(version)"), "reason": .string(when)])
            let link = try servers.api(1 - teller)
            let id = "\(when.replacing(" ", with: "-"))-\(teller)"
            asides.insert(id)
            try eventually("\(when), version \(version) answers on the other server", within: 5) {
                let answer = try link.connection.send(
                    .post, SeededFactory.inferPath, body: LiveFactory.infer(id, number: 1))
                return try JSON.decode(JSONValue.self, from: answer.bytes)["model_version"]?.string == "\(version)"
            }
        }
    }

    /// Pauses, kills and, where that is asked for, a stand-still of either, all by the seed.
    private func storm() throws {
        let random = SeededRandom(seed: SplitMix.mix(seed))
        func share() -> Double { Double(random.next() >> 11) * 0x1p-53 }
        let end = SystemTime.monotonicNanoseconds + UInt64(seconds * 1e9)
        var waiting = freeze == nil ? [] : [0, 1]
        while SystemTime.monotonicNanoseconds < end {
            pass(0.3 + 2 * share())
            let index = Int(random.next() % 2)
            if let freeze, waiting.contains(index), random.next() % 3 == 0 {
                waiting.removeAll { $0 == index }
                freezes += 1
                servers.freeze(index, true)
                pass(freeze)
                servers.freeze(index, false)
            } else {
                try servers.strike(index, pause: 1.5 * share())
            }
        }
    }

    /// The run of the server that was killed has failed, that of the one that lived has not.
    private func judgeRuns(orphan: String, kept: String) throws {
        try eventually("the run of the killed server ends", within: 40) {
            try LongTraining.runs(servers.api(0))[orphan] != "RUNNING"
        }
        let runs = try LongTraining.runs(servers.api(1))
        #expect(runs[orphan] == "FAILED")
        #expect(runs[kept] == "FINISHED")
    }

    /// What was acknowledged is recorded, by whomever it was answered, and both servers say so.
    /// - Returns: how many records there are, repeated ids included.
    private func judgeRecords(_ outcome: LiveLoad.Outcome) throws -> Int64 {
        var totals: [JSONValue] = []
        func distinct(_ kind: String) -> Set<Int64> { Set(totals.compactMap { $0[kind]?["distinct"]?.integer }) }
        try eventually("both spools arrive", within: 20) {
            totals = try (0..<2).map { try servers.api($0).get("/endpoints/\(Self.endpoint)/totals") }
            return totals.first == totals.last
        }
        #expect(distinct("predictions") == [Int64(outcome.predictions.count + asides.count)])
        #expect(distinct("labels") == [Int64(outcome.labels.count)])
        return totals.first?["predictions"]?["records"]?.integer ?? 0
    }

    private func windowStarts() throws -> [Timestamp] {
        try (servers.api(0).get("/endpoints/\(Self.endpoint)/monitor").array ?? []).compactMap {
            $0["start"]?.string.flatMap { Timestamp($0) }
        }
    }

    /// Each window was judged once, none was left out, and the journal tells of each once.
    /// - Returns: how many there are.
    private func judgeWindows() throws -> Int {
        let api = try servers.api(0)
        let length = LiveFactory.windowSeconds
        // The one who drove may have been killed a moment ago: the other takes over when its lease is over.
        let recent = SystemTime().now.advanced(bySeconds: -3 * length)
        try eventually("windows up to the storm's end are judged", within: 40) {
            try windowStarts().last.map { $0 >= recent } ?? false
        }
        let told = try api.get("/journal?type=monitor.window&limit=10000").array ?? []
        let judged = try windowStarts()
        for (before, after) in zip(judged, judged.dropFirst()) {
            #expect(after.seconds(since: before) == Double(length), "from \(before) to \(after)")
        }
        let moments = told.compactMap { $0["body"]?["start"]?.string.flatMap { Timestamp($0) } }
        #expect(moments.count == told.count)
        #expect(Set(moments).count == told.count, "a window is told of twice")
        #expect(Set(judged).isSuperset(of: moments))
        #expect(Double(judged.count) > seconds / Double(length) / 2)
        #expect(try api.get("/journal/verify")["intact"]?.bool == true)
        return judged.count
    }
}
