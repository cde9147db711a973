import Basics
import Columnar
import Foundation
import Inference
import Scoring
import TestSupport
import Testing

/// Answers equal those that Python's onnxruntime, LightGBM and XGBoost gave for the same rows.
@Suite struct RealModelTests {
    private struct Case: Decodable {
        struct Array: Decodable {
            var name: String
            var datatype: String
            var shape: [Int]
            var data: [JSONValue]
        }

        var file: String
        var inputs: [Array]
        var outputs: [Array]
    }

    private static func cases() throws -> [Case] {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: ScoringBench.fixture("answers.json")))
        return try JSON.decode([Case].self, from: bytes)
    }

    @Test(
        "models of rows",
        arguments: [
            "mlp.onnx", "lightgbm/binary.txt", "lightgbm/classes.txt", "xgboost/binary.json", "xgboost/classes.ubj",
            "binary.onnx", "classes.onnx",
        ])
    func rows(file: String) async throws {
        let bench = try ScoringBench()
        let found = try #require(try Self.cases().first { $0.file == file })
        let input = try #require(found.inputs.first)
        let (rows, width) = (input.shape[0], input.shape[1])
        let model = try ScoringBench.load(file)
        let names = model.model.columnNames ?? (0..<width).map { "column \($0)" }
        // NaN of the model is a null of the table.
        func number(_ value: JSONValue) -> Double { value.double ?? .nan }
        var members: [(name: String, column: Column)] = [("id", .int64s((0..<rows).map { Int64($0) }))]
        for column in 0..<width {
            members.append(
                (names[column], .doubles(nullingNaN: (0..<rows).map { number(input.data[$0 * width + column]) })))
        }
        try await bench.engine.store(try Table(members), as: "given")
        let path = try await bench.parquet("SELECT * FROM given", as: "in.parquet")
        try await bench.score(model, path, bench.folder("out.parquet")) {
            $0.features = names
            $0.keep = .columns(["id"])
        }
        let out = try await bench.engine.query(
            "SELECT * EXCLUDE (model_name, model_version, run_id, scored_at) FROM '\(bench.folder("out.parquet"))' ORDER BY id"
        )
        var column = 1
        for output in found.outputs {
            let count = output.shape.count > 1 ? output.shape[1] : 1
            for position in 0..<count {
                let name = out.names[column]
                for row in 0..<rows {
                    let expected = output.data[row * count + position].double ?? .nan
                    let actual: Double? =
                        switch out.columns[column][row] {
                        case .double(let value): value
                        case .integer(let value): Double(value)
                        default: nil
                        }
                    #expect(abs((actual ?? .nan) - expected) <= 1e-5, "\(name) of row \(row)")
                }
                column += 1
            }
        }
        #expect(column == out.names.count)
    }

    @Test func aPipelineOfTextAndNumbersIsScoredByItsColumns() async throws {
        let bench = try ScoringBench()
        let csv = try bench.folder.write(
            "id,wind,place,delay\n1,1,JFK,0.1\n2,0,EWR,1.5\n3,-1,nowhere,-0.2\n", to: "in.csv")
        try await bench.score(try ScoringBench.load("pipeline.onnx"), csv, bench.folder("out.parquet")) {
            $0.keep = .columns(["id"])
        }
        let rows = try await bench.lines(
            """
            SELECT id, output_label AS l, round(output_probability_early::DOUBLE, 4) AS e, round(output_probability_late::DOUBLE, 4) AS a,
              round("output_probability_on time"::DOUBLE, 4) AS o FROM '{out.parquet}' ORDER BY id
            """)
        #expect(
            rows == [
                #"{"id":1,"l":"early","e":0.7707,"a":0.1492,"o":0.0801}"#,
                #"{"id":2,"l":"late","e":0.0018,"a":0.9716,"o":0.0266}"#,
                #"{"id":3,"l":"on time","e":0.1859,"a":0.2474,"o":0.5667}"#,
            ])
    }
}
