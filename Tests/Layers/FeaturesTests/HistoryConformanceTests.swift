import Basics
import Columnar
import Datasets
import Features
import Foundation
import SQL
import TestSupport
import Testing

/// The same cases on Spark and with the real Feast.
@Suite struct HistoryConformanceTests {
    private struct Tools {
        var root: String
        var environments: String

        init() throws {
            let file = #filePath
            root = try #require(file.range(of: "/Tests/Layers/").map { String(file[..<$0.lowerBound]) })
            let peers = ProcessInfo.processInfo.environment["MODELWORKS_PEERS"] ?? "\(root)/.deps/peers"
            environments = (peers as NSString).deletingLastPathComponent
        }

        func python(_ name: String) throws -> String {
            let path = "\(environments)/\(name)/bin/python"
            try #require(
                FileManager.default.isExecutableFile(atPath: path), "there is no \(path): run make setup first")
            return path
        }
    }

    @Test func sparkGivesTheSameAnswers() async throws {
        let tools = try Tools()
        let cases = HistoryCases(seed: 4242, cases: 200)
        let factory = try await SmallFactory(cases.definitions, data: cases.data)
        _ = try await factory.store.ingest(by: "test")
        let folder = factory.folder.path
        let reader = ColumnarEngine(ColumnarOptions(temporaryDirectory: "\(folder)/scratch", connections: 1))
        let text = try factory.folder.write(cases.csv(inNewYork: false), to: "asked.csv")
        try await reader.writeParquet(
            query: """
                SELECT CAST(label AS BIGINT) AS label, CAST(number AS DOUBLE) AS number, shop,
                       CAST(item AS INTEGER) AS item, other, CAST(moment AS TIMESTAMP) AT TIME ZONE 'UTC' AS moment
                FROM read_csv('\(text)', all_varchar = true)
                """, to: "\(folder)/asked.parquet")
        let url = "spark:?master=local-cluster[2,1,1024]&python=\(try tools.python("spark"))"
        let spark = try OfflineEngine(StoreURL(url, secrets: SecretSource(environment: [:])))
        let summary = try await factory.store.historicalFeatures(
            HistoryRequest(.service("all")), of: EntityFile(path: "\(folder)/asked.parquet"),
            to: "\(folder)/spark.parquet", engine: spark)
        #expect(summary.rows == cases.asked.count)
        let table = try await reader.query("SELECT * FROM read_parquet('\(folder)/spark.parquet')")
        let found = try cases.differences(in: table)
        #expect(found.count == 0, "\(found.count) differ, first \(found.first ?? "")")
        #expect(table.names == summary.columns)
        await factory.database.close()
    }

    @Test func aSparkThatIsNotThereIsNamed() async throws {
        let folder = try TemporaryFolder()
        let spark = SparkEngine(python: "/nowhere/python", master: "spark://nowhere:1")
        await #expect { try await spark.run([], workingFile: folder("job")) } throws: { error in
            "\(error)".contains("/nowhere/python can not be started")
        }
        for wrong in [
            "hive://a:1", "spark:", "spark://a:7077?master=yarn", "spark:?master=yarn&pyhton=x", "duckdb:?a=1",
        ] {
            #expect(throws: StoreURLFailure.self, "\(wrong)") {
                try OfflineEngine(StoreURL(wrong, secrets: SecretSource(environment: [:])))
            }
        }
    }

    /// Feast leaves ties open, so these cases have none; `filter_by_created_timestamp` is what we do by default.
    @Test(arguments: [FeatureView.LateData.hidden, .visible])
    func feastGivesTheSameAnswers(lateData: FeatureView.LateData) async throws {
        let tools = try Tools()
        let folder = try TemporaryFolder()
        let reader = ColumnarEngine(ColumnarOptions(temporaryDirectory: folder("spill"), connections: 1))
        var all: [(cases: HistoryCases, name: String)] = []
        for number in 1...4 {
            let cases = HistoryCases(seed: UInt64(900 + number), cases: 50, hasTies: false)
            let name = "case\(number)"
            try await write(cases, to: "\(name)/", in: folder, with: reader, lateData: lateData)
            all.append((cases, name))
        }
        let python = try tools.python("feast")
        let script = "\(tools.root)/Tests/Conformance/feast_history.py"
        let log = folder("feast.log")
        let status = try await BlockingThread(name: "feast").run { () -> Int32 in
            _ = FileManager.default.createFile(atPath: log, contents: nil)
            let process = Process()
            process.executableURL = URL(fileURLWithPath: python)
            process.arguments = [script, folder.path]
            process.standardOutput = FileHandle(forWritingAtPath: log)
            process.standardError = FileHandle(forWritingAtPath: log)
            try process.run()
            process.waitUntilExit()
            return process.terminationStatus
        }
        let said = String(decoding: FileManager.default.contents(atPath: log) ?? Data(), as: UTF8.self)
        try #require(status == 0, "\(said.suffix(600))")
        for (cases, name) in all {
            let path = folder("\(name)/feast.parquet")
            try #require(FileManager.default.fileExists(atPath: path), "Feast refused \(name): \(said.suffix(600))")
            let names = cases.taken.flatMap { taken in ["value", "note", "amount"].map { "\(taken.name)__\($0)" } }
            let columns = names.map { name in
                name.hasSuffix("amount") ? "CAST(\(name) AS BIGINT) AS \(name)" : name
            }
            let feast = try await reader.query(
                "SELECT CAST(label AS BIGINT) AS label, \(columns.joined(separator: ", ")) FROM read_parquet('\(path)')"
            )
            let theirs = try cases.differences(in: feast, lateData: lateData)
            #expect(theirs.count == 0, "\(name): \(theirs.count) differ from Feast's, first \(theirs.first ?? "")")
            let factory = try await SmallFactory(cases.definitions, data: cases.data)
            _ = try await factory.store.ingest(by: "test")
            _ = try await factory.store.historicalFeatures(
                HistoryRequest(.service("all"), lateData: lateData),
                of: EntityFile(path: folder("\(name)/entities.parquet")), to: folder("\(name)/ours.parquet"))
            let ours = try await reader.query("SELECT * FROM read_parquet('\(folder("\(name)/ours.parquet"))')")
            #expect(try cases.differences(in: ours, lateData: lateData).isEmpty)
            await factory.database.close()
        }
    }

    private func write(
        _ cases: HistoryCases, to name: String, in folder: TemporaryFolder, with engine: ColumnarEngine,
        lateData: FeatureView.LateData
    ) async throws {
        let text = try folder.write(cases.csv(inNewYork: false), to: "\(name)asked.csv")
        try await engine.writeParquet(
            query: """
                SELECT CAST(label AS BIGINT) AS label, CAST(number AS BIGINT) AS number, shop,
                       CAST(item AS BIGINT) AS item, other, CAST(moment AS TIMESTAMP) AT TIME ZONE 'UTC' AS moment
                FROM read_csv('\(text)', all_varchar = true)
                """, to: folder("\(name)entities.parquet"))
        for view in cases.views {
            let csv = try folder.write(cases.data["\(view.name).csv"] ?? "", to: "\(name)\(view.name).csv")
            let item = view.keys.contains("item") ? "CAST(item AS BIGINT) AS item, " : ""
            // Feast does not say what a row without a key is.
            let keyed = (["number"] + view.keys).map { "\($0) IS NOT NULL" }.joined(separator: " AND ")
            try await engine.writeParquet(
                query: """
                    SELECT CAST(number AS BIGINT) AS number, shop, \(item)
                           CAST(happened AS TIMESTAMP) AT TIME ZONE 'UTC' AS happened,
                           CAST(made AS TIMESTAMP) AT TIME ZONE 'UTC' AS made, CAST(value AS DOUBLE) AS value, note,
                           CAST(amount AS BIGINT) AS amount
                    FROM read_csv('\(csv)', all_varchar = true) WHERE \(keyed)
                    """, to: folder("\(name)\(view.name).parquet"))
        }
        let features = JSONValue.array(["value", "note", "amount"].map(JSONValue.string))
        let views = cases.views.map { view in
            JSONValue.object([
                "name": .string(view.name), "rows": .string("\(view.name).parquet"),
                "keys": .array((["number"] + view.keys).map(JSONValue.string)), "event_time": .string("happened"),
                "created": view.hasCreated ? .string("made") : .null,
                "ttl_seconds": view.ttl.map { .number(Double($0)) } ?? .null, "features": features,
            ])
        }
        let used = cases.taken.map { taken in
            // Given some keys, Feast's DuckDB store joins by those alone: all are named.
            let keys = ["number"] + cases.views[taken.view].keys
            let all = Dictionary(uniqueKeysWithValues: keys.map { ($0, JSONValue.string(taken.keys[$0] ?? $0)) })
            return JSONValue.object([
                "view": .string(cases.views[taken.view].name), "as": .string(taken.name),
                "keys": .object(taken.keys.isEmpty ? [:] : all), "features": features,
            ])
        }
        let content = JSONValue.object([
            "entities": .string("entities.parquet"), "event_time": .string("moment"), "views": .array(views),
            "use": .array(used), "full_feature_names": .bool(true),
            "filter_by_created_timestamp": .bool(lateData == .hidden),
        ])
        try folder.write(String(decoding: try JSON.canonical(content), as: UTF8.self), to: "\(name)case.json")
    }
}
