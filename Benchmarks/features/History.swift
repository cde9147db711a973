import Basics
import Columnar
import Configuration
import Datasets
import Features
import Foundation
import Journal
import KeyValue
import ObjectStorage
import SQL

/// `history [--entities N] [--rows N] [--folder DIR] [--memory MB]`: features of three views (ttl of a day, a week and none;
/// half, two fifths and a tenth of the rows) for entity rows, beside an ASOF JOIN written by hand over the raw files with
/// the tie-break on created time. Each is measured in a process of its own: wall and processor time, and the peak of its
/// resident memory.
struct HistoryBench {
    private struct Figure: Codable {
        var what: String
        var wall: Double
        var processor: Double
        var peakMegabytes: Double
        var check: String
    }

    private static let ttls = ["1d", "7d", "none"]
    private static let ttlSeconds: [Int?] = [86_400, 604_800, nil]

    static func run(_ words: [String]) async throws {
        func option(_ name: String) -> String? {
            words.firstIndex(of: "--\(name)").flatMap { $0 + 1 < words.count ? words[$0 + 1] : nil }
        }
        let folder = option("folder") ?? "\(NSTemporaryDirectory())bench-history-\(getpid())"
        let memory = option("memory").flatMap(Int64.init) ?? 8192
        if let part = option("part") {
            print("FIGURE " + (try JSON.string(try await figure(part, folder, memory))))
            return
        }
        let entities = option("entities").flatMap(Int.init) ?? 1_000_000
        let rows = option("rows").flatMap(Int.init) ?? 10_000_000
        defer { if option("folder") == nil { try? FileManager.default.removeItem(atPath: folder) } }
        try await generate(entities, rows, folder, memory)
        // Ingesting makes dataset versions of the raw files; it is no part of a history.
        _ = try child("ingest", folder, memory)
        let hand = try child("hand", folder, memory)
        let feast = feast(folder)
        // Cold ones come before those that store histories.
        for (part, limit) in [
            ("cold-visible", memory), ("warm-visible", memory), ("cold-hidden", memory), ("cold-hidden", 1024),
            ("warm-hidden", memory),
        ] {
            let figure = try child(part, folder, limit)
            let words = part.split(separator: "-")
            let isSame = part.hasSuffix("hidden") ? "" : figure.check == hand.check ? ", same values" : ", OTHER VALUES"
            BenchRow(
                what:
                    "\(entities) entity rows x 3 views of \(rows) rows, \(words[0] == "cold" ? "nothing kept" : "histories kept"), "
                    + "late data \(words[1])\(limit == memory ? "" : ", memory_limit \(limit) MB")",
                ours: time(figure),
                peer: "ASOF JOIN by hand \(time(hand)), \(Int(hand.peakMegabytes)) MB"
                    + (feast.map { "; Feast on DuckDB \(time($0)), \(Int($0.peakMegabytes)) MB" } ?? ""),
                ratio: "\(BenchRow.number(figure.wall / hand.wall)), processor "
                    + "\(BenchRow.number(figure.processor / hand.processor))\(isSame)"
                    + (feast.map { "; \(BenchRow.number(figure.wall / $0.wall)) of Feast" } ?? ""),
                memory: "\(Int(figure.peakMegabytes)) MB"
            ).show()
        }
    }

    private static func time(_ figure: Figure) -> String {
        "\(BenchRow.number(figure.wall)) s, processor \(BenchRow.number(figure.processor)) s"
    }

