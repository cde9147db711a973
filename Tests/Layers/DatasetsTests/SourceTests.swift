import Basics
import Columnar
import Configuration
import Datasets
import Foundation
import SQL
import TestSupport
import Testing

@Suite struct SourceTests {
    private let columns = "columns: {shop: string, at: timestamp, amount: double}"
    private let rows = [
        #"{"shop":"a","at":"2020-01-01 10:00:00","amount":5.0}"#,
        #"{"shop":"b","at":"2020-01-02 00:00:00","amount":null}"#,
        #"{"shop":"c","at":"2020-01-03 00:00:00","amount":1.5}"#,
    ]
    private let query = """
        SELECT * FROM (VALUES ('a', TIMESTAMP '2020-01-01 10:00:00', 5.0::DOUBLE), ('b', TIMESTAMP '2020-01-02', 'nan'::DOUBLE),
          ('c', TIMESTAMP '2020-01-03', 1.5::DOUBLE)) AS v(shop, \"at\", amount)
        """

    @Test func everyFormatGivesTheSameRowsAndTheSameBytes() async throws {
        let small = try await SmallDatasets()
        try small.folder.write(
            "shop,at,amount\na,2020-01-01T10:00:00Z,5\nb,2020-01-02,NA\nc,2020-01-03,1.5\n", to: "data/s.csv")
        try small.folder.write(
            "amount\tignored\tat\tshop\n5\tx\t2020-01-01T10:00:00Z\ta\nNA\t\t2020-01-02\tb\n1.5\t\t2020-01-03\tc\n",
            to: "data/s.tsv")
        try small.folder.write(
            """
            {"shop":"a","at":"2020-01-01T10:00:00Z","amount":5}
            {"shop":"b","at":"2020-01-02"}
            {"shop":"c","at":"2020-01-03","amount":1.5}
            """, to: "data/s.jsonl")
        try await small.parquet("s.parquet", query)
        var digests: Set<Digest> = []
        for lines in [
            "path: s.csv\nnulls: [NA]", "path: s.tsv\nnulls: [NA]", "path: s.jsonl", "path: s.parquet",
            "path: \(small.data("s.parquet"))",
        ] {
            let version = try await small.ingest("\(lines)\n\(columns)")
            #expect(try await small.rows(version) == rows)
            #expect(version.range?.column == "at")
            #expect(try version.range?.from == moment("2020-01-01T10:00:00Z"))
            #expect(try version.range?.to == moment("2020-01-03"))
            digests.insert(version.digest)
        }
        #expect(digests.count == 1)
        #expect(try await small.leftovers() == [])
        await small.database.close()
    }

