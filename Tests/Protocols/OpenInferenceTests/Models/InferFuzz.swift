import Basics
import Foundation
import HTTP
import Inference
import Testing

@testable import OpenInference

/// Mutated requests as JSON, with bytes behind their JSON, and as messages of gRPC: each is answered, or refused as the
/// client's fault, and the server answers the next one.
@Suite struct InferFuzz {
    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap(UInt64.init)
    }

    private let seed = number("MODELWORKS_SEED") ?? 1
    private let seconds = number("MODELWORKS_FUZZ_SECONDS") ?? 0
    /// Where no time is set.
    private static let rounds = 3000

    /// A generator of its own, so that a seed repeats a run.
    private struct Mutator {
        var state: UInt64

        mutating func below(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(max(1, limit)))
        }

        mutating func mutate(_ sample: [UInt8], pieces: [[UInt8]]) -> [UInt8] {
            var bytes = sample
            for _ in 0...below(4) {
                let at = below(bytes.count + 1)
                switch below(6) {
                case 0: bytes.insert(UInt8(below(256)), at: at)
                case 1: bytes.removeSubrange(at..<min(bytes.count, at + below(12)))
                case 2: bytes.insert(contentsOf: pieces[below(pieces.count)], at: at)
                case 3: if at < bytes.count { bytes[at] ^= 1 << UInt8(below(8)) }
                case 4: bytes.removeLast(below(bytes.count + 1))
                default:
                    let end = min(bytes.count, at + below(30))
                    bytes.insert(contentsOf: Array(bytes[at..<end]), at: below(bytes.count + 1))
                }
            }
            return bytes
        }
    }

    private func rounds(_ body: (Int) async throws -> Void) async rethrows {
        let end = SystemTime.monotonicNanoseconds &+ seconds &* 1_000_000_000
        var round = 0
        while seconds > 0 ? SystemTime.monotonicNanoseconds < end : round < Self.rounds {
            try await body(round)
            round += 1
        }
    }

    private static let json = [
        #"{"id":"i","parameters":{"binary_data_output":true,"timeout":5},"inputs":[{"name":"a","shape":[2],"datatype":"FP32","data":[1.5,-2]},{"name":"b","shape":[2],"datatype":"FP32","data":[[0],[7]]}],"outputs":[{"name":"sum","parameters":{"binary_data":false}}]}"#,
        #"{"inputs":[{"name":"bytes","shape":[1,2],"datatype":"BYTES","data":["caf\u00e9","\n"]},{"name":"int64","shape":[1,1],"datatype":"INT64","data":[-9223372036854775808]}]}"#,
        #"{"inputs":[{"name":"fp16","shape":[2,2],"datatype":"FP16","parameters":{"binary_data_size":8}}]}"#,
        #"{"dataframe_split":{"columns":["a","b"],"data":[[1,2],[3,4]]}}"#,
        #"{"instances":[{"a":[1],"b":{"b64":"QQ=="}}]}"#,
    ].map { Array($0.utf8) }

    private static let pieces = [
        "{", "}", "[", "]", "null", "NaN", "1e999", "-1", "18446744073709551616", "\"", ",", ":", "\\ud800", "é",
        "\"shape\":[9223372036854775807,2]", "\"shape\":[0]", "\"binary_data_size\":4", "\"BF16\"", "\"UINT8\"",
        "\"data\":[[[]]]", "[[[[[[[[", "{\"a\":{\"a\":", "\u{0}",
    ].map { Array($0.utf8) }

    private static let models: [String: any TensorModel] = ["sum": SumModel(), "echo": EchoModel.ofEveryType]

    @Test func bodiesOfJSONAndBytes() async throws {
        var mutator = Mutator(state: seed)
        try await ModelServer.serving(Self.models) { server in
            try await rounds { round in
                let sample = Self.json[mutator.below(Self.json.count)]
                let head = mutator.below(8) == 0 ? sample : mutator.mutate(sample, pieces: Self.pieces)
                let tail = (0..<mutator.below(24)).map { _ in UInt8(mutator.below(4)) }
                var headers: HTTPHeaders = [:]
                if mutator.below(2) == 0 {
                    let lie = mutator.below(6) == 0 ? mutator.below(400) : head.count
                    headers.add("Inference-Header-Content-Length", "\(lie)")
                }
                if mutator.below(10) == 0 {
                    headers.add("Content-Encoding", ["gzip", "deflate", "br"][mutator.below(3)])
                }
                headers.add("Content-Type", "application/json")
                let paths = [
                    "/v2/models/sum/infer", "/v2/models/echo/infer", "/v2/models/echo/versions/1/infer",
                    "/endpoints/sum/invocations", "/v1/models/sum:predict", "/v2/repository/models/sum/load",
                ]
                let path = paths[mutator.below(paths.count)]
                let answer = try await server.send(.post, path, head + tail, headers: headers)
                #expect(
                    // 504 is what a request of 5 microseconds gets that has to wait.
                    answer.status == 200 || (400..<500).contains(answer.status) || [501, 504].contains(answer.status),
                    "seed \(seed) round \(round): \(path) \(String(decoding: head, as: UTF8.self)) gave \(answer.status) \(answer.text)"
                )
                if answer.status != 200 {
                    #expect(answer.error != nil || answer.json["message"] != nil, "\(answer.text)")
                }
            }
        }
    }

    /// `ModelInferRequest`s with raw contents and with typed ones, written by protobuf's Python.
    private static let messages: [[UInt8]] = [
        "0a0373756d1a0169220f0a0774696d656f7574120410c0843d2a0c0a01611204465033321a01022a0c0a01621204465033321a0102"
            + "32050a0373756d3a080000803f000000403a080000803f00000040",
        "0a046563686f2a200a05696e7436341205494e5436341a0201012a0c1a0a808080808080808080012a190a0575696e7438120555494e54"
            + "381a0201022a05220301ff012a1c0a04667036341204465036341a0201012a0a3a08000000000000f83f",
        "0a04746578742a160a0178120542595445531a01022a07420261624201ff",
    ].map(bytes)

    private static func bytes(_ hex: String) -> [UInt8] {
        let digits = Array(hex.utf8).compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    @Test func messagesOfCalls() async throws {
        var mutator = Mutator(state: seed)
        let arena = MessageArena()
        let pieces: [[UInt8]] = [
            [0x2a, 0x00], [0x3a, 0x00], [0x2a, 0xff, 0xff, 0xff, 0xff, 0x0f], [0x0a, 0x80], [0x22, 0x02, 0x12, 0x00],
            [0x1a, 0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], [0x32, 0x00], [0x42, 0x00],
        ]
        await rounds { _ in
            arena.reset()
            let sample = Self.messages[mutator.below(Self.messages.count)]
            let message = mutator.mutate(sample, pieces: pieces)
            do {
                let read = try message.withUnsafeBytes { try InferMessage($0, in: arena) }
                for (_, tensor) in read.inputs { #expect(tensor.byteCount <= message.count * 48) }
                let output = OutputBuffer()
                try InferAnswer(
                    model: read.model, version: "1", id: read.id, outputs: read.inputs, isRaw: mutator.below(2) == 0,
                    finish: { _ in }
                ).write(to: output, in: arena, notes: nil)
            } catch let failure as any Failure {
                #expect([.invalidArgument, .resourceExhausted].contains(failure.code), "seed \(seed): \(message)")
            } catch {
                Issue.record("seed \(seed): \(error)")
            }
        }
    }

    /// Two bytes of the wire become a structure of a hundred: their number is bounded before memory is.
    @Test func messagesOfManyEmptyFieldsTakeBoundedMemory() throws {
        let arena = MessageArena()
        let message = [UInt8]((0..<2_000_000).flatMap { _ in [0x2a, 0x00] as [UInt8] })
        #expect(throws: MessageFailure.self) {
            try message.withUnsafeBytes { _ = try InferMessage($0, in: arena) }
        }
        #expect(arena.isExhausted)
    }
}
