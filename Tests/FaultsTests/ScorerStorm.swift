import Basics
import Engines
import Foundation
import Inference
import Streams
import Synchronization
import TestSupport
import Testing

/// Kills the process that scores a stream at random moments of its work, and looks at what lies in its output topics then.
struct ScorerStorm {
    let engine: StreamEngine
    let kills: Int
    let seed: UInt64
    private static let inputs = 12
    private static let partitions = 4

    /// `MODELWORKS_SEED`, or 1.
    static var seed: UInt64 { UInt64(ProcessInfo.processInfo.environment["MODELWORKS_SEED"] ?? "") ?? 1 }

    /// What was acknowledged.
    private struct Ledger: Sendable {
        var events = 0
        /// For each event its numbers; nil for one that is no event.
        var numbers: [String: [Float]?] = [:]
    }

    /// Fails the test where an event is missing, there twice, out of order or wrongly scored.
    func run() async throws {
        let server = engine == .kafka ? try KafkaServer() : nil
        let store = try engine.store(server: server)
        let streams = try await store.open()
        let events = try await store.topic("events", partitions: Self.partitions, on: streams)
        let answers = try await store.topic("answers", partitions: Self.partitions, on: streams)
        let letters = try await store.topic("events.rejected", partitions: 2, on: streams)
        await streams.close()
        let started = SystemTime.monotonicNanoseconds
        let ledger = Mutex(Ledger())
        let amid = engine == .kafka ? try await killUnderLoad(store, ledger) : try await killAtBacklog(store, ledger)
        try await finish(store)
        let opened = try await store.open()
        let all = try await Self.records(answers, opened)
        let rejected = try await Self.records(letters, opened)
        let published = try await opened.ends(events).reduce(0, +)
        await opened.close()
        let known = ledger.withLock { $0.numbers }
        let faults = try judge(all, rejected, known)
        let seconds = Double(SystemTime.monotonicNanoseconds - started) / 1e9
        print(
            "kill storm: stream scorer on \(engine), seed \(seed), kills \(kills), amid work \(amid), acknowledged "
                + "\(known.count), published \(published), scored \(all.count), rejected \(rejected.count), faults "
                + "\(faults.count), seconds \(Int(seconds.rounded()))")
        #expect(faults.isEmpty, "\(faults.prefix(20).joined(separator: "; "))")
        #expect(amid > 0, "kills should fall among its work")
    }

    /// Events come all the time while one scorer after another is killed.
    /// - Returns: how many kills fell while events waited.
    private func killUnderLoad(_ store: StreamStore, _ ledger: borrowing Mutex<Ledger>) async throws -> Int {
        let random = SeededRandom(seed: seed)
        let streams = try await store.with(["client_id": "publisher"]).open()
        var amid = 0
        for kill in 0..<kills {
            let child = try start(store, "\(kill)")
            var wanted: Int64?
            let deadline = SystemTime.monotonicNanoseconds + 60_000_000_000
            while true {
                try await publish(5, random, streams, ledger)
                let there = try await Self.count(streams)
                if wanted == nil { wanted = there + 1 + Int64(random.next() % 300) }
                if let wanted, there >= wanted { break }
                guard SystemTime.monotonicNanoseconds < deadline, child.isRunning else {
                    throw EngineUnavailable("scorer \(kill) did not go on: \(child.output.suffix(2000))")
                }
                try await Task.sleep(for: .milliseconds(10))
            }
            try await Task.sleep(for: .microseconds(Int64(random.next() % 20_000)))
            if try await Self.count(streams) < streams.ends(try TopicName("events")).reduce(0, +) { amid += 1 }
            child.signal(SIGKILL)
            child.end()
        }
        await streams.close()
        return amid
    }

    /// One process at a time has the local log, so events are published between the kills.
    private func killAtBacklog(_ store: StreamStore, _ ledger: borrowing Mutex<Ledger>) async throws -> Int {
        let random = SeededRandom(seed: seed)
        var amid = 0
        for kill in 0..<kills {
            var streams = try await store.open()
            try await publish(800, random, streams, ledger)
            await streams.close()
            let child = try start(store, "\(kill)")
            let deadline = SystemTime.monotonicNanoseconds + 60_000_000_000
            while !child.output.contains("\"scorer\"") {
                guard SystemTime.monotonicNanoseconds < deadline, child.isRunning else {
                    throw EngineUnavailable("scorer \(kill) did not begin: \(child.output.suffix(2000))")
                }
                try await Task.sleep(for: .milliseconds(1))
            }
            try await Task.sleep(for: .microseconds(Int64(random.next() % 40_000)))
            child.signal(SIGKILL)
            child.end()
            streams = try await store.open()
            if try await Self.count(streams) < streams.ends(try TopicName("events")).reduce(0, +) { amid += 1 }
            await streams.close()
        }
        return amid
    }

