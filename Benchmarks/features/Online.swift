import Basics
import Engines
import Foundation
import TestSupport

/// `online [--entities N] [--seconds N] [--peers sqlite,redis]`: requests for 1 entity x 10 features and 100 x 50 over HTTP, on
/// 1, 8 and 32 connections of `wrk`, beside the real `feast serve`; and ours again while a materialize runs.
///
/// Needs `MODELWORKS_BINARY` (a release build), `wrk`, and for the peers the environment of `scripts/setup-feast` in
/// `MODELWORKS_FEAST` (by default `.deps/feast`).
struct OnlineBench {
    private let entities: Int
    private let seconds: Int
    private let folder: TemporaryFolder

    static func run(_ words: [String]) async throws {
        func value(_ name: String, _ standard: String) -> String {
            words.firstIndex(of: name).flatMap { $0 + 1 < words.count ? words[$0 + 1] : nil } ?? standard
        }
        let bench = OnlineBench(
            entities: Int(value("--entities", "10000")) ?? 10_000, seconds: Int(value("--seconds", "5")) ?? 5,
            folder: try TemporaryFolder())
        let peers = value("--peers", "sqlite,redis").split(separator: ",").map(String.init)
        try bench.measure(peers)
    }

    private func measure(_ peers: [String]) throws {
        let small = try script("small", entities: 1, views: 1)
        let large = try script("large", entities: 100, views: 5)
        let ours = try startOurs()
        defer { ours.stop() }
        var measured: [String: [String: Load]] = [:]
        func measure(_ name: String, _ server: Served) throws {
            for (what, script) in [("1 x 10", small), ("100 x 50", large)] {
                _ = try load(server, script, connections: 8, seconds: 1)
                for connections in [1, 8, 32] {
                    let load = try load(server, script, connections: connections, seconds: seconds)
                    measured[name, default: [:]]["\(what), \(connections)"] = load
                    if name == "ours" { show(what, connections, load) }
                }
            }
        }
        try measure("ours", ours)
        for peer in peers {
            let redis = peer == "redis" ? try RedisServer(folder: folder("redis")) : nil
            let feast = try startFeast(peer, redis: redis)
            defer { feast.stop() }
            try measure("feast \(peer)", feast)
            for what in ["1 x 10", "100 x 50"] {
                for connections in [1, 8, 32] {
                    guard let one = measured["ours"]?["\(what), \(connections)"],
                        let other = measured["feast \(peer)"]?["\(what), \(connections)"]
                    else { continue }
                    show(what, connections, one, beside: ("feast serve on \(peer)", other))
                }
            }
            redis?.kill()
        }
        try duringMaterialize(ours, small, "1 x 10")
        try duringMaterialize(ours, large, "100 x 50")
    }

    private func show(_ what: String, _ connections: Int, _ load: Load, beside peer: (name: String, load: Load)? = nil)
    {
        BenchRow(
            what: "online over HTTP, \(what), \(connections) connections", ours: "\(load)",
            peer: peer.map { "\($0.name): \($0.load)" } ?? "",
            ratio: peer.map { BenchRow.number(load.rate / max($0.load.rate, 1e-9), 0) } ?? "",
            latency: "\(load.p50) / \(load.p99)"
        ).show()
    }

    /// Materializes everything again and again while requests go on.
    private func duringMaterialize(_ server: Served, _ script: String, _ what: String) throws {
        let writes = try Child(
            "/bin/sh",
            [
                "-c",
                "while :; do curl -sf -o /dev/null -d '{\"disable_event_timestamp\":true}' \(server.url)/materialize || exit 1; done",
            ])
        defer { writes.stop() }
        for connections in [1, 8] {
            let load = try load(server, script, connections: connections, seconds: seconds, countsProcessor: false)
            show("\(what) while a materialize runs", connections, load)
        }
        guard writes.isRunning else { throw EngineUnavailable("the materialize beside the reads failed") }
    }

    // MARK: Servers

    /// A server and the process that it is.
    private struct Served {
        let url: String
        let pid: Int
        let child: Child

        func stop() { child.stop() }
    }

    private func startOurs() throws -> Served {
        var files = OnlineBenchFactory.files(entities: entities, perEntity: 1, views: 5)
        files["works.yaml"] = "{name: bench, owner: b}"
        let binary = ProcessInfo.processInfo.environment["MODELWORKS_BINARY"] ?? ".build/release/modelworks"
        let child = try Child(
            binary,
            ["up", "--root", folder("root"), "--http-port", "0", "--json", "--log-level", "error"])
        let url = try child.announced("url")
        let body: JSONValue = [
            "root": .string(folder.path), "files": .object(files.mapValues { .string($0) }),
        ]
        try folder.write(try JSON.string(body), to: "apply.json")
        for (path, body) in [
            ("/api/works/v1/apply", "@\(folder("apply.json"))"), ("/materialize", "{\"disable_event_timestamp\":true}"),
        ] {
            _ = try Child("/usr/bin/env", ["curl", "-sS", "--fail-with-body", "-d", body, url + path]).text()
        }
        return Served(url: url, pid: child.pid, child: child)
    }

