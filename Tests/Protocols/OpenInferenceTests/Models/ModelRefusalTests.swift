import Basics
import Foundation
import HTTP
import Inference
import Testing

@Suite(.serialized) struct ModelRefusalTests {
    private static func input(
        _ name: String = "a", type: String = "FP32", shape: String = "[1]", data: String = "[1]"
    ) -> String {
        #"{"name":"\#(name)","datatype":"\#(type)","shape":\#(shape),"data":\#(data)}"#
    }

    private static func body(_ inputs: String...) -> String { #"{"inputs":[\#(inputs.joined(separator: ","))]}"# }

    private static let b = input("b")

    /// Bodies, and what their errors say.
    private static let cases: [(body: String, error: String)] = [
        ("", "the JSON is empty"),
        ("[1]", "an infer request has to be a JSON object"),
        (#"{"inputs":[{"name":"a""#, "the JSON is malformed"),
        ("{}", "lacks 'inputs'"),
        (body(b), "the input 'a' is missing. The inputs are: a, b."),
        (body(input(), b, input("c")), "there is no input 'c'. The inputs are: a, b."),
        (body(input(), b, b), "the input 'b' is given twice"),
        (body(input(), input()), "the input 'b' is missing"),
        (body(input(data: "[NaN]"), b), "malformed"),
        (body(input(data: "[null]"), b), "the input 'a' has null among its values"),
        (body(input(data: "[\"1\"]"), b), "no number"),
        (body(input(data: "[true]"), b), "no number"),
        (body(input(data: "[{}]"), b), "no number"),
        (body(input(data: "[1e39]"), b), "beyond the range"),
        (body(input(data: "1"), b), "'data' has to be an array"),
        (body(input(data: "[1,2]"), b), "the shape asks for 1 elements and 'data' has 2"),
        (body(input(shape: "[2]"), b), "the shape asks for 2 elements and 'data' has 1"),
        (body(input(shape: "[-1]"), b), "0 or more"),
        (body(input(shape: "[1.0]"), b), "0 or more"),
        (body(input(shape: "\"1\""), b), "whole numbers"),
        (body(input(shape: "[4294967296,4294967296,4294967296]", data: "[]"), b), "more than can be counted"),
        (body(input(shape: "[9223372036854775807,2]"), b), "asks for"),
        (body(input(shape: "[1,1,1,1,1,1,1,1,1]"), b), "8 dimensions"),
        (body(input(shape: "[1,1]"), b), "was given [1, 1]"),
        (body(input(type: "FP64"), b), "was given FP64"),
        (body(input(type: "fp32"), b), "the datatype is none of"),
        (body(input(type: "INT8", data: "[128]"), b), "beyond the range"),
        (body(input(type: "INT64", data: "[1.5]"), b), "no integer"),
        (body(input(type: "UINT64", data: "[-1]"), b), "0 or more"),
        (
            #"{"inputs":[\#(input()),\#(b)],"outputs":[{"name":"nobody"}]}"#,
            "there is no output 'nobody'. The outputs are: sum, difference."
        ),
        (
            #"{"inputs":[\#(input()),\#(b)],"outputs":[{"name":"sum"},{"name":"sum"}]}"#,
            "the output 'sum' is asked for twice"
        ),
        (#"{"inputs":[\#(input()),\#(b)],"outputs":[{}]}"#, "lacks 'name'"),
        (#"{"inputs":[\#(input()),\#(b)],"outputs":{}}"#, "'outputs' has to be an array"),
        (#"{"id":7,"inputs":[\#(input()),\#(b)]}"#, "the request id has to be a string"),
        (#"{"parameters":[],"inputs":[\#(input()),\#(b)]}"#, "'parameters' has to be an object"),
        (
            #"{"parameters":{"timeout":-1},"inputs":[\#(input()),\#(b)]}"#,
            "the parameter 'timeout' has to be a whole number"
        ),
        (#"{"parameters":{"binary_data_output":1},"inputs":[\#(input()),\#(b)]}"#, "has to be true or false"),
    ]

    @Test func whatIsWrongIsToldAndOthersAreServed() async throws {
        try await ModelServer.serving(["sum": SumModel()]) { server in
            let good = Self.body(Self.input(), Self.b)
            for item in Self.cases {
                let answer = try await server.infer("sum", item.body)
                #expect(answer.status == 400, "\(item.body): \(answer.text)")
                #expect(answer.error?.contains(item.error) == true, "\(item.body): \(answer.text)")
                #expect(try await server.infer("sum", good).data() == [2])
            }
        }
    }

    @Test func deepAndLongBodiesAreCutOff() async throws {
        try await ModelServer.serving(["sum": SumModel()]) { server in
            let deep = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
            let answer = try await server.infer("sum", Self.body(Self.input(data: deep), Self.b))
            #expect(answer.status == 413, "\(answer.text)")
            #expect(answer.error?.contains("nests deeper") == true)
            let nested = String(repeating: "[", count: 60) + "1" + String(repeating: "]", count: 60)
            #expect(try await server.infer("sum", Self.body(Self.input(data: nested), Self.b)).data() == [2])
            let many = (0..<20_000).map { _ in Self.input("x") }.joined(separator: ",")
            #expect(try await server.infer("sum", #"{"inputs":[\#(many)]}"#).status == 400)
        }
    }

    @Test func statusTellsWhoseFaultItIs() async throws {
        try await ModelServer.serving(["sum": SumModel(), "broken": BrokenModel()]) { server in
            let body = Self.body(Self.input("x"))
            #expect(try await server.infer("nobody", body).status == 404)
            #expect(try await server.infer("broken", body).status == 500)
            #expect(try await server.send(.get, "/v2/models/sum/infer").status == 405)
            #expect(try await server.get("/v2/models/sum/nothing").status == 404)
            #expect(try await server.get("/v2/models/sum/nothing").error != nil)
            let shared = try await server.infer(
                "sum",
                #"{"inputs":[{"name":"a","datatype":"FP32","shape":[1],"parameters":{"shared_memory_region":"r"}},\#(Self.b)]}"#
            )
            #expect(shared.status == 501)
            let classes = try await server.infer(
                "sum",
                #"{"inputs":[\#(Self.input()),\#(Self.b)],"outputs":[{"name":"sum","parameters":{"classification":2}}]}"#
            )
            #expect(classes.status == 501)
            for path in ["/v2/models/..%2F..%2Fetc/infer", "/v2/models/sum%00/infer", "/v2/models/%ff/infer"] {
                let answer = try await server.post(path, body)
                #expect([400, 404].contains(answer.status), "\(path)")
            }
        }
    }

    /// A body longer than what is answered on the loop goes the other way, to the same answer.
    @Test func longBodiesAreAnsweredLikeShortOnes() async throws {
        try await ModelServer.serving(["echo": EchoModel.of(.fp64)]) { server in
            for count in [10, 100_000] {
                let values = (0..<count).map { "\(Double($0) / 7)" }.joined(separator: ",")
                let answer = try await server.infer(
                    "echo",
                    #"{"id":"long","inputs":[{"name":"x","datatype":"FP64","shape":[\#(count)],"data":[\#(values)]}]}"#)
                #expect(answer.status == 200)
                #expect(answer.text.hasSuffix(",\"data\":[\(values.replacingOccurrences(of: ".0,", with: ","))]}]}"))
            }
        }
    }
}
