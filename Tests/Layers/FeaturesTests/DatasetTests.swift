import Basics
import Datasets
import Features
import Foundation
import Journal
import SQL
import TestSupport
import Testing

@Suite struct DatasetTests {
    private let sales = """
        shop,happened,known,amount
        a,2020-01-01T10:00:00Z,2020-01-01T10:00:00Z,5
        a,2020-01-01T10:00:00Z,2020-01-01T10:05:00Z,7
        b,2020-01-01T11:00:00Z,2020-01-01T11:00:00Z,NA
        b,2020-01-01T12:00:00Z,2020-01-01T12:00:00Z,-1
        b,2020-01-01T13:00:00Z,2020-01-01T13:00:00Z,2.5
        """

    @Test func rowsThatBreakARuleAreKeptAsideWithTheReason() async throws {
        let factory = try await SmallFactory(SmallFactory.definitions, data: ["sales.csv": sales])
        let version = try #require(try await factory.store.ingest(by: "test").first)
        #expect(version.rows == 2)
        #expect(version.quarantined == 3)
        let failing = Dictionary(uniqueKeysWithValues: version.results.map { ($0.name, $0.failing) })
        #expect(failing == ["amount_known": 1, "amount_positive": 1, "one_sale_at_a_time": 1, "some_rows": 0])
        let unique = try #require(version.results.first { $0.name == "one_sale_at_a_time" })
        #expect(unique.example?.contains("7.0") == true, "the first of the repeated rows stays, the second is shown")
        await factory.database.close()
    }

    @Test func theSameFileGivesTheSameVersionAndNoSecondEntry() async throws {
        let factory = try await SmallFactory(SmallFactory.definitions, data: ["sales.csv": sales])
        let first = try await factory.store.ingest(by: "test")
        let second = try await factory.store.ingest(by: "test")
        #expect(first == second)
        let other = try await SmallFactory(SmallFactory.definitions, data: ["sales.csv": sales])
        #expect(try await other.store.ingest(by: "test").map(\.digest) == first.map(\.digest))
        #expect(try await Journal(factory.database).entries(type: "dataset.published").count == 1)
        await factory.database.close()
        await other.database.close()
    }

    @Test func aStopRuleLeavesTheVersionThatWasThere() async throws {
        let factory = try await SmallFactory(SmallFactory.definitions, data: ["sales.csv": sales])
        let first = try await factory.store.ingest(by: "test")
        try factory.folder.write("shop,happened,known,amount\n", to: "data/sales.csv")
        await #expect(throws: DatasetsFailure.self) { try await factory.store.ingest(by: "test") }
        #expect(try await Array(factory.store.datasets.latest().values) == first)
        await factory.database.close()
    }

    @Test func aMissingATruncatedAndAWrongFileEachGetAClearError() async throws {
        let factory = try await SmallFactory(SmallFactory.definitions, data: [:])
        await #expect { try await factory.store.ingest(by: "test") } throws: { error in
            "\(error)".contains("sales.csv does not exist")
        }
        try factory.folder.write("shop,happened,known,amount\na,2020-01-01T10:00:00Z,2020-0", to: "data/sales.csv")
        await #expect { try await factory.store.ingest(by: "test") } throws: { error in
            "\(error)".contains("data/sales") && (error as? any Failure)?.code == .invalidArgument
        }
        var files = SmallFactory.definitions
        files["data/sales.yaml"]? += "\nsha256: \(String(repeating: "0", count: 64))"
        try factory.use(files)
        await #expect { try await factory.store.ingest(by: "test") } throws: { error in
            if case DatasetsFailure.wrongHash = error { true } else { false }
        }
        await factory.database.close()
    }
}