    /// Lets a last scorer do the rest: until it says so where it has the log alone, and until everything has its answer on a
    /// cluster, where a group may take longer to give away partitions than any pause between events.
    private func finish(_ store: StreamStore) async throws {
        let isAlone = engine == .log
        let child = try start(store, "last", more: isAlone ? ["--until-idle", "0"] : [])
        let streams = isAlone ? nil : try await store.with(["client_id": "observer"]).open()
        let deadline = SystemTime.monotonicNanoseconds + 240_000_000_000
        while child.isRunning, SystemTime.monotonicNanoseconds < deadline {
            if let streams,
                try await Self.count(streams) >= streams.ends(try TopicName("events")).reduce(0, +)
            {
                break
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        await streams?.close()
        child.end()
    }

    private func start(_ store: StreamStore, _ name: String, more: [String] = []) throws -> EngineProcess {
        let model = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("InferenceTests/Fixtures/mlp.onnx").path
        return try EngineProcess(
            "scorer-\(name)",
            [
                try KafkaServer.program("modelworks", "MODELWORKS_BINARY"), "stream", "score", "--streams",
                store.address, "--model", model, "--from", "events", "--to", "answers", "--group", "storm", "--rows",
                "5", "--json",
            ] + more, folder: try logs.get().path)
    }

    private let logs = Result { try TemporaryFolder() }

    init(engine: StreamEngine, kills: Int, seed: UInt64) {
        self.engine = engine
        self.kills = kills
        self.seed = seed
    }

    /// Publishes events, one of ten of them bad, and notes them once they are acknowledged.
    private func publish(
        _ count: Int, _ random: SeededRandom, _ streams: any EventStreams, _ ledger: borrowing Mutex<Ledger>
    ) async throws {
        let first = ledger.withLock { $0.events }
        var numbers: [String: [Float]?] = [:]
        let records = (first..<first + count).map { event -> StreamRecord in
            let isBad = random.next() % 10 == 0
            let x = (0..<Self.inputs).map { _ in Float(Int(random.next() % 4000)) / 1000 - 2 }
            numbers["e\(event)"] = .some(isBad ? nil : x)
            let value = #"{"id": "e\#(event)", "x": \#(isBad ? "\"?\"" : "\(x)")}"#
            return StreamRecord(key: "k\(random.next() % 50)", value: value)
        }
        try await streams.publish(records, to: try TopicName("events"))
        ledger.withLock { ledger in
            ledger.events += count
            ledger.numbers.merge(numbers) { $1 }
        }
    }

    private static func count(_ streams: any EventStreams) async throws -> Int64 {
        try await streams.ends(try TopicName("answers")).reduce(0, +)
            + streams.ends(try TopicName("events.rejected")).reduce(0, +)
    }

    /// Everything in a topic as it lies there.
    private static func records(_ topic: TopicName, _ streams: any EventStreams) async throws -> [StreamedRecord] {
        var found: [StreamedRecord] = []
        for partition in try await streams.ends(topic).indices {
            var next: Int64 = 0
            while true {
                let records = try await streams.held(topic, partition: partition, from: next, limit: 2000)
                guard let last = records.last else { break }
                next = last.position.offset + 1
                found += records
            }
        }
        return found
    }

    /// What is wrong with the outputs.
    private func judge(
        _ answers: [StreamedRecord], _ letters: [StreamedRecord], _ known: [String: [Float]?]
    ) throws -> [String] {
        let model = try ModelFolder.load(
            at: URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .appendingPathComponent("InferenceTests/Fixtures/mlp.onnx").path)
        var faults: [String] = []
        var seen: [String: Int] = [:]
        var last: [String: Int64] = [:]
        for (kind, records) in [("answer", answers), ("letter", letters)] {
            for record in records {
                let value = try JSON.decode(JSONValue.self, from: record.record.value)
                let id = value["id"]?.string ?? "?"
                seen[id, default: 0] += 1
                let mark = record.record.headers.last { $0.name == "modelworks-source" }.map {
                    String(decoding: $0.value, as: UTF8.self).split(separator: "/")
                }
                guard let mark, mark.count == 5, let offset = Int64(mark[2]) else {
                    faults.append("\(id) has no mark")
                    continue
                }
                let source = "\(kind) \(mark[1])"
                if offset <= last[source] ?? -1 { faults.append("\(id) is out of order or twice") }
                last[source] = offset
                guard let numbers = known[id] else {
                    faults.append("\(id) was never acknowledged")
                    continue
                }
                switch (kind, numbers) {
                case ("answer", let numbers?):
                    let input = try Tensor(.fp32, shape: [1, Self.inputs], values: numbers)
                    let wanted = try model.run([input], wanted: [0])[0].values(as: Float.self) ?? []
                    let given = (value["outputs"]?["probabilities"]?.array ?? []).compactMap(\.double)
                    if given.count != wanted.count
                        || zip(given, wanted).contains(where: { abs($0 - Double($1)) > 1e-6 })
                    {
                        faults.append("\(id) was scored \(given), not \(wanted)")
                    }
                case ("letter", nil): break
                default: faults.append("\(id) is \(kind == "answer" ? "scored" : "rejected"), and should not be")
                }
            }
        }
        for id in known.keys where seen[id] != 1 { faults.append("\(id) is there \(seen[id] ?? 0) times") }
        return faults
    }
}
