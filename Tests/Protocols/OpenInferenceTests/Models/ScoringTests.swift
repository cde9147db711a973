import Basics
import Columnar
import Foundation
import HTTP
import Inference
import Testing

@Suite(.serialized) struct ScoringTests {
    /// Two features of a booster: by name `first`, `second`.
    private static var rows: EchoModel {
        var model = EchoModel([TensorSpec(name: "input", datatype: .fp64, shape: [-1, 2])])
        model.columnNames = ["first", "second"]
        return model
    }

    private static let mixed = EchoModel([
        TensorSpec(name: "age", datatype: .int64, shape: [-1, 1]),
        TensorSpec(name: "name", datatype: .bytes, shape: [-1]),
        TensorSpec(name: "score", datatype: .fp32, shape: [-1]),
        TensorSpec(name: "known", datatype: .bool, shape: [-1]),
    ])

    @Test func theFormsOfMLflowGiveTheSame() async throws {
        try await ModelServer.serving(["only": Self.rows]) { server in
            let expected: JSONValue = ["predictions": [[1, 2.5], [3, .null]]]
            for body in [
                #"{"dataframe_split":{"columns":["first","second"],"data":[[1,2.5],[3,null]]}}"#,
                #"{"dataframe_split":{"index":[0,1],"columns":["other","second","first"],"data":[["x",2.5,1],["y",null,3]]}}"#,
                #"{"dataframe_records":[{"second":2.5,"first":1},{"first":3}]}"#,
                #"{"instances":[[1,2.5],[3,null]],"params":{"a":1}}"#,
                #"{"instances":[{"first":1,"second":2.5},{"second":null,"first":3}]}"#,
                #"{"inputs":[[1,2.5],[3,null]]}"#, #"{"inputs":{"input":[[1,2.5],[3,null]]}}"#,
                #"{"inputs":{"second":[2.5,null],"first":[1,3]}}"#,
                // Other names are taken in their order.
                #"{"dataframe_split":{"columns":["a","b"],"data":[[1,2.5],[3,null]]}}"#,
            ] {
                for path in ["/invocations", "/endpoints/only/invocations"] {
                    let answer = try await server.post(path, body)
                    #expect(answer.status == 200, "\(body): \(answer.text)")
                    #expect(answer.json == expected, "\(body)")
                }
            }
            let typed = try await server.post(
                "/invocations", #"{"inputs":[[1,2.5],[3,null]]}"#, type: "application/json; charset=UTF-8")
            #expect(typed.json == expected)
        }
    }

    @Test func tablesComeAsFilesToo() async throws {
        try await ModelServer.serving(["only": Self.mixed]) { server in
            let expected: JSONValue = [
                "predictions": [
                    ["age_out": [4], "name_out": "Ada", "score_out": 0.1, "known_out": true],
                    ["age_out": [5], "name_out": "Bo", "score_out": .null, "known_out": false],
                ]
            ]
            let records = try await server.post(
                "/invocations",
                #"{"dataframe_records":[{"age":4,"name":"Ada","score":0.1,"known":true},{"age":5.0,"name":"Bo","score":null,"known":0}]}"#
            )
            #expect(records.json == expected, "\(records.text)")
            let csv = try await server.post(
                "/invocations", "age,name,score,known\n4,Ada,0.1,true\n5,Bo,,false\n", type: "text/csv")
            #expect(csv.json == expected, "\(csv.text)")
            let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let engine = ColumnarEngine(ColumnarOptions(temporaryDirectory: folder.path, connections: 1))
            let file = folder.appending(path: "rows.parquet")
            _ = try await engine.writeParquet(
                query: """
                    SELECT * FROM (VALUES (4, 'Ada', 0.1::FLOAT, true), (5, 'Bo', NULL, false)) AS t(age, name, score, known)
                    """, to: file.path)
            let parquet = try await server.send(
                .post, "/invocations", [UInt8](try Data(contentsOf: file)),
                headers: ["Content-Type": "application/vnd.apache.parquet"])
            #expect(parquet.json == expected, "\(parquet.text)")
        }
    }

    @Test func whatMLflowRefusesIsRefusedInItsWords() async throws {
        try await ModelServer.serving(["only": Self.rows]) { server in
            for body in [
                "", "[]", "{}", "{", #"{"inputs":[[1,2]],"instances":[[1,2]]}"#, #"{"dataframe_split":[[1,2]]}"#,
                #"{"dataframe_split":{"columns":["first","second"],"data":[[1]]}}"#,
                #"{"dataframe_records":{"first":1}}"#,
                #"{"dataframe_records":[{"first":1,"second":"x"}]}"#, #"{"dataframe_records":[{"first":1,"third":2}]}"#,
                #"{"inputs":[[1,2,3]]}"#, #"{"inputs":[[1,2],[3]]}"#, #"{"inputs":[[1,[2]]]}"#,
                #"{"inputs":[[[1],2]]}"#,
                #"{"inputs":[[1,{}]]}"#, #"{"inputs":[[1,2]],"params":7}"#, #"{"inputs":{"other":[[1,2]]}}"#,
                #"{"instances":[{"first":1,"second":2},{"first":1}]}"#, #"{"instances":[{"first":1},5]}"#,
            ] {
                let answer = try await server.post("/invocations", body)
                #expect(answer.status == 400, "\(body): \(answer.text)")
                #expect(answer.json["error_code"] == "INVALID_PARAMETER_VALUE", "\(body)")
                #expect(answer.json["message"]?.string?.isEmpty == false, "\(body)")
            }
            for type in ["", "text/plain", "application/json; charset=latin-1"] {
                let answer = try await server.post("/invocations", #"{"inputs":[[1,2]]}"#, type: type)
                #expect(answer.status == 415, "\(type)")
            }
            #expect(try await server.post("/invocations", "PAR1", type: "application/vnd.apache.parquet").status == 400)
            #expect(try await server.post("/endpoints/nobody/invocations", "{}").status == 404)
            let deep = String(repeating: "[", count: 1000) + String(repeating: "]", count: 1000)
            let nested = try await server.post("/invocations", #"{"inputs":\#(deep)}"#)
            #expect([400, 413].contains(nested.status))
            let sparse =
                "[" + (0..<2000).map { "{\"c\($0)\":1}" }.joined(separator: ",") + "]"
            #expect(try await server.post("/invocations", #"{"dataframe_records":\#(sparse)}"#).status == 400)
        }
    }

    @Test func theServerOfOneModelAnswersPings() async throws {
        try await ModelServer.serving(["only": Self.rows]) { server in
            for path in ["/ping", "/health"] {
                let answer = try await server.get(path)
                #expect(answer.status == 200)
                #expect(answer.text == "\n")
            }
            #expect(try await server.get("/version").text == "9.9")
        }
        try await ModelServer.serving(["one": Self.rows, "two": Self.rows]) { server in
            let answer = try await server.post("/invocations", #"{"inputs":[[1,2]]}"#)
            #expect(answer.status == 404)
            #expect(
                answer.json["message"]
                    == "this server has 2 models, and the path names none. Use /endpoints/NAME/invocations, with one of: one, two."
            )
        }
        try await ModelServer.serving([:]) { server in
            let answer = try await server.get("/ping")
            #expect(answer.status == 404)
        }
    }

    @Test func versionOneOfKServeAndTensorFlowServing() async throws {
        try await ModelServer.serving(["rows": Self.rows, "mixed": Self.mixed], versions: ["1", "2"]) { server in
            #expect(
                try await server.post("/v1/models/rows:predict", #"{"instances":[[1,2],[3,4]]}"#).json
                    == ["predictions": [[1, 2], [3, 4]]])
            #expect(
                try await server.post(
                    "/v1/models/rows/versions/1:predict", #"{"signature_name":"serving_default","inputs":[[1,2]]}"#
                )
                .json == ["outputs": [[1, 2]]])
            #expect(try await server.post("/v1/models/rows/versions/7:predict", #"{"inputs":[[1,2]]}"#).status == 404)
            let rows = try await server.post(
                "/v1/models/mixed:predict",
                #"{"instances":[{"age":[1],"name":{"b64":"QWRh"},"score":0.5,"known":true}]}"#)
            #expect(
                rows.json == [
                    "predictions": [["age_out": [1], "name_out": "Ada", "score_out": 0.5, "known_out": true]]
                ],
                "\(rows.text)")
            let columns = try await server.post(
                "/v1/models/mixed:predict", #"{"inputs":{"age":[1],"name":["Ada"],"score":[0.5],"known":[true]}}"#)
            #expect(
                columns.json
                    == ["outputs": ["age_out": [[1]], "name_out": ["Ada"], "score_out": [0.5], "known_out": [true]]],
                "\(columns.text)")
            for (path, status) in [
                ("/v1/models/rows:classify", 501), ("/v1/models/rows", 404), ("/v1/models/nobody:predict", 404),
            ] {
                let answer = try await server.post(path, #"{"instances":[[1,2]]}"#)
                #expect(answer.status == status, "\(path): \(answer.text)")
                #expect(answer.error != nil)
            }
            let extra = try await server.post("/v1/models/mixed:predict", #"{"inputs":{"other":[1]}}"#)
            #expect(extra.error == "the column 'age' is missing. The inputs are: age, name, score, known.")
            #expect(try await server.get("/v1/models").json == ["models": ["mixed", "rows"]])
            let status = try await server.get("/v1/models/rows").json
            #expect(status["ready"] == true)
            #expect(status["model_version_status"]?.array?.map { $0["version"] } == ["1", "2"])
            #expect(status["model_version_status"]?.array?.first?["state"] == "AVAILABLE")
            let metadata = try await server.get("/v1/models/mixed/metadata").json
            let signature = metadata["metadata"]?["signature_def"]?["signature_def"]?["serving_default"]
            #expect(signature?["inputs"]?["name"]?["dtype"] == "DT_STRING")
            #expect(signature?["outputs"]?["score_out"]?["tensor_shape"]?["dim"] == [["size": "-1", "name": ""]])
        }
    }
}
