import Basics
import Foundation
import HTTP
import Inference
import Serving
import Testing

@Suite(.serialized) struct ModelAnswerTests {
    @Test func healthAndMetadataTellOfTheModels() async throws {
        try await ModelServer.serving(["sum": SumModel()], versions: ["1", "3"]) { server in
            #expect(try await server.get("/v2/health/live").json == ["live": true])
            #expect(try await server.get("/v2/health/ready").json == ["ready": true])
            let metadata = try await server.get("/v2").json
            #expect(metadata["version"] == "9.9")
            #expect(metadata["extensions"]?.array?.contains("binary_tensor_data") == true)
            let model = try await server.get("/v2/models/sum").json
            #expect(model["versions"] == ["1", "3"])
            #expect(model["platform"] == "sum")
            #expect(model["inputs"]?.array?.first == ["name": "a", "datatype": "FP32", "shape": [-1]])
            #expect(try await server.get("/v2/models/sum/versions/1").status == 200)
            #expect(try await server.get("/v2/models/sum/versions/2").status == 404)
            #expect(try await server.get("/v2/models/sum/ready").json == ["name": "sum", "ready": true])
            #expect(try await server.get("/v2/models/sum/versions/3/ready").status == 200)
            #expect(try await server.get("/v2/models/nobody").status == 404)
            #expect(try await server.get("/v2/models/nobody/ready").error == "there is no model 'nobody'. Known: sum.")
        }
    }

