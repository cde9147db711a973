import Basics
import Columnar
import Foundation
import Inference
import Scoring
import TestSupport
import Testing

/// Which columns go into a model, and what happens to rows that do not fit.
@Suite struct BindingTests {
    /// Takes a text, a whole number, a truth value and a small real; answers with their words, and refuses no row.
    private struct Mixed: TensorModel {
        let platform = "mixed"
        let inputs = [
            TensorSpec(name: "place", datatype: .bytes, shape: [-1, 1]),
            TensorSpec(name: "age", datatype: .int8, shape: [-1]),
            TensorSpec(name: "member", datatype: .bool, shape: [-1, 1]),
            TensorSpec(name: "rate", datatype: .fp16, shape: [-1, 1]),
        ]
        let outputs = [TensorSpec(name: "words", datatype: .bytes, shape: [-1])]
        let stacksRows = true
        let byteCount = 1

        func run(_ inputs: [Tensor], wanted: [Int]) throws -> [Tensor] {
            let texts = inputs[0].strings ?? []
            let ages = inputs[1].values(as: Int8.self) ?? []
            let members = inputs[2].values(as: Bool.self) ?? []
            let rates = inputs[3].values(as: Float16.self) ?? []
            let words = texts.indices.map { row in
                let text = String(decoding: texts[row], as: UTF8.self)
                return Array("\(text)|\(ages[row])|\(members[row])|\(rates[row])".utf8)
            }
            return [try Tensor(shape: [words.count], strings: words)]
        }

        var scored: ScoredModel { ScoredModel(name: "mixed", version: "1", digest: Digest(of: "mixed"), self) }
    }

