import Basics
import Compression
import HTTP
import Inference
import Testing

@Suite(.serialized) struct BinaryTests {
    private static func header(_ type: String, _ shape: String, size: String, more: String = "") -> String {
        #"{"inputs":[{"name":"x","datatype":"\#(type)","shape":\#(shape),"parameters":{"binary_data_size":\#(size)}}]\#(more)}"#
    }

    /// Each type's extremes as bytes, with NaN and infinity where there are such.
    private static let samples: [(TensorType, [UInt8])] = [
        (.bool, [0, 1]), (.uint8, [0, 255]), (.uint16, raw([UInt16.min, .max])), (.uint32, raw([UInt32.min, .max])),
        (.uint64, raw([UInt64.min, .max])), (.int8, raw([Int8.min, .max])), (.int16, raw([Int16.min, .max])),
        (.int32, raw([Int32.min, .max])), (.int64, raw([Int64.min, .max])),
        // Infinity and the smallest number of half precision; the same in bfloat16.
        (.fp16, raw([UInt16(0x7C00), 0x0001])), (.bf16, raw([UInt16(0x7F80), 0x0001])),
        (.fp32, raw([Float.nan, -.infinity])), (.fp64, raw([Double.nan, .leastNonzeroMagnitude])),
        (.bytes, raw(texts: ["", "caf\u{e9}"])),
    ]

    @Test func everyTypeComesBackBitForBit() async throws {
        let models = Dictionary(uniqueKeysWithValues: Self.samples.map { ($0.0.rawValue, EchoModel.of($0.0)) })
        try await ModelServer.serving(models) { server in
            for (type, bytes) in Self.samples {
                let answer = try await server.infer(
                    type.rawValue,
                    Self.header(
                        type.rawValue, "[2]", size: "\(bytes.count)",
                        more: #","parameters":{"binary_data_output":true}"#
                    ), bytes)
                #expect(answer.status == 200, "\(type): \(answer.text)")
                #expect(answer.tail == bytes, "\(type)")
                #expect(answer.headers["Content-Type"] == "application/octet-stream")
                let output = answer.json["outputs"]?.array?.first
                #expect(output?["parameters"] == ["binary_data_size": .integer(Int64(bytes.count))])
                #expect(output?["data"] == nil)
            }
        }
    }

    @Test func jsonAndBytesMixBothWays() async throws {
        try await ModelServer.serving(["sum": SumModel()]) { server in
            let inputs =
                #""inputs":[{"name":"a","datatype":"FP32","shape":[2],"parameters":{"binary_data_size":8}},{"name":"b","datatype":"FP32","shape":[2],"data":[10,20]}]"#
            let mixed = try await server.infer(
                "sum",
                #"{\#(inputs),"outputs":[{"name":"sum","parameters":{"binary_data":false}},{"name":"difference"}],"parameters":{"binary_data_output":true}}"#,
                raw([Float(1), 2]))
            #expect(mixed.data(0) == [11, 22])
            #expect(mixed.tail == raw([Float(-9), -18]))
            let plain = try await server.infer("sum", "{\(inputs)}", raw([Float(1), 2]))
            #expect(plain.headers["Inference-Header-Content-Length"] == nil)
            #expect(plain.headers["Content-Type"] == "application/json")
            #expect(plain.data(1) == [-9, -18])
            // Both inputs as bytes, in the order of the inputs.
            let both = try await server.infer(
                "sum",
                #"{"inputs":[{"name":"b","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}},{"name":"a","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}}]}"#,
                raw([Float(1), 5]))
            #expect(both.data(1) == [4])
        }
    }

    @Test func aBodyOfBytesAloneIsAnsweredByBytes() async throws {
        let models: [String: any TensorModel] = [
            "rows": EchoModel.of(.fp32, shape: [-1, 3]), "text": EchoModel.of(.bytes),
            "free": EchoModel.of(.fp32, shape: [-1, -1]),
            "sum": SumModel(), "fixed": EchoModel.of(.int16, shape: [2]),
        ]
        try await ModelServer.serving(models) { server in
            let six = raw([Float(1), 2, 3, 4, 5, 6])
            let rows = try await server.infer("rows", "", six)
            #expect(rows.status == 200, "\(rows.text)")
            #expect(rows.json["outputs"]?.array?.first?["shape"] == [2, 3])
            #expect(rows.tail == six)
            let text = try await server.infer("text", "", Array("one text".utf8))
            #expect(text.tail == raw(texts: ["one text"]))
            #expect(try await server.infer("fixed", "", raw([Int16(7), 8])).tail == raw([Int16(7), 8]))
            for (model, bytes) in [
                ("rows", Array(six.dropLast())), ("free", six), ("sum", six), ("fixed", raw([Int16(7)])),
            ] {
                let answer = try await server.infer(model, "", bytes)
                #expect(answer.status == 400, "\(model)")
                #expect(answer.error?.contains("can not be asked by bytes alone") == true, "\(answer.text)")
            }
        }
    }

