import Basics
import Foundation
import HTTP
import TestSupport
import Testing
import Workshop

/// The stock Feast SDK of PyPI.
enum StockFeast {
    /// Its interpreter; nil where it was not set up.
    static let python: String? = {
        let path = ProcessInfo.processInfo.environment["MODELWORKS_FEAST"] ?? ".deps/feast"
        let file = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        return FileManager.default.isExecutableFile(atPath: file + "/bin/python") ? file + "/bin/python" : nil
    }()

    static let scripts = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "../../Conformance", directoryHint: .isDirectory
    ).standardizedFileURL.path

    /// Runs a script off the cooperative pool.
    /// - Returns: what it printed and whether it was content.
    static func run(_ script: String, _ arguments: [String]) async throws -> (text: String, isGood: Bool) {
        try await BlockingThread(name: "feast").run {
            let process = Process()
            process.executableURL = URL(filePath: python ?? "")
            process.arguments = ["\(scripts)/\(script)"] + arguments
            let output = Pipe()
            process.standardOutput = output
            process.standardError = output
            try process.run()
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            return (text, process.terminationStatus == 0)
        }
    }
}

/// The stock SDK with `online_store: {type: remote}` reads, pushes, writes and materializes here, and gets what the real
/// `feast serve` gave for the same data (`Tests/Conformance/feast_remote.expected.json`).
///
/// What Feast takes and is refused here, each with an error that says so: features of bytes, maps, sets and structs (a
/// definition names integers, doubles, floats, texts, booleans, moments and lists of them), floats and NaN as join keys, a push to
/// the history of what is computed from tables, two outputs of one name, and more than 10,000 entities at once. A push by the
/// SDK reaches the server as a write online, whatever it says; ``FeastPushTests`` has the pushes of the protocol itself.
@Suite(.serialized, .enabled(if: StockFeast.python != nil, "the stock Feast SDK is not set up"))
struct FeastRemoteConformance {
    private static let view = "event_time: event_timestamp\ncreated_time: created\nlate_data: visible\nttl: none\n"

    static let files = [
        "works.yaml": "{name: reference, owner: test, data: data}\n",
        "data/driver_rows.yaml": """
        kind: table
        name: driver_rows
        owner: test
        path: driver_stats.parquet
        format: parquet
        columns: {driver_id: integer, event_timestamp: timestamp, created: timestamp, trips: integer, rate: double, city: string}
        """,
        "data/route_rows.yaml": """
        kind: table
        name: route_rows
        owner: test
        path: route_stats.parquet
        format: parquet
        columns: {origin: string, dest: string, event_timestamp: timestamp, created: timestamp, minutes: double, flights: integer}
        """,
        "data/kind_rows.yaml": """
        kind: table
        name: kind_rows
        owner: test
        path: kind_stats.parquet
        format: parquet
        columns: {driver_id: integer, event_timestamp: timestamp, created: timestamp, flag: boolean, score: float,
                  small: integer, seen: timestamp, first: double, second: double, word: string}
        """,
        "data/kinds.yaml":
            "{kind: events, name: kinds, owner: test, sql: kinds.sql, event_time: event_timestamp, available_at: event_timestamp}\n",
        "data/kinds.sql": "SELECT * FROM kind_rows",
        "data/driven.yaml":
            "{kind: events, name: driven, owner: test, sql: driven.sql, event_time: event_timestamp, available_at: event_timestamp}\n",
        "data/driven.sql": "SELECT * FROM driver_rows",
        "data/flown.yaml":
            "{kind: events, name: flown, owner: test, sql: flown.sql, event_time: event_timestamp, available_at: event_timestamp}\n",
        "data/flown.sql": "SELECT * FROM route_rows",
        "features/driver.yaml": "{kind: entity, name: driver, owner: test, join_keys: [driver_id]}\n",
        "features/origin.yaml": "{kind: entity, name: origin, owner: test, join_keys: [origin]}\n",
        "features/dest.yaml": "{kind: entity, name: dest, owner: test, join_keys: [dest]}\n",
        "features/driver_stats.yaml":
            "kind: view\nname: driver_stats\nowner: test\nentities: [driver]\nsources: [driven]\nsql: driver_stats.sql\n"
            + view + "features: {trips: integer, rate: double, city: string}\n",
        "features/driver_stats.sql": "SELECT * FROM driven",
        "features/route_stats.yaml":
            "kind: view\nname: route_stats\nowner: test\nentities: [origin, dest]\nsources: [flown]\nsql: route_stats.sql\n"
            + view + "features: {minutes: double, flights: integer}\n",
        "features/route_stats.sql": "SELECT * FROM flown",
        "features/kind_stats.yaml":
            "kind: view\nname: kind_stats\nowner: test\nentities: [driver]\nsources: [kinds]\nsql: kind_stats.sql\n"
            + view
            + "features: {flag: boolean, score: float, small: integer, seen: timestamp, both: list<double>, words: list<string>}\n",
        "features/kind_stats.sql": "SELECT *, [first, second] AS both, [word, word] AS words FROM kinds",
        "features/driver_service.yaml":
            "{kind: service, name: driver_service, owner: test, views: [driver_stats]}\n",
        "features/mixed_service.yaml":
            "{kind: service, name: mixed_service, owner: test, views: [\"driver_stats:rate\", \"route_stats:flights\"]}\n",
    ]

    @Test func theStockSDKReadsAndWritesAsAgainstFeast() async throws {
        let folder = try TemporaryFolder()
        let prepared = try await StockFeast.run("feast_reference_server.py", [folder.path, "--prepare"])
        guard prepared.isGood else { throw Workshop.Surprise(description: prepared.text) }
        let shop = try await Workshop(in: folder)
        try await shop.post("/apply", shop.directory(Self.files))
        try await shop.post("/data/ingest")
        try await shop.serving { _ in
            let url = "http://\(try shop.address())"
            let seen = try await StockFeast.run(
                "feast_remote.py",
                [url, "--expect", "\(StockFeast.scripts)/feast_remote.expected.json", "--out", folder("seen.json")])
            #expect(seen.isGood, "\(seen.text)")
            #expect(seen.text.contains("29 steps agree"), "\(seen.text)")
        }
    }
}