    private static let people = #"""
        place,age,member,rate,id
        007,44,true,0.5,1
        "New York, ""NY""",-128,0,,2
        Zürich,128,true,1,3
        Ulm,1.5,true,1,4
        ,7,true,1,5
        Bonn,7,perhaps,1,6
        Köln,,true,1,7
        Kiel,7,true,fast,8
        """#

    @Test func textsAreTakenByTheLetterAndRowsThatDoNotFitAreTold() async throws {
        let bench = try ScoringBench()
        let csv = try bench.folder.write(Self.people, to: "people.csv")
        let strict = await bench.refusal { _ = try await bench.score(Mixed().scored, csv, bench.folder("strict")) }
        #expect(strict.contains("row 2 of the input can not be scored: the value of 'age' is no INT8"))
        #expect(strict.contains("--on-error"))
        let report = try await bench.score(Mixed().scored, csv, bench.folder("out")) {
            $0.onError = .null
            $0.keep = .columns(["id"])
        }
        #expect(report.refused == 6 && report.scored == 2)
        #expect(
            try await bench.lines("SELECT id, words, score_error AS e FROM '{out}/*.parquet' ORDER BY id") == [
                #"{"id":1,"words":"007|44|true|0.5","e":null}"#,
                #"{"id":2,"words":"New York, \"NY\"|-128|false|nan","e":null}"#,
                #"{"id":3,"words":null,"e":"the value of 'age' is no INT8"}"#,
                #"{"id":4,"words":null,"e":"the value of 'age' is no INT8"}"#,
                #"{"id":5,"words":null,"e":"'place' is missing"}"#,
                #"{"id":6,"words":null,"e":"the value of 'member' is no BOOL"}"#,
                #"{"id":7,"words":null,"e":"'age' is missing"}"#,
                #"{"id":8,"words":null,"e":"the value of 'rate' is no FP16"}"#,
            ])
    }

    @Test func deadLettersGoToATableBesideWithAllTheyHad() async throws {
        let bench = try ScoringBench()
        let csv = try bench.folder.write(Self.people, to: "people.csv")
        for out in ["out", "one.parquet"] {
            let report = try await bench.score(Mixed().scored, csv, bench.folder(out)) {
                $0.onError = .deadLetter
                $0.keep = .columns(["id"])
                $0.partitions = .rows(3)
            }
            #expect(report.refused == 6)
        }
        for (out, letters) in [
            ("{out}/*.parquet", "{out}/_dead_letters/*.parquet"), ("{one.parquet}", "{one.dead-letters}/*.parquet"),
        ] {
            #expect(try await bench.lines("SELECT id FROM '\(out)' ORDER BY id") == [#"{"id":1}"#, #"{"id":2}"#])
            #expect(
                try await bench.lines(
                    "SELECT id, place, input_row, score_error, model_name FROM '\(letters)' ORDER BY id LIMIT 1") == [
                        #"{"id":3,"place":"Zürich","input_row":2,"score_error":"the value of 'age' is no INT8","model_name":"mixed"}"#
                    ])
            #expect(try await bench.count("SELECT * FROM '\(letters)'") == 6)
        }
    }

    @Test("rows that the model itself refuses are found among the others of their batch", arguments: [1, 7, 64, 4096])
    func refusedByTheModel(batch: Int) async throws {
        let bench = try ScoringBench()
        let rows = try await bench.parquet(
            "SELECT range AS id, CASE WHEN range % 97 = 5 THEN -1 ELSE range END AS a FROM range(1000)",
            as: "in.parquet")
        let model = LinearModel(["a"], refusesNegative: true).scored
        let report = try await bench.score(model, rows, bench.folder("out")) {
            $0.batch = batch
            $0.onError = .null
        }
        // 5, 102, 199, … 975.
        #expect(report.refused == 11 && report.scored == 989)
        #expect(
            try await bench.count(
                "SELECT * FROM '{out}/*.parquet' WHERE (total IS NULL) != (id % 97 = 5) OR (score_error IS NULL) != (id % 97 != 5)"
            )
                == 0)
        let told = await bench.refusal {
            _ = try await bench.score(model, rows, bench.folder("strict")) { $0.batch = batch }
        }
        #expect(told.contains("row 5 of the input"))
    }

    @Test func columnsAreFoundByNameMappingOrderOrAsAList() async throws {
        let bench = try ScoringBench()
        let rows = try await bench.parquet(
            """
            SELECT 1 AS id, 10 AS a, 100 AS "B", 1000.5 AS c, [1.0, 2.0, 3.0] AS x UNION ALL
            SELECT 2, 20, 200, NULL, [1.0, NULL, 3.0] UNION ALL SELECT 3, 30, 300, 3000, [1.0, 2.0]
            """, as: "in.parquet")
        func totals(_ model: LinearModel, _ change: @Sendable (inout ScoringOptions) -> Void = { _ in }) async throws
            -> [String]
        {
            try await bench.score(model.scored, rows, bench.folder("out")) {
                $0.overwrite = true
                $0.keep = .columns(["id"])
                change(&$0)
            }
            return try await bench.lines("SELECT total AS t FROM '{out}/*.parquet' ORDER BY id")
        }
        #expect(try await totals(LinearModel(["a", "b"])) == [#"{"t":210.0}"#, #"{"t":420.0}"#, #"{"t":630.0}"#])
        #expect(
            try await totals(LinearModel(["p", "a"])) { $0.mapping = ["p": "c"] } == [
                #"{"t":1020.5}"#, #"{"t":null}"#, #"{"t":3060.0}"#,
            ])
        #expect(
            try await totals(LinearModel(width: 2)) { $0.features = ["c", "id"] } == [
                #"{"t":1002.5}"#, #"{"t":null}"#, #"{"t":3006.0}"#,
            ])
        #expect(
            try await totals(LinearModel(width: 3)) { $0.onError = .null } == [
                #"{"t":14.0}"#, #"{"t":null}"#, #"{"t":null}"#,
            ])
        for (model, change, wanted) in [
            (LinearModel(["a", "cc"]), { _ in }, "the model takes 'cc'"),
            (LinearModel(["a", "cc"]), { $0.mapping = ["aa": "a"] }, "has no such column but id, a, B, c, x"),
            (LinearModel(["a"]), { $0.mapping = ["aa": "c"] }, "takes no column 'aa'. Did you mean 'a'?"),
            (LinearModel(width: 4), { _ in }, "the value of 'x' is no list of 4 FP64"),
            (LinearModel(width: 4), { $0.features = ["a", "b"] }, "Name the columns in the model's order"),
            (LinearModel(["a", "x"]), { _ in }, "the column 'x' is DECIMAL"),
            (LinearModel(["a"]), { $0.keep = .columns(["nothing"]) }, "'nothing'"),
            (LinearModel(["a"]), { $0.outputs = ["totl"] }, "Did you mean 'total'?"),
        ] as [(LinearModel, (inout ScoringOptions) -> Void, String)] {
            let told = await bench.refusal { _ = try await bench.score(model.scored, rows, bench.folder("no"), change) }
            #expect(told.contains(wanted), "\(told)")
        }
        let taken = try await bench.parquet("SELECT 1 AS a, 2 AS Run_ID", as: "taken.parquet")
        #expect(
            await bench.refusal { _ = try await bench.score(LinearModel(["a"]).scored, taken, bench.folder("no")) }
                .contains("two columns 'run_id'"))
    }

    @Test func everyTypeOfTheTableThatIsKeptComesOutAsItWas() async throws {
        let bench = try ScoringBench()
        let rows = try await bench.parquet(
            """
            SELECT 1 AS a, {'n': 1, 't': 'x'} AS s, [1, NULL] AS l, DATE '2020-02-29' AS d, 1.23::DECIMAL(9,2) AS m,
              TIMESTAMPTZ '2020-01-01 00:00:00+00' AS z, 'blob'::BLOB AS b, MAP {'k': 1} AS k, INTERVAL 3 DAY AS i,
              TIME '12:34:56' AS t, '\\u00e9''"' AS "odd ""name'"
            """, as: "in.parquet")
        try await bench.score(LinearModel(["a"]).scored, rows, bench.folder("out.parquet"))
        let described = "SELECT column_name, column_type FROM (DESCRIBE SELECT * EXCLUDE (a) FROM '{in.parquet}')"
        #expect(
            try await bench.lines(described)
                == bench.lines(
                    described.replacing(
                        "(a) FROM '{in.parquet}'",
                        with: "(a, total, count, model_name, model_version, run_id, scored_at) FROM '{out.parquet}'")))
        #expect(
            try await bench.count(
                "(SELECT * FROM '{in.parquet}') EXCEPT (SELECT * EXCLUDE (total, count, model_name, model_version, run_id, scored_at) FROM '{out.parquet}')"
            ) == 0)
    }
}
