import Basics
import Engines
import Foundation
import HTTP
import TestSupport
import Testing

/// One server under load while each engine in turn goes away for a while and comes back.
final class EngineOutageTrial {
    /// An engine, and how it is taken away and given back.
    enum Outage: CaseIterable {
        case postgres, s3, kafka, redis, silentPostgres, silentRedis

        /// Those in which the engine is gone, where it is not S3: in the others it stands still.
        static let brief: [Outage] = [.postgres, .s3, .kafka, .redis]

        func begin(_ engines: EngineSet) throws {
            switch self {
            case .postgres: try engines.postgres.stop()
            // It keeps what it has in memory, so it stands still in place of ending.
            case .s3: engines.s3.signal(SIGSTOP)
            case .kafka: try engines.kafka.say("down -1")
            case .redis: engines.redis.kill()
            case .silentPostgres: engines.postgres.freeze()
            case .silentRedis: engines.redis.freeze()
            }
        }

        func end(_ engines: EngineSet) throws {
            switch self {
            case .postgres: try engines.postgres.start()
            case .s3: engines.s3.signal(SIGCONT)
            case .kafka: try engines.kafka.say("up -1")
            case .redis: try engines.redis.start()
            case .silentPostgres: engines.postgres.thaw()
            case .silentRedis: engines.redis.thaw()
            }
        }

        /// What the log says while it is away.
        var complaint: String {
            switch self {
            case .postgres, .silentPostgres: "the database does not answer"
            case .s3: "records wait in their spool"
            case .kafka: "Connection refused"
            case .redis: "can not be reached"
            case .silentRedis: "gave no answer"
            }
        }

        /// Whether the features of a prediction are in it.
        var isNeeded: Bool { self == .redis || self == .silentRedis }
    }

    private let outages: [Outage]
    private let seconds: Double
    private let engines: EngineSet
    private let factory: LiveFactory
    private let servers: LiveServers

    /// - Parameter seconds: how long each engine is away.
    init(_ outages: [Outage], seed: UInt64, seconds: Double, on engines: EngineSet) throws {
        self.outages = outages
        self.seconds = seconds
        self.engines = engines
        factory = try LiveFactory("away\(UUID().uuidString.prefix(8).lowercased())", seed: seed, on: engines)
        servers = try LiveServers(1, of: factory)
    }

    func run() throws {
        try factory.prepare(servers)
        let load = LiveLoad(servers, mayRefuse: true)
        for outage in outages { try endure(outage, load) }
        let outcome = load.end()
        #expect(outcome.problems.isEmpty, "\(outcome.problems.count): \(outcome.problems.prefix(5))")
        try judge(outcome)
        #expect(servers.kills == 0)
        #expect(try servers.stop() == [0])
        let complaints = servers.logged("error").merging(servers.logged("warning"), uniquingKeysWith: +)
        for outage in outages {
            #expect(complaints.keys.contains { $0.contains(outage.complaint) }, "nothing was logged about \(outage)")
        }
        for (line, count) in complaints {
            print("outages: logged \(count) times: \(line.prefix(300))")
        }
    }

    private func endure(_ outage: Outage, _ load: LiveLoad) throws {
        try eventually("the load is under way", within: 10) { load.now.predictions.count > 20 }
        let before = load.now
        try outage.begin(engines)
        let began = SystemTime.monotonicNanoseconds
        var healthy = 0
        while Double(SystemTime.monotonicNanoseconds - began) < seconds * 1e9 {
            let asked = SystemTime.monotonicNanoseconds
            let answer = try HTTPConnection(url: servers.place(0).url).send(.get, "/health")
            #expect(answer.status == .ok && SystemTime.monotonicNanoseconds - asked < 1_000_000_000, "\(outage)")
            healthy += 1
            pass(0.25)
        }
        let during = load.now
        try outage.end(engines)
        if outage.isNeeded {
            #expect(during.refused > before.refused, "\(outage): nobody was told")
            #expect(during.longestRefusal < 3, "\(outage): a refusal took \(during.longestRefusal) s")
        } else {
            #expect(during.refused == before.refused, "\(outage): \(during.refused - before.refused) were refused")
            // A prediction waits for none of these.
            #expect(during.predictions.count - before.predictions.count > Int(20 * seconds), "\(outage)")
        }
        let back = load.now.predictions.count
        try eventually("\(outage): predictions go on", within: 5) { load.now.predictions.count > back + 20 }
        // What the loop does needs all of them: records arrive, windows are judged and stored.
        let moment = SystemTime().now
        try eventually("\(outage): windows after it are judged", within: 30) {
            try windows().last.map { $0 >= moment } ?? false
        }
        print(
            "outages: \(outage) away for \(seconds) s: \(during.predictions.count - before.predictions.count) answered, "
                + "\(during.refused - before.refused) refused, longest refusal \(during.longestRefusal) s, "
                + "\(healthy) times healthy, windows again after \(SystemTime().now.seconds(since: moment)) s")
    }

    private func windows() throws -> [Timestamp] {
        try (servers.api(0).get("/endpoints/orders/monitor").array ?? []).compactMap {
            $0["start"]?.string.flatMap { Timestamp($0) }
        }
    }

    private func judge(_ outcome: LiveLoad.Outcome) throws {
        let api = try servers.api(0)
        let totals = try api.get("/endpoints/orders/totals")
        #expect(totals["predictions"]?["distinct"]?.integer == Int64(outcome.predictions.count))
        #expect(totals["predictions"]?["records"]?.integer == Int64(outcome.predictions.count))
        #expect(totals["labels"]?["distinct"]?.integer == Int64(outcome.labels.count))
        #expect(totals["labels"]?["records"]?.integer == Int64(outcome.labels.count))
        let starts = try windows()
        for (before, after) in zip(starts, starts.dropFirst()) {
            #expect(after.seconds(since: before) == Double(LiveFactory.windowSeconds), "from \(before) to \(after)")
        }
        let told = try api.get("/journal?type=monitor.window&limit=10000").array ?? []
        let moments = told.compactMap { $0["body"]?["start"]?.string.flatMap { Timestamp($0) } }
        #expect(Set(moments).count == moments.count && moments.count >= starts.count)
        #expect(try api.get("/journal/verify")["intact"]?.bool == true)
    }
}
