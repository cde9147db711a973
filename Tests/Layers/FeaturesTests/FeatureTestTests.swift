import Basics
import Configuration
import Features
import TestSupport
import Testing

@Suite struct FeatureTestTests {
    private static let base = SmallFactory.definitions.merging([
        "works.yaml": "name: small",
        "features/pace.yaml": """
        kind: transform
        name: pace
        owner: test
        request: {weekday: double}
        views: ["last_sale:amount"]
        features: {share: "last_sale__amount / (weekday + 1)"}
        """,
        "features/service.yaml":
            "{kind: service, name: shops, owner: test, request: {weekday: double}, views: [last_sale, pace]}",
    ]) { _, new in new }

    private func run(_ tests: String..., only: [String]? = nil) async throws -> FeatureTestReport {
        var files = Self.base
        for (index, test) in tests.enumerated() { files["features/test_\(index).yaml"] = "kind: test\n\(test)" }
        let folder = try TemporaryFolder()
        return try await FeatureTestRunner(
            folder: folder.path, time: ManualTime(Timestamp(seconds: 0)), random: SystemRandom()
        ).run(
            Catalogue(FactoryDocuments(files: files, environment: [:])), only: only)
    }

    private static let sales = """
        given:
          sold:
            - {shop: north, happened: 2024-01-01T10:01:00Z, known: 2024-01-01T10:02:00Z, amount: 5}
            - {shop: north, happened: 2024-01-01T10:11:00Z, known: 2024-01-01T10:12:00Z, amount: 7}
        """

    @Test func aViewIsAskedAsOfAMoment() async throws {
        let report = try await run(
            """
            name: the_last_one
            view: last_sale
            \(Self.sales)
            at: 2024-01-01T10:20:00Z
            expect: [{shop: north, amount: 7.0, total: 12.0}]
            """,
            """
            name: not_yet_known
            view: last_sale
            \(Self.sales)
            at: 2024-01-01T10:19:59Z
            expect: [{shop: north, amount: 5.0}]
            """,
            """
            name: forgotten
            view: last_sale
            \(Self.sales)
            entities: [{shop: north}, {shop: south}]
            at: 2024-01-01T11:20:01Z
            expect: [{amount: null}, {shop: south, amount: null}]
            """)
        #expect(report.tests.map(\.problems) == [[], [], []])
        #expect(report.tests.map(\.name) == ["forgotten", "not_yet_known", "the_last_one"])
        #expect(report.tests.map(\.values) == [3, 2, 3])
    }

    @Test func aDifferenceIsToldByRowAndName() async throws {
        let report = try await run(
            """
            name: wrong
            view: last_sale
            \(Self.sales)
            at: 2024-01-01T10:20:00Z
            expect: [{shop: north, amount: 6.0, nothing: 1}]
            """)
        #expect(
            report.tests.first?.problems == ["row 1: amount is 7.0, expected 6.0", "row 1: there is no 'nothing'"])
        #expect(!report.passed)
        #expect(report.junit.contains(#"<failure message="row 1: amount is 7.0, expected 6.0" type="difference">"#))
    }

    @Test func tablesAreGivenTheirDeclaredTypes() async throws {
        let report = try await run(
            """
            name: from_the_table
            service: shops
            given:
              sales:
                - {shop: "7", happened: 2024-01-01T10:01:00Z, known: 2024-01-01T10:02:00Z, amount: 8}
            entities: [{shop: "7", weekday: 3}]
            at: 2024-01-01T10:20:00Z
            expect: [{last_sale__amount: 8, pace__share: 2}]
            """)
        #expect(report.tests.first?.problems == [])
        #expect(report.coverage.asserted == 2)
        #expect(report.coverage.views.map(\.missing) == [[], ["total"]])
        #expect(report.coverage.share == 2.0 / 3)
    }

    @Test func aTransformIsTestedByItself() async throws {
        let report = try await run(
            """
            name: halves
            transform: pace
            entities: [{weekday: 1, last_sale__amount: 5}, {weekday: -1, last_sale__amount: 5}, {weekday: 1}]
            at: 2024-01-01
            expect: [{share: 2.5}, {share: null}, {share: null}]
            """)
        #expect(report.tests.first?.problems == [])
        #expect(report.tests.first?.values == 3)
    }

    @Test func whatCanNotRunIsAnOutcome() async throws {
        let report = try await run(
            """
            name: no_such_column
            view: last_sale
            given: {sold: [{shop: north, happened: 2024-01-01T10:01:00Z}]}
            at: 2024-01-01T10:20:00Z
            expect: [{shop: north, amount: 1}]
            """)
        let problem = try #require(report.tests.first?.problems.first)
        #expect(problem.contains("features/last_sale") && problem.contains("amount"), "\(problem)")
        let timeless = try await run(
            """
            name: no_event_time
            view: last_sale
            given: {sold: [{shop: north, known: 2024-01-01T10:01:00Z, amount: 1}]}
            at: 2024-01-01T10:20:00Z
            expect: [{shop: north, amount: 1}]
            """)
        let missing = try #require(timeless.tests.first?.problems.first)
        #expect(missing.hasPrefix("a row given for 'sold' has no 'happened', its event time"))
        await #expect(throws: FeaturesFailure.self) { try await run(only: ["unknown"]) }
    }
}
