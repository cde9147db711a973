import Basics
import Columnar
import Datasets
import Features
import Foundation
import SQL
import TestSupport
import Testing

@Suite struct HistoryPropertyTests {
    /// 20 stores with 500 cases each.
    @Test(arguments: 0..<4) func tenThousandCasesAgreeWithBruteForce(quarter: Int) async throws {
        for batch in 0..<5 {
            let seed = UInt64(quarter * 5 + batch + 1)
            let cases = HistoryCases(seed: seed, cases: 500)
            let (found, name) = try await differences(
                cases, shape: Int(seed) % 5, lateData: seed % 7 == 0 ? .visible : nil)
            #expect(found.count == 0, "seed \(seed), \(name): \(found.count) differ, first \(found.first ?? "")")
        }
    }

    /// Of few rows only those of their entities are ordered; a second request joins with stored histories.
    @Test(arguments: [FeatureView.LateData?.none, .visible]) func fewRowsAgreeWhenAskedAgain(
        lateData: FeatureView.LateData?
    ) async throws {
        var cases = HistoryCases(seed: 91, cases: 300)
        cases.asked = Array(cases.asked.prefix(60))
        let (found, name) = try await differences(cases, shape: 3, lateData: lateData, requests: 3)
        #expect(found.count == 0, "\(name): \(found.count) differ, first \(found.first ?? "")")
    }

    private func differences(
        _ cases: HistoryCases, shape: Int, lateData: FeatureView.LateData?, requests: Int = 1
    ) async throws -> ([String], String) {
        let factory = try await SmallFactory(cases.definitions, data: cases.data)
        _ = try await factory.store.ingest(by: "test")
        let reader = ColumnarEngine(
            ColumnarOptions(temporaryDirectory: "\(factory.folder.path)/scratch", connections: 1))
        let file: EntityFile
        switch shape {
        case 0:
            file = EntityFile(path: try factory.folder.write(cases.csv(inNewYork: true), to: "asked.csv"))
        case 1:
            file = EntityFile(path: try factory.folder.write(cases.csv(inNewYork: false), to: "asked.csv"))
        case 2:
            file = EntityFile(path: try factory.folder.write(cases.json, to: "asked.jsonl"))
        default:
            let text = try factory.folder.write(cases.csv(inNewYork: false), to: "asked.csv")
            let zone = shape == 3 ? " AT TIME ZONE 'UTC'" : ""
            // A whole number with gaps is a floating point column in many a tool.
            let number = shape == 3 ? "CAST(number AS DOUBLE)" : "CAST(number AS SMALLINT)"
            file = EntityFile(path: "\(factory.folder.path)/asked.parquet")
            try await reader.writeParquet(
                query: """
                    SELECT CAST(label AS BIGINT) AS label, \(number) AS number, shop, CAST(item AS INTEGER) AS item, other,
                           CAST(moment AS TIMESTAMP)\(zone) AS moment
                    FROM read_csv('\(text)', all_varchar = true)
                    """, to: file.path)
        }
        let out = "\(factory.folder.path)/out.parquet"
        var found: [String] = []
        for request in 0..<requests {
            let summary = try await factory.store.historicalFeatures(
                HistoryRequest(.service("all"), lateData: lateData), of: file, to: out)
            let table = try await reader.query("SELECT * FROM read_parquet('\(out)')")
            found += try cases.differences(in: table, lateData: lateData)
            if summary.rows != cases.asked.count { found.append("\(summary.rows) rows are told of") }
            if table.names != ["label", "number", "shop", "item", "other", "moment"] + summary.features {
                found.append("columns \(table.names)")
            }
            if summary.histories.isEmpty != (request == 0) { found.append("histories \(summary.histories)") }
        }
        await factory.database.close()
        return (found, (file.path as NSString).lastPathComponent)
    }
}