    @Test func lengthsThatLieAreRefused() async throws {
        try await ModelServer.serving([
            "echo": EchoModel.of(.fp32), "text": EchoModel.of(.bytes), "bool": EchoModel.of(.bool),
        ]) {
            server in
            let four = raw([Float(1)])
            let good = Self.header("FP32", "[1]", size: "4")
            for (header, tail, length) in [
                (good, four, "9999"), (good, four, "-1"), (good, four, ""), (good, four, "x"), (good, four, "1e2"),
                (good, four, "99999999999999999999"), (good, four, "+4"),
                (good, Array(four.dropLast()), nil), (good, four + [0], nil), (good, [], nil),
                (Self.header("FP32", "[2]", size: "4"), four, nil), (Self.header("FP32", "[1]", size: "8"), four, nil),
                (Self.header("FP32", "[1]", size: "-4"), four, nil),
                (Self.header("FP32", "[1]", size: "\"4\""), four, nil),
                (Self.header("FP32", "[1]", size: "4.0"), four, nil),
                (Self.header("FP32", "[1]", size: "null"), four, nil),
                (Self.header("FP32", "[1]", size: "18446744073709551615"), four, nil),
                (Self.header("FP32", "[4611686018427387904,4]", size: "0"), [], nil),
                (Self.header("FP32", "[4611686018427387905]", size: "4"), four, nil),
                (
                    #"{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1],"parameters":{"binary_data_size":4}}]}"#,
                    four, nil
                ),
                (#"{"inputs":[{"name":"x","datatype":"FP32","shape":[1]}]}"#, [], nil),
                (#"{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]}]}"#, four, nil),
            ] as [(String, [UInt8], String?)] {
                let answer = try await server.infer("echo", header, tail, length: length)
                #expect(answer.status == 400, "\(header) \(length ?? ""): \(answer.text)")
                #expect(answer.error != nil, "\(header)")
            }
            for bytes in [
                raw([UInt32(5)]) + Array("four".utf8), raw([UInt32.max]) + Array("x".utf8), [1, 0, 0],
                raw(texts: ["a", "b"]), raw(texts: ["a"]) + [0],
            ] {
                let answer = try await server.infer("text", Self.header("BYTES", "[1]", size: "\(bytes.count)"), bytes)
                #expect(answer.status == 400, "\(bytes): \(answer.text)")
            }
            #expect(try await server.infer("bool", Self.header("BOOL", "[1]", size: "1"), [2]).status == 400)
            #expect(try await server.infer("echo", good, four).status == 200)
        }
    }

    @Test(arguments: Compression.allCases) func bodiesAreCompressedBothWays(coding: Compression) async throws {
        try await ModelServer.serving(["echo": EchoModel.of(.fp32), "sum": SumModel()]) { server in
            let numbers = (0..<1000).map { Float($0) }
            let header = Self.header(
                "FP32", "[1000]", size: "4000", more: #","parameters":{"binary_data_output":true}"#)
            let packed = try (Array(header.utf8) + raw(numbers)).withUnsafeBytes { try coding.compress($0) }
            let answer = try await server.send(
                .post, "/v2/models/echo/infer", packed,
                headers: [
                    "Content-Encoding": coding.rawValue, "Inference-Header-Content-Length": "\(header.utf8.count)",
                    "Accept-Encoding": coding.rawValue,
                ])
            #expect(answer.status == 200, "\(answer.text)")
            #expect(answer.headers["Content-Encoding"] == coding.rawValue)
            let plain = try answer.body.withUnsafeBytes { try coding.decompress($0, limit: 1 << 20) }
            let length = try #require(answer.headers["Inference-Header-Content-Length"].flatMap { Int($0) })
            #expect(Array(plain.dropFirst(length)) == raw(numbers))

            // Asked for alone, also a short answer is compressed; in a list only a long one.
            let short = #"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]}"#
            for (accept, wanted) in [
                (coding.rawValue, coding.rawValue), ("gzip, deflate, br", nil), ("identity", nil),
                ("\(coding.rawValue);q=0", nil),
            ] {
                let answer = try await server.send(
                    .post, "/v2/models/echo/infer", Array(short.utf8), headers: ["Accept-Encoding": accept])
                #expect(answer.status == 200)
                #expect(answer.headers["Content-Encoding"] == wanted, "\(accept)")
            }
        }
    }

    @Test func codingsThatAreBombsOrUnknownAreRefused() async throws {
        try await ModelServer.serving(["echo": EchoModel.of(.fp32)]) { server in
            let short = Array(#"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]}"#.utf8)
            func status(_ body: [UInt8], _ coding: String) async throws -> Int {
                try await server.send(.post, "/v2/models/echo/infer", body, headers: ["Content-Encoding": coding])
                    .status
            }
            #expect(try await status(short, "br") == 415)
            #expect(try await status(short, "gzip, gzip") == 415)
            #expect(try await status(short, "gzip") == 400)
            #expect(try await status(short, "identity") == 200)
            let zeros = [UInt8](repeating: 32, count: 80 << 20)
            let bomb = try zeros.withUnsafeBytes { try Compression.gzip.compress($0) }
            #expect(bomb.count < 1 << 20)
            #expect(try await status(bomb, "gzip") == 413)
        }
    }
}
