import Basics
import HTTP
import TestSupport
import Testing
import Workshop

@Suite struct ValidationRouteTests {
    private static let definitions = Blueprint.files(
        replacing: "  - {name: id_is_unique, severity: stop, unique: [order_id]}",
        with: """
              - {name: id_is_unique, severity: stop, unique: [order_id]}
              - {name: size_is_possible, severity: quarantine, between: {column: size, min: 0}}
            """, in: "data/orders.yaml")

    @Test func validateJudgesAFileAndPublishesNothing() async throws {
        let shop = try await Workshop()
        try await shop.apply(Self.definitions, rows: Rows(count: 10))
        let before = try await shop.get("/data").json
        try shop.folder.write(
            "order_id,shop,placed,size,failed,settled\na,north,2024-01-01T00:00:00Z,1,0,2024-01-01T01:00:00Z\n"
                + "a,north,2024-01-01T00:00:00Z,-1,0,2024-01-01T01:00:00Z\n", to: "data/other.csv")
        let reports = try await shop.post("/data/validate", ["tables": ["orders"], "file": "other.csv"])
        let report = try #require(reports.array?.first)
        #expect(report["verdict"] == "stop" && report["success"] == false && report["rows"] == 2)
        #expect(report["statistics"]?["unsuccessful_expectations"] == 2)
        let unique = try #require(report["results"]?.array?.first)
        #expect(unique["name"] == "id_is_unique" && unique["failing"] == 1)
        #expect(unique["result"]?["unexpected_count"] == 2)
        #expect(unique["result"]?["partial_unexpected_list"] == ["a", "a"])
        #expect(try await shop.get("/data").json == before)
        #expect(try await shop.post("/data/validate").array?.allSatisfy { $0["success"] == true } == true)
        #expect(try await shop.send(.post, "/data/validate", ["file": "other.csv"]).status == 400)
        #expect(try await shop.send(.post, "/data/validate", ["tables": ["ordres"]]).status == 404)
    }

    @Test func theQuarantineIsShown() async throws {
        let shop = try await Workshop()
        try await shop.apply(Self.definitions, rows: Rows(count: 10))
        #expect(try await shop.get("/data/orders/quarantine").json["quarantined"] == 0)
        try shop.folder.write(
            "order_id,shop,placed,size,failed,settled\na,north,2024-01-01T00:00:00Z,1,0,2024-01-01T01:00:00Z\n"
                + "b,north,2024-01-01T00:00:00Z,-1,0,2024-01-01T01:00:00Z\n", to: "data/orders.csv")
        _ = try await shop.post("/data/ingest", ["tables": ["orders"]])
        let found = try await shop.get("/data/orders/quarantine?limit=5").json
        #expect(found["quarantined"] == 1)
        #expect(found["reasons"] == [["expectation": "size_is_possible", "rows": 1]])
        #expect(found["rows"]?.array?.first?["values"]?["order_id"] == "b")
    }

    @Test func aSuiteGoesOutAndComesBack() async throws {
        let shop = try await Workshop()
        try await shop.apply(Self.definitions, rows: Rows(count: 10))
        let suite = try #require(try await shop.get("/data/orders/expectations").json["suite"])
        #expect(suite["expectations"]?.array?.first?["type"] == "expect_column_values_to_be_unique")
        let back = try await shop.post("/data/orders/expectations", ["suite": suite])
        #expect(back["warnings"] == [] && back["expectations"] == 2)
        #expect(back["yaml"]?.string?.contains("between: {column: size, min: 0}") == true)
        #expect(try await shop.send(.post, "/data/orders/expectations", ["suite": [:]]).status == 400)
    }
}