    @Test func aFolderAndPatternsGiveTheFilesInOrderOfTheirNames() async throws {
        let small = try await SmallDatasets()
        for (name, shop) in [
            ("in/2020/b.csv", "b"), ("in/2020/a.csv", "a"), ("in/2021/c.csv", "c"), ("in/d.csv", "d"),
            ("in/_log/x.csv", "x"), ("in/.hidden.csv", "y"), ("in/read me.txt.bak", "z"), ("in/10.csv", "1"),
            ("in/9.csv", "9"), ("in/od[d].csv", "o"),
        ] {
            try small.folder.write("shop\n\(shop)\n", to: "data/\(name)")
        }
        for (path, wanted) in [
            ("in/", "1abc9do"), ("in", "1abc9do"), ("in/*.csv", "19do"), ("in/**/*.csv", "1abc9do"),
            ("in/2020/*", "ab"), ("in/*/[a-b].csv", "ab"), ("in/202?/*.csv", "abc"), ("in/od[[]d].csv", "o"),
        ] {
            let version = try await small.ingest("path: \"\(path)\"\nformat: csv\ncolumns: {shop: string}")
            let found = try await small.rows(version).map { $0.dropFirst(9).dropLast(2) }.joined()
            #expect(found == wanted, "\(path)")
            #expect(version.lineage.fileCount == wanted.count)
        }
        for path in ["in/*.parquet", "in/_log/", "none/*.csv"] {
            await #expect("\(path)") {
                try await small.ingest("path: \"\(path)\"\nformat: parquet\ncolumns: {shop: string}")
            } throws: {
                ($0 as? any Failure)?.code == .notFound
            }
        }
        await small.database.close()
    }

    @Test func columnsComeFromTheNamesOfFolders() async throws {
        let small = try await SmallDatasets()
        try await small.parquet("p/year=2020/a.parquet", "SELECT 1::BIGINT AS n")
        try await small.parquet("p/year=2021/b.parquet", "SELECT 2::INTEGER AS n")
        let version = try await small.ingest("path: p/**/*.parquet\ncolumns: {n: integer, year: integer}")
        #expect(try await small.rows(version) == [#"{"n":1,"year":2020}"#, #"{"n":2,"year":2021}"#])
        await small.database.close()
    }

    @Test func whatDoesNotFitTheDefinitionIsRefusedAndTheLastVersionStays() async throws {
        let small = try await SmallDatasets()
        try small.folder.write("shop,at,amount\na,2020-01-01,5\n", to: "data/s.csv")
        let good = try await small.ingest("path: s.csv\n\(columns)")
        func refused(
            _ lines: String, _ wanted: String, code: FailureCode = .failedPrecondition,
            _ place: SourceLocation = #_sourceLocation
        ) async {
            await #expect(sourceLocation: place) {
                try await small.ingest("\(lines)\n\(columns)")
            } throws: { error in
                guard let failure = error as? any Failure else { return false }
                if !failure.message.contains(wanted) || failure.code != code {
                    Issue.record("\(failure.code) \(failure)")
                }
                return true
            }
        }
        try small.folder.write("shop,when,amount\na,2020-01-01,5\n", to: "data/s.csv")
        await refused("path: s.csv", "s.csv lacks the declared column at")
        try small.folder.write("", to: "data/s.csv")
        await refused("path: s.csv", "names no columns", code: .invalidArgument)
        try small.folder.write("shop,at,at,amount\n", to: "data/s.csv")
        await refused("path: s.csv", "'at' stands there twice", code: .invalidArgument)
        try small.folder.write("shop,at,amount\n", to: "data/s.csv")
        await refused("path: s.csv", "has no rows")
        try small.folder.write("shop,at,amount\na,2020-01-01,many\n", to: "data/s.csv")
        await refused("path: s.csv", "data/sales", code: .invalidArgument)
        try small.folder.write("shop,at,amount\na,2020-01-0", to: "data/s.csv")
        await refused("path: s.csv", "data/sales", code: .invalidArgument)
        try small.folder.write(#"{"shop":"a","at":"2020-01-01"}"#, to: "data/s.jsonl")
        await refused("path: s.jsonl", "s.jsonl lacks the declared column amount")
        try small.folder.write("{\"shop\":\"a\",\"at\":\"2020-01-01\",\"amount\":1}\n{\"shop\":\"a", to: "data/s.jsonl")
        await refused("path: s.jsonl", "data/sales", code: .invalidArgument)
        try await small.parquet("s.parquet", "SELECT 'a' AS shop, TIMESTAMP '2020-01-01' AS \"at\"")
        await refused("path: s.parquet", "lacks the declared column amount")
        try await small.parquet("s.parquet", "SELECT 'a' AS shop, TIMESTAMP '2020-01-01' AS \"at\", 'x' AS amount")
        await refused("path: s.parquet", "holds VARCHAR where double is declared")
        try await small.parquet(
            "s.parquet", "SELECT 'a' AS shop, TIMESTAMP '2020-01-01' AS \"at\", 1.0::DOUBLE AS amount")
        let bytes = try Data(contentsOf: URL(fileURLWithPath: small.data("s.parquet")))
        try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: small.data("s.parquet")))
        await refused("path: s.parquet", "s.parquet", code: .dataLoss)
        try FileManager.default.removeItem(atPath: small.data("s.parquet"))
        await refused("path: s.parquet", "does not exist", code: .notFound)
        #expect(try await small.store.versions(of: "sales") == [good])
        #expect(try await small.leftovers() == [])
        await small.database.close()
    }

    @Test func aTableOfNoRowsIsTakenWhereThatIsSaid() async throws {
        let small = try await SmallDatasets()
        try small.folder.write("shop,at,amount\n", to: "data/s.csv")
        let version = try await small.ingest("path: s.csv\nmay_be_empty: true\n\(columns)")
        #expect(version.rows == 0)
        #expect(version.range == nil)
        await small.database.close()
    }

    @Test func definitionsThatSayTooMuchAreRefused() {
        for lines in [
            "path: s.csv\nfrom: {delta: d}", "from: {delta: d, iceberg: i}", "from: {delta: d, table: t}",
            "from: {delta: d, version: 1, as_of: 2020-01-01}", "from: {delta: d, version: -1}",
            "from: {postgresql: \"postgresql://u:secret@h/d\", table: t}",
            "from: {postgresql: \"mysql://h/d\", table: t}",
            "from: {postgresql: \"postgresql://h/d\"}", "from: {url_env: X, table: t, query: SELECT 1}",
            "path: s.csv\ndelimiter: ab", "path: s.csv\ntime: shop", "path: s.csv\nkey: [none]",
        ] {
            #expect(throws: ConfigurationFailure.self, "\(lines)") { try SmallDatasets.table("\(lines)\n\(columns)") }
        }
    }

    private func moment(_ text: String) throws -> Timestamp { try #require(Timestamp(text)) }
}
