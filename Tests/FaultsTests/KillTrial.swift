import Basics
import Foundation
import TestSupport
import Testing

/// The same replay twice from the same state: left alone, and under a storm of kills. Both must leave the same behind.
struct KillTrial {
    /// What a replay has left behind in the server's stores.
    struct Traces {
        var acknowledged: EventReplay.Outcome
        var kills = 0
        var totals: JSONValue
        var windows: [JSONValue]
        var pipelines: [JSONValue]
        /// Entries of the monitors and pipelines: who, what, when, to what.
        var story: [String]
        var journal: [JSONValue]
        var verification: JSONValue
    }

    let seed: UInt64
    let kills: Int

    /// `MODELWORKS_SEED`, or 1.
    static var seed: UInt64 { UInt64(ProcessInfo.processInfo.environment["MODELWORKS_SEED"] ?? "") ?? 1 }

    func run() throws {
        let factory = try SeededFactory(seed: seed)
        try factory.prepare()
        let copy = "\(factory.folder.path)/prepared"
        try FileManager.default.copyItem(atPath: factory.root, toPath: copy)
        let started = SystemTime.monotonicNanoseconds
        let calm = try traces(of: factory) { _, _ in [] }
        let usual = (SystemTime.monotonicNanoseconds - started) / UInt64(max(1, calm.acknowledged.exchanges))
        try FileManager.default.removeItem(atPath: factory.root)
        try FileManager.default.moveItem(atPath: copy, toPath: factory.root)
        let storm = try traces(of: factory) { _, _ in
            KillStorm.kills(
                kills, over: calm.acknowledged.exchanges, usual: usual, pipelines: calm.acknowledged.pipelines,
                seed: seed)
        }
        judge(calm: calm, storm: storm, factory)
        print(
            "kill storm: seed \(seed), \(storm.kills) kills, \(storm.acknowledged.retries) requests sent again, "
                + "\(storm.totals["predictions"]?["records"]?.integer ?? 0) records of \(storm.acknowledged.predictions) predictions, "
                + "\(calm.windows.count) windows, \(calm.pipelines.count) pipeline runs")
    }

    private func judge(calm: Traces, storm: Traces, _ factory: SeededFactory) {
        #expect(storm.kills == kills)
        // A kill between two exchanges is noticed by nobody; most fall into one.
        #expect(storm.acknowledged.retries > kills / 2)
        #expect(calm.acknowledged.retries == 0)
        #expect(calm.windows.count >= 8 && !calm.pipelines.isEmpty && calm.acknowledged.deployments.count >= 10)
        for traces in [calm, storm] {
            let acknowledged = traces.acknowledged
            #expect(acknowledged.predictions == factory.orders.count && acknowledged.labels == factory.orders.count)
            for (kind, count, digest) in [
                ("predictions", acknowledged.predictions, acknowledged.predictionDigest),
                ("labels", acknowledged.labels, acknowledged.labelDigest),
            ] {
                let part = traces.totals[kind]
                #expect(part?["distinct"]?.integer == Int64(count))
                #expect(part?["conflicting"]?.integer == 0)
                #expect(part?["digest"]?.string.flatMap { UInt64($0, radix: 16) } == digest)
            }
            #expect(traces.verification["intact"]?.bool == true)
            let hashes = Dictionary(
                traces.journal.compactMap { entry in
                    entry["sequence"]?.integer.flatMap { sequence in entry["hash"]?.string.map { (sequence, $0) } }
                }, uniquingKeysWith: { first, _ in first })
            #expect(acknowledged.entries.allSatisfy { hashes[$0.key] == $0.value })
            let reasons = Set(traces.journal.compactMap { $0["body"]?["reason"]?.string })
            #expect(reasons.isSuperset(of: acknowledged.deployments))
        }
        #expect(storm.acknowledged.predictionDigest == calm.acknowledged.predictionDigest)
        #expect(storm.acknowledged.labelDigest == calm.acknowledged.labelDigest)
        #expect(storm.windows == calm.windows)
        #expect(storm.pipelines == calm.pipelines)
        #expect(storm.story == calm.story)
    }

    private func traces(
        of factory: SeededFactory, kills: (String, ServerLink) throws -> [KillStorm.Kill]
    ) throws -> Traces {
        var server = try Server(root: factory.root, logs: factory.folder.path)
        let link = ServerLink(url: server.url)
        let storm = KillStorm(try kills(server.url, link), on: factory, server: server, link: link)
        storm.start()
        let played = Result { try EventReplay(factory, link: link).run() }
        link.finish()
        let struck: Int
        (server, struck) = storm.end()
        let outcome = try played.get()
        let before = try API(url: server.url).get("/endpoints/orders/totals")
        guard try server.stop() == 0 else { throw Unmet("the server did not end well: \(Modelworks.text(server.log))") }
        server = try Server(root: factory.root, logs: factory.folder.path)
        let api = try API(url: server.url)
        let totals = try api.get("/endpoints/orders/totals")
        #expect(totals == before)
        let journal = try api.get("/journal?limit=10000").array ?? []
        let traces = Traces(
            acknowledged: outcome, kills: struck, totals: totals,
            // Where the next window begins in the record depends on how often a request came.
            windows: (try api.get("/endpoints/orders/monitor").array ?? []).map { Self.without(["next"], $0) },
            pipelines: (try api.get("/pipelines/runs").array ?? []).map(Self.essence),
            story: journal.compactMap(Self.line), journal: journal, verification: try api.get("/journal/verify"))
        try server.stop()
        return traces
    }

    private static func without(_ names: [String], _ value: JSONValue) -> JSONValue {
        .object((value.object ?? [:]).filter { !names.contains($0.key) })
    }

    /// Of a pipeline's run, what does not depend on random ids and on how often a step was begun.
    private static func essence(_ run: JSONValue) -> JSONValue {
        let candidate = without(["run"], run["candidate"] ?? .null)
        let rest = without(["id", "history", "candidate"], run)
        return .array([rest, candidate])
    }

    private static func line(_ entry: JSONValue) -> String? {
        guard let type = entry["type"]?.string else { return nil }
        guard ["monitor.", "alert.", "pipeline."].contains(where: { type.hasPrefix($0) }) else { return nil }
        return [type, entry["subject"]?.string ?? "", entry["time"]?.string ?? "", entry["principal"]?.string ?? ""]
            .joined(separator: " ")
    }
}