    /// Extremes of each type go in and come out as they were.
    @Test func everyTypeComesBackBitForBit() async throws {
        let values: [(TensorType, String)] = [
            (.bool, "true,false"), (.uint8, "0,255"), (.uint16, "0,65535"), (.uint32, "0,4294967295"),
            (.uint64, "0,18446744073709551615"), (.int8, "-128,127"), (.int16, "-32768,32767"),
            (.int32, "-2147483648,2147483647"), (.int64, "-9223372036854775808,9223372036854775807"),
            (.fp16, "65504,0.33325195"), (.bf16, "3.375,-0.25"), (.fp32, "0.1,3.4028235e+38"),
            (.fp64, "0.1,2.2250738585072014e-308"), (.bytes, #""caf\u00e9 \"x\"\n","""#),
        ]
        let models = Dictionary(uniqueKeysWithValues: values.map { ($0.0.rawValue, EchoModel.of($0.0)) })
        try await ModelServer.serving(models) { server in
            for (type, data) in values {
                let answer = try await server.infer(
                    type.rawValue,
                    #"{"inputs":[{"name":"x","datatype":"\#(type.rawValue)","shape":[2],"data":[\#(data)]}]}"#)
                #expect(answer.status == 200, "\(type): \(answer.text)")
                let wanted = type == .bytes ? "\"café \\\"x\\\"\\n\",\"\"" : data
                #expect(
                    answer.text
                        == #"{"model_name":"\#(type.rawValue)","model_version":"1","outputs":[{"name":"x_out","datatype":"\#(type.rawValue)","shape":[2],"data":[\#(wanted)]}]}"#
                )
            }
        }
    }

    @Test func nestedAndFlatDataAreTheSame() async throws {
        try await ModelServer.serving(["echo": EchoModel.of(.int32, shape: [-1, 2, -1])]) { server in
            for data in ["[1,2,3,4]", "[[[1],[2]],[[3],[4]]]", "[[1,2],[3,4]]", "[[1,2,3,4]]"] {
                let answer = try await server.infer(
                    "echo", #"{"inputs":[{"name":"x","shape":[2,2,1],"datatype":"INT32","data":\#(data)}]}"#)
                #expect(answer.data() == [1, 2, 3, 4], "\(data): \(answer.text)")
            }
            let empty = try await server.infer(
                "echo", #"{"inputs":[{"name":"x","shape":[0,2,7],"datatype":"INT32","data":[]}]}"#)
            #expect(empty.json["outputs"]?.array?.first?["shape"] == [0, 2, 7])
        }
    }

    @Test func outputsAreChosenAndOrderedAndUnknownMembersPassedOver() async throws {
        try await ModelServer.serving(["sum": SumModel()]) { server in
            let inputs =
                #"{"name":"b","shape":[2],"datatype":"FP32","data":[1,2],"parameters":{"content_type":"np"},"x":1},{"name":"a","shape":[2],"datatype":"FP32","data":[0.1,5]}"#
            func outputs(_ body: String) async throws -> [String] {
                try await server.infer("sum", body).json["outputs"]?.array?.compactMap { $0["name"]?.string } ?? []
            }
            #expect(try await outputs(#"{"inputs":[\#(inputs)]}"#) == ["sum", "difference"])
            #expect(try await outputs(#"{"inputs":[\#(inputs)],"outputs":[]}"#) == ["sum", "difference"])
            #expect(try await outputs(#"{"inputs":[\#(inputs)],"outputs":[{"name":"difference"}]}"#) == ["difference"])
            #expect(
                try await outputs(#"{"inputs":[\#(inputs)],"outputs":[{"name":"difference"},{"name":"sum"}],"y":{}}"#)
                    == ["difference", "sum"])
            let answer = try await server.infer(
                "sum",
                #"{"id":"a \"b\"","parameters":{"priority":2,"timeout":60000000,"sequence_id":4,"triton_x":true,"mine":1.5},"inputs":[\#(inputs)]}"#
            )
            #expect(answer.json["id"] == "a \"b\"")
            #expect(answer.data(0) == [1.1, 7])
            #expect(answer.data(1) == [-0.9, 3])
        }
    }

    @Test func versionsAreAskedByPath() async throws {
        try await ModelServer.serving(["echo": EchoModel.of(.fp64)], versions: ["1", "2"]) { server in
            let body = #"{"inputs":[{"name":"x","shape":[1],"datatype":"FP64","data":[1]}]}"#
            #expect(try await server.infer("echo", body).json["model_version"] == "2")
            let first = try await server.post("/v2/models/echo/versions/1/infer", body)
            #expect(first.json["model_version"] == "1")
            let third = try await server.post("/v2/models/echo/versions/3/infer", body)
            #expect(third.status == 404)
            #expect(third.error == "the model 'echo' has no version '3'. Known: 1, 2.")
        }
    }

    @Test func namesArePercentDecoded() async throws {
        try await ModelServer.serving(["a b/c": EchoModel.of(.fp64)]) { server in
            let body = #"{"inputs":[{"name":"x","shape":[1],"datatype":"FP64","data":[1]}]}"#
            let answer = try await server.infer("a%20b%2Fc", body)
            #expect(answer.json["model_name"] == "a b/c")
        }
    }

    @Test func numbersThatAreNoneComeOutAsNull() async throws {
        try await ModelServer.serving(["echo": EchoModel.of(.fp32)]) { server in
            let answer = try await server.infer(
                "echo",
                #"{"inputs":[{"name":"x","shape":[3],"datatype":"FP32","parameters":{"binary_data_size":12}}]}"#,
                raw([Float.nan, .infinity, 1.5]))
            #expect(answer.data() == [.null, .null, 1.5])
        }
    }

    @Test func repositoryIsListedLoadedAndUnloaded() async throws {
        try await ModelServer.serving(["b": SumModel(), "a": EchoModel.of(.fp64)]) { server in
            for body in ["", "{}", #"{"ready":true}"#] {
                let index = try await server.post("/v2/repository/index", body)
                #expect(
                    index.json == [
                        ["name": "a", "version": "1", "state": "READY", "reason": ""],
                        ["name": "b", "version": "1", "state": "READY", "reason": ""],
                    ], "\(body)")
            }
            // What was registered by hand is not the callers' to change.
            let kept = try await server.post("/v2/repository/models/a/unload")
            #expect(kept.status == 400)
            #expect(kept.error?.contains("are not loaded and unloaded by callers") == true)
            let wrong = try await server.post(
                "/v2/repository/models/a/load", #"{"parameters":{"file:1/model.onnx":"no base64!"}}"#)
            #expect(wrong.status == 400)
            #expect(wrong.error == "the parameter 'file:1/model.onnx' has to be base64")
        }
    }

    @Test func callersLoadAndUnloadWhereTheyMay() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "models-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let version = folder.appending(path: "echo/1")
        try FileManager.default.createDirectory(at: version, withIntermediateDirectories: true)
        try Data().write(to: version.appending(path: "model.onnx"))
        var options = RepositoryOptions(folder: folder.path, control: .explicit)
        options.load = { _ in EchoModel.of(.fp64) }
        let repository = ModelRepository(options, time: SystemTime(), random: SystemRandom())
        try await repository.start()
        try await ModelServer.serving(repository) { server in
            let body = #"{"inputs":[{"name":"x","shape":[1],"datatype":"FP64","data":[1]}]}"#
            let early = try await server.infer("echo", body)
            #expect([404, 503].contains(early.status))
            for _ in 0..<2 {
                let loaded = try await server.post("/v2/repository/models/echo/load")
                #expect(loaded.status == 200, "\(loaded.text)")
                #expect(loaded.body.isEmpty)
                #expect(try await server.infer("echo", body).data() == [1])
                #expect(try await server.get("/v2/models/echo/ready").status == 200)
                #expect(try await server.post("/v2/repository/models/echo/unload", "{}").status == 200)
                #expect(try await server.infer("echo", body).status == 503)
                #expect(try await server.get("/v2/models/echo/ready").status == 503)
                #expect(try await server.get("/v2/health/ready").status == 200)
            }
            let index = try await server.post("/v2/repository/index").json
            #expect(index.array?.first?["state"] == "UNAVAILABLE")
            #expect(try await server.post("/v2/repository/index", #"{"ready":true}"#).json == [])
            #expect(try await server.post("/v2/repository/models/nobody/load").status == 404)
        }
    }

    @Test func configurationAndStatisticsAreWhatToolsRead() async throws {
        try await ModelServer.serving(["sum": SumModel()]) { server in
            let body =
                #"{"inputs":[{"name":"a","shape":[2],"datatype":"FP32","data":[1,2]},{"name":"b","shape":[2],"datatype":"FP32","data":[1,2]}]}"#
            for _ in 0..<3 { #expect(try await server.infer("sum", body).status == 200) }
            let config = try await server.get("/v2/models/sum/config").json
            #expect(config["name"] == "sum")
            #expect(config["max_batch_size"] == 1024)
            #expect(config["input"]?.array?.first == ["name": "a", "data_type": "TYPE_FP32", "dims": []])
            for path in ["/v2/models/stats", "/v2/models/sum/stats", "/v2/models/sum/versions/1/stats"] {
                let stats = try #require(try await server.get(path).json["model_stats"]?.array?.first)
                #expect(stats["inference_count"] == 6)
                #expect(stats["execution_count"] == 3)
                #expect(stats["inference_stats"]?["success"]?["count"] == 3)
                #expect(stats["batch_stats"]?.array?.first?["batch_size"] == 2)
            }
        }
    }

    @Test func whatIsNotOfferedIsRefusedAsSuch() async throws {
        try await ModelServer.serving(["sum": SumModel()]) { server in
            for (method, path) in [
                (HTTPMethod.post, "/v2/models/sum/generate"), (.post, "/v2/models/sum/versions/1/generate_stream"),
                (.get, "/v2/trace/setting"), (.post, "/v2/models/sum/trace/setting"), (.get, "/v2/logging"),
                (.get, "/v2/systemsharedmemory/status"), (.post, "/v2/cudasharedmemory/region/r/register"),
                (.post, "/v2/systemsharedmemory/unregister"),
            ] {
                let answer = try await server.send(method, path)
                #expect(answer.status == 501, "\(path)")
                #expect(answer.error != nil, "\(path)")
            }
        }
    }
}
