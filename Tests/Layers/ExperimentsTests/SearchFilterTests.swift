import Testing

@testable import Experiments

@Suite struct SearchFilterTests {
    private typealias Clause = SearchFilter.Clause

    private func clauses(_ text: String) throws -> [SearchFilter.Clause] { try SearchFilter(text, .runs).clauses }

    @Test func everyFormOfAKeyIsRead() throws {
        let wanted = Clause(entity: .metric, key: "a b", comparison: .greater, value: .number(.integer(1)))
        for text in ["metrics.`a b` > 1", "metric.\"a b\">1", "  \"metrics\".\"a b\"\n>\t1 ", "metrics.`a b` > +1"] {
            #expect(try clauses(text) == [wanted], "\(text)")
        }
        let dotted = Clause(entity: .tag, key: "mlflow.source.name", comparison: .equal, value: .text("x"))
        for text in ["tags.mlflow.source.name = 'x'", "tag.`mlflow.source.name` = \"x\""] {
            #expect(try clauses(text) == [dotted], "\(text)")
        }
        let status = Clause(entity: .attribute, key: "status", comparison: .unequal, value: .text("FAILED"))
        for text in [
            "status != 'FAILED'", "attributes.status != 'FAILED'", "attr.status!='FAILED'", "run.status != 'FAILED'",
        ] {
            #expect(try clauses(text) == [status], "\(text)")
        }
    }

    @Test func clausesAreJoinedByAnd() throws {
        let text =
            "params.a LIKE '%x' AND tags.b IS NOT NULL and run_id IN ('1', '2') And metrics.c <= -1.5e-3 AND tags.d IS NULL"
        #expect(
            try clauses(text) == [
                Clause(entity: .parameter, key: "a", comparison: .like, value: .text("%x")),
                Clause(entity: .tag, key: "b", comparison: .isNotNull, value: .none),
                Clause(entity: .attribute, key: "run_id", comparison: .among, value: .list(["1", "2"])),
                Clause(entity: .metric, key: "c", comparison: .atMost, value: .number(.double(-0.0015))),
                Clause(entity: .tag, key: "d", comparison: .isNull, value: .none),
            ])
        #expect(try clauses("").isEmpty)
        #expect(try clauses("  \n").isEmpty)
    }

    @Test func keysAreCountedBeforeTheyAreCompared() throws {
        #expect(try SearchOrder.keys((0..<32).map { "metrics.m\($0)" }, .runs).count == 32)
        for texts in [(0..<33).map { "metrics.m\($0)" }, Array(repeating: "metrics.m", count: 100_000)] {
            #expect {
                try SearchOrder.keys(texts, .runs)
            } throws: {
                ($0 as? ExperimentsFailure)?.message == "`order_by` has more than 32 fields"
            }
        }
    }

    @Test func whatQuotesHoldIsText() throws {
        #expect(try clauses("params.a = 'it''s AND \"b\" = 1'").first?.value == .text("it's AND \"b\" = 1"))
        #expect(try clauses("params.a = '; DROP TABLE runs --'").first?.value == .text("; DROP TABLE runs --"))
        #expect(try clauses("params.a = ''").first?.value == .text(""))
    }

    @Test(arguments: [
        "metrics.a", "metrics.a >", "> 1", "metrics.a > 'x'", "metrics.a > x", "metrics.a LIKE 1", "metrics.a IS NULL",
        "params.a = 1", "params.a = x", "params.a > 'x'", "params.a IN ('x')", "params.a = 'x", "params.a == 'x'",
        "params.a <> 'x'", "params. = 'x'", "x.a = 'x'", "foo = 'x'", "status IN ('FAILED')", "start_time = '1'",
        "start_time LIKE '1'", "metrics.a > 1 OR metrics.a < 0", "NOT metrics.a > 1", "(metrics.a > 1)",
        "metrics.a > 1 metrics.b > 1", "metrics.a > 1 AND", "AND metrics.a > 1", "run_id IN ()", "run_id IN ('a',)",
        "run_id IN (1)", "run_id IN ('a'", "tags.a IS 'x'", "tags.a NOT 'x'", "datasets.foo = 'x'", "metrics.a > 1;",
        "metrics.a > 1e999", "metrics.a > nan", "params.a-b = 'x'", "a`b = 'x'", "\"", "'", "`", "....",
    ])
    func whatIsNoFilterIsRefused(_ text: String) {
        #expect(throws: ExperimentsFailure.self) { try SearchFilter(text, .runs) }
    }

    @Test func hugeFiltersAreRefused() {
        #expect(throws: ExperimentsFailure.self) {
            try SearchFilter("params.a = '\(String(repeating: "x", count: 100 << 10))'", .runs)
        }
        let many = [String](repeating: "metrics.a > 1", count: 1000).joined(separator: " AND ")
        #expect(throws: ExperimentsFailure.self) { try SearchFilter(many, .runs) }
    }

    @Test func ordersAreRead() throws {
        #expect(
            try SearchOrder.keys(["metrics.`a b` desc", "start_time", "params.x ASC"], .runs) == [
                SearchOrder(entity: .metric, key: "a b", isAscending: false),
                SearchOrder(entity: .attribute, key: "start_time", isAscending: true),
                SearchOrder(entity: .parameter, key: "x", isAscending: true),
            ])
        for text in ["metrics.a UP", "foo", "metrics.a ASC, b", "", "datasets.name"] {
            #expect(throws: ExperimentsFailure.self, "\(text)") { try SearchOrder.keys([text], .runs) }
        }
        #expect(throws: ExperimentsFailure.self) { try SearchOrder.keys(["metrics.a", "metric.a DESC"], .runs) }
    }
}