    /// Feast's figure on the same files; nil, said on standard error, where it is not installed or fails.
    private static func feast(_ folder: String) -> Figure? {
        let environment = ProcessInfo.processInfo.environment["MODELWORKS_FEAST"] ?? ".deps/feast"
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "feast_history.py").path
        do { return try measured("feast", "\(environment)/bin/python", [script, "duckdb", folder]) } catch {
            FileHandle.standardError.write(Data("Feast was not measured: \(error)\n".utf8))
            return nil
        }
    }

    private static func child(_ part: String, _ folder: String, _ memory: Int64) throws -> Figure {
        try measured(
            part, URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path,
            ["history", "--part", part, "--folder", folder, "--memory", "\(memory)"])
    }

    private static func measured(_ part: String, _ program: String, _ words: [String]) throws -> Figure {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = words
        process.standardOutput = pipe
        try process.run()
        let said = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard let line = said.split(separator: "\n").first(where: { $0.hasPrefix("FIGURE ") }) else {
            throw ColumnarFailure(.internal, "the part '\(part)' ended with \(process.terminationStatus)")
        }
        return try JSON.decode(Figure.self, from: Array(line.dropFirst(7).utf8))
    }

    private static func figure(_ part: String, _ folder: String, _ memory: Int64) async throws -> Figure {
        let out = "\(folder)/\(part).parquet"
        let body: @Sendable () async throws -> Void
        let engine = ColumnarEngine(
            ColumnarOptions(
                memoryLimitBytes: memory << 20, threads: ProcessInfo.processInfo.activeProcessorCount,
                temporaryDirectory: "\(folder)/spill"))
        if part == "hand" {
            let query = byHand(folder)
            body = { try await engine.writeParquet(query: query, to: out) }
        } else {
            let (store, database) = try await store(folder, engine)
            if part == "ingest" {
                _ = try await store.ingest(by: "bench")
                await database.close()
                return Figure(what: part, wall: 0, processor: 0, peakMegabytes: 0, check: "")
            }
            let lateData: FeatureView.LateData = part.hasSuffix("visible") ? .visible : .hidden
            body = {
                _ = try await store.historicalFeatures(
                    HistoryRequest(.features(["fv1", "fv2", "fv3"]), lateData: lateData),
                    of: EntityFile(path: "\(folder)/entity.parquet"), to: out)
            }
        }
        // The first request computes for itself alone, the second stores histories.
        if part.hasPrefix("warm") { for _ in 0..<2 { try await body() } }
        PeakMemory.reset()
        let (start, spent) = (SystemTime.monotonicNanoseconds, ProcessorTime.seconds)
        try await body()
        let wall = Double(SystemTime.monotonicNanoseconds - start) / 1e9
        let processor = ProcessorTime.seconds - spent
        let peak = Double(PeakMemory.megabytes)
        let sums = (1...3).flatMap { view in (0..<4).map { "v\(view)_f\($0)" } }.map {
            "count(\($0)) || ' ' || CAST(sum(CAST(\($0) AS DECIMAL(38, 9))) AS VARCHAR)"
        }
        let check = try await engine.query(
            "SELECT concat_ws(';', count(*), \(sums.joined(separator: ", "))) AS text FROM read_parquet('\(out)')")
        return Figure(
            what: part, wall: wall, processor: processor, peakMegabytes: peak,
            check: try check.strings("text").first.flatMap { $0 } ?? "")
    }

    /// What one would write for it: the values created last for each entity and event time, then one ASOF JOIN per view.
    private static func byHand(_ folder: String) -> String {
        var query = "SELECT * FROM read_parquet('\(folder)/entity.parquet')"
        for view in 1...3 {
            let columns = (0..<4).map { "v\(view)_f\($0)" }
            let newest = columns.map { "arg_max(\($0), created) AS \($0)" }.joined(separator: ", ")
            let values = columns.map { column in
                ttlSeconds[view - 1].map {
                    "CASE WHEN f.event_timestamp >= e.event_timestamp - INTERVAL \($0) SECOND THEN f.\(column) END AS \(column)"
                } ?? "f.\(column)"
            }
            query = """
                SELECT e.*, \(values.joined(separator: ", ")) FROM (\(query)) AS e ASOF LEFT JOIN (
                  SELECT user_id, event_timestamp, \(newest) FROM read_parquet('\(folder)/data/fv\(view).parquet') GROUP BY ALL
                ) AS f ON e.user_id = f.user_id AND e.event_timestamp >= f.event_timestamp
                """
        }
        return query
    }

    private static func generate(_ entities: Int, _ rows: Int, _ folder: String, _ memory: Int64) async throws {
        for name in ["data", "objects", "online", "scratch", "spill"] {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
        }
        let engine = ColumnarEngine(
            ColumnarOptions(memoryLimitBytes: memory << 20, temporaryDirectory: "\(folder)/spill"))
        let users = max(1, entities / 10)
        func random(_ seed: Int, _ below: Int) -> String { "CAST(hash(i * 64 + \(seed)) % \(below) AS BIGINT)" }
        let start = 1_767_225_600_000_000
        let span = 30 * 86_400 * 1_000_000
        try await engine.writeParquet(
            query: """
                SELECT \(random(0, users)) AS user_id, make_timestamp(\(start) + \(random(1, span))) AS event_timestamp
                FROM range(\(entities)) AS t(i)
                """, to: "\(folder)/entity.parquet")
        for (view, share) in [(1, 50), (2, 40), (3, 10)] {
            let seed = view * 8
            let values = (0..<4).map { "hash(i * 64 + \(seed + 3 + $0)) / 18446744073709551616.0 AS v\(view)_f\($0)" }
            try await engine.writeParquet(
                query: """
                    SELECT user_id, make_timestamp(t) AS event_timestamp, make_timestamp(t + late) AS created,
                           \(values.joined(separator: ", "))
                    FROM (SELECT i, \(random(seed, users)) AS user_id, \(start) + \(random(seed + 1, span)) AS t,
                                 \(random(seed + 2, 3_600_000_000)) AS late FROM range(\(rows * share / 100)) AS t(i))
                    """, to: "\(folder)/data/fv\(view).parquet")
        }
    }

    private static func store(_ folder: String, _ engine: ColumnarEngine) async throws -> (FeatureStore, Database) {
        var files = [
            "works.yaml": "name: bench",
            "features/user.yaml": "{kind: entity, name: user, owner: bench, join_keys: [user_id]}",
        ]
        for view in 1...3 {
            let columns = (0..<4).map { "v\(view)_f\($0): double" }.joined(separator: ", ")
            files["data/fv\(view).yaml"] = """
                kind: table
                name: raw\(view)
                owner: bench
                format: parquet
                path: fv\(view).parquet
                columns: {user_id: integer, event_timestamp: timestamp, created: timestamp, \(columns)}
                """
            files["data/events\(view).yaml"] = """
                {kind: events, name: events\(view), owner: bench, sql: events\(view).sql, event_time: event_timestamp,
                 available_at: created}
                """
            files["data/events\(view).sql"] = "SELECT * FROM raw\(view)"
            files["features/fv\(view).yaml"] = """
                {kind: view, name: fv\(view), owner: bench, entities: [user], sources: [events\(view)], sql: fv\(view).sql,
                 event_time: event_timestamp, created_time: created, ttl: \(ttls[view - 1]), features: {\(columns)}}
                """
            files["features/fv\(view).sql"] = "SELECT * FROM events\(view)"
        }
        let database = try await Database.open(at: "\(folder)/works.db")
        _ = try await database.migrate(Journal.migrations + DatasetStore.migrations + FeatureStore.migrations)
        let online = try LMDBStore(path: "\(folder)/online", durable: false)
        let store = FeatureStore(
            database: database, objects: try FileObjectStore(root: "\(folder)/objects"), engine: engine, online: online,
            onlineTable: try await online.table("features"), time: SystemTime(), random: SystemRandom(),
            scratch: "\(folder)/scratch")
        store.use(try Catalogue(FactoryDocuments(files: files, environment: [:])), dataFolder: "\(folder)/data")
        return (store, database)
    }
}