    private func startFeast(_ peer: String, redis: RedisServer?) throws -> Served {
        let feast = ProcessInfo.processInfo.environment["MODELWORKS_FEAST"] ?? ".deps/feast"
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "feast_peer.py").path
        var words = [script, folder("feast-\(peer)"), "\(entities)"]
        if let redis { words += ["--redis", "127.0.0.1:\(redis.port)"] }
        let child = try Child("\(feast)/bin/python", words)
        return Served(url: try child.announced("url"), pid: child.pid, child: child)
    }

    // MARK: Load

    /// What `wrk` told.
    private struct Load: CustomStringConvertible {
        var rate: Double
        var p50: String
        var p99: String
        var failures: Int
        /// Microseconds of processor time that the server and its children took for each request; nil where it did other work.
        var processor: Double?

        var description: String {
            let time = processor.map { String(format: ", %.1f us of processor time each", $0) } ?? ""
            return String(format: "%.0f requests/s", rate) + time
                + (failures > 0 ? ", \(failures) FAILED" : "")
        }
    }

    private func load(
        _ server: Served, _ script: String, connections: Int, seconds: Int, countsProcessor: Bool = true
    ) throws -> Load {
        let before = Child.processorTicks(server.pid)
        let text = try Child(
            "/usr/bin/env",
            [
                "wrk", "-t1", "-c\(connections)", "-d\(seconds)s", "--latency", "-s", script,
                "\(server.url)/get-online-features",
            ]
        ).text()
        let ticks = Child.processorTicks(server.pid) - before
        func word(after name: String, _ position: Int = 1) -> String? {
            let line = text.split(separator: "\n").first { $0.trimmingPrefix { $0 == " " }.hasPrefix(name) }
            let words = line?.split(separator: " ").map(String.init) ?? []
            return words.indices.contains(position) ? words[position] : nil
        }
        let requests = text.split(separator: "\n").first { $0.contains(" requests in ") }?.split(separator: " ").first
        guard let rate = word(after: "Requests/sec:").flatMap(Double.init), let count = requests.flatMap({ Double($0) })
        else { throw EngineUnavailable("wrk told nothing: \(text)") }
        return Load(
            rate: rate, p50: word(after: "50%") ?? "?", p99: word(after: "99%") ?? "?",
            failures: word(after: "Non-2xx", 4).flatMap(Int.init) ?? 0,
            processor: countsProcessor && count > 0 ? Double(ticks) * 10_000 / count : nil)
    }

    /// A script for `wrk` that asks about other entities in each request.
    private func script(_ name: String, entities count: Int, views: Int) throws -> String {
        let features = (0..<views).flatMap { view in (0..<10).map { "\\\"v\(view):f\($0)\\\"" } }.joined(separator: ",")
        return try folder.write(
            """
            local ids = {}
            wrk.method = "POST"
            wrk.headers["Content-Type"] = "application/json"
            request = function()
                for index = 1, \(count) do ids[index] = math.random(0, \(entities - 1)) end
                return wrk.format(nil, nil, nil, "{\\"features\\":[\(features)],\\"full_feature_names\\":true,"
                    .. "\\"entities\\":{\\"driver\\":[" .. table.concat(ids, ",") .. "]}}")
            end
            """, to: "\(name).lua")
    }
}

/// A program that runs beside the measurement.
private final class Child {
    private let process = Process()
    private let output = Pipe()

    init(_ path: String, _ arguments: [String]) throws {
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        process.standardOutput = output
        try process.run()
    }

    var pid: Int { Int(process.processIdentifier) }
    var isRunning: Bool { process.isRunning }

    /// A member of the first line of JSON that it prints.
    func announced(_ member: String) throws -> String {
        var line: [UInt8] = []
        while true {
            let bytes = output.fileHandleForReading.readData(ofLength: 1)
            guard let byte = bytes.first else {
                throw EngineUnavailable("a server ended: \(String(decoding: line, as: UTF8.self))")
            }
            if byte == UInt8(ascii: "\n") { break }
            line.append(byte)
        }
        guard let value = try JSON.decode(JSONValue.self, from: line)[member]?.string else {
            throw EngineUnavailable("no address in \(String(decoding: line, as: UTF8.self))")
        }
        return value
    }

    /// All that it prints until it ends, which must be well.
    func text() throws -> String {
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw EngineUnavailable("a command failed: \(text)") }
        return text
    }

    func stop() {
        guard process.isRunning else { return }
        process.terminate()
        process.waitUntilExit()
    }

    /// Hundredths of a second of processor time of a process and its children.
    static func processorTicks(_ pid: Int) -> Int {
        var children: [Int: [Int]] = [:]
        var ticks: [Int: Int] = [:]
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let number = Int(name), let text = try? String(contentsOfFile: "/proc/\(name)/stat", encoding: .utf8),
                let end = text.lastIndex(of: ")")
            else { continue }
            let words = text[end...].split(separator: " ")
            guard words.count > 13, let parent = Int(words[2]), let user = Int(words[12]), let system = Int(words[13])
            else { continue }
            children[parent, default: []].append(number)
            ticks[number] = user + system
        }
        func sum(_ pid: Int) -> Int { (ticks[pid] ?? 0) + (children[pid] ?? []).reduce(0) { $0 + sum($1) } }
        return sum(pid)
    }
}
