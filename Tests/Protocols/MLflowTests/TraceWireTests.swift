import Basics
import Documents
import HTTP
import TestSupport
import Testing
import Works
import Workshop

@testable import MLflow

/// SplitMix64, so that a failure comes again.
private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Traces as they come over the wire, and what no client sends.
@Suite struct TraceWireTests {
    private struct Server {
        let shop: Workshop

        init() async throws { shop = try await Workshop() }

        func send(
            _ method: HTTPMethod, _ path: String, _ body: [UInt8] = [], type: String = "application/json",
            experiment: String? = nil
        ) async throws -> Workshop.Answer {
            var headers: HTTPHeaders = ["Content-Type": type]
            if let experiment { headers["X-MLflow-Experiment-Id"] = experiment }
            let answer = try await shop.works.dispatch(method, path, headers: headers, body: body)
            return Workshop.Answer(status: answer.status, body: answer.body)
        }

        func post(_ path: String, _ body: String) async throws -> Workshop.Answer {
            try await send(.post, "/api/3.0/mlflow/traces\(path)", Array(body.utf8))
        }

        func export(_ bytes: [UInt8]) async throws -> Workshop.Answer {
            try await send(.post, "/v1/traces", bytes, type: "application/x-protobuf", experiment: "0")
        }
    }

    private static func trace(_ id: String, _ rest: String = "") -> String {
        """
        {"trace": {"trace_info": {"trace_id": "\(id)", "request_time": "2026-01-02T03:04:05.678Z", "state": "OK",
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}\(rest)}}}
        """
    }

    /// One span of the trace 00...01, written by hand: tag bytes are `number << 3 | 2` for bytes, `| 1` for 64 bits.
    private static func export(attributes: [UInt8] = []) -> [UInt8] {
        func field(_ tag: UInt8, _ bytes: [UInt8]) -> [UInt8] {
            var length = bytes.count
            var prefix: [UInt8] = []
            repeat {
                prefix.append(UInt8(length & 127) | (length > 127 ? 128 : 0))
                length >>= 7
            } while length > 0
            return [tag] + prefix + bytes
        }
        let ids =
            field(0x0A, [UInt8](repeating: 0, count: 15) + [1]) + field(0x12, [UInt8](repeating: 0, count: 7) + [2])
        // 1,000,000,000 and 3,500,000,000 nanoseconds, the lowest byte first.
        let times: [UInt8] = [0x39, 0x00, 0xCA, 0x9A, 0x3B, 0, 0, 0, 0, 0x41, 0x00, 0xC3, 0x9D, 0xD0, 0, 0, 0, 0]
        let span =
            ids + field(0x2A, Array("fly".utf8)) + [0x30, 0x03] + times + attributes + field(0x7A, [0x18, 0x02])
        return field(0x0A, field(0x12, field(0x12, span)))
    }

    @Test func aSpanIsReadFromItsBytes() async throws {
        let server = try await Server()
        // {"key": "n", "value": {"int_value": -1}}
        let attribute: [UInt8] =
            [0x4A, 0x10, 0x0A, 0x01, 0x6E, 0x12, 0x0B, 0x18] + [UInt8](repeating: 0xFF, count: 9) + [0x01]
        #expect(try await server.export(Self.export(attributes: attribute)).status == 200)
        let id = "tr-00000000000000000000000000000001"
        let found = try await server.send(.get, "/ajax-api/3.0/mlflow/traces/get?trace_id=\(id)").json["trace"]
        #expect(found?["trace_info"]?["request_time"] == "1970-01-01T00:00:01Z")
        #expect(found?["trace_info"]?["execution_duration"] == "2.500000s")
        #expect(found?["trace_info"]?["state"] == "ERROR")
        #expect(found?["trace_info"]?["tags"]?["mlflow.traceName"] == "fly")
        #expect(
            found?["spans"] == [
                [
                    "trace_id": "AAAAAAAAAAAAAAAAAAAAAQ==", "span_id": "AAAAAAAAAAI=", "name": "fly",
                    "kind": "SPAN_KIND_CLIENT", "start_time_unix_nano": "1000000000",
                    "end_time_unix_nano": "3500000000", "status": ["code": "STATUS_CODE_ERROR"],
                    "attributes": [["key": "n", "value": ["int_value": -1]]],
                ]
            ])
    }

    @Test func brokenBytesAreRefused() async throws {
        let server = try await Server()
        let whole = Self.export()
        for length in 1..<whole.count {
            let answer = try await server.export(Array(whole.prefix(length)))
            #expect(answer.status == 400, "\(length) bytes: \(answer.text)")
        }
        var random = Seeded(state: 7)
        for _ in 0..<300 {
            var bytes = whole
            bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            #expect([200, 400].contains(try await server.export(bytes).status), "\(bytes)")
        }
    }

    @Test func aValueNestsOnlySoDeep() throws {
        func length(_ count: Int) -> [UInt8] {
            [UInt8(count & 127 | 128), UInt8(count >> 7 & 127 | 128), UInt8(count >> 14)]
        }
        for (depth, isGood) in [(10, true), (40, true), (60, false)] {
            // A list of a list of a list; each is a value and the list in it.
            var nested: [UInt8] = []
            for _ in 0..<depth {
                let values = [0x0A] + length(nested.count) + nested
                nested = [0x2A] + length(values.count) + values
            }
            var writer = JSONWriter()
            var thrown: (any Error)?
            do { try writer.object { try SpanMessage.anyValue.write(nested[...], to: &$0) } } catch { thrown = error }
            #expect((thrown == nil) == isGood, "\(depth)")
        }
    }

    @Test func aTraceIsChecked() async throws {
        let server = try await Server()
        #expect(try await server.post("", Self.trace("tr-1")).status == 200)
        for (body, status) in [
            (Self.trace("a/b"), 400), (Self.trace(".."), 400), (Self.trace(""), 400),
            (Self.trace(String(repeating: "x", count: 129)), 400),
            (Self.trace("tr-2").replacing("\"0\"", with: "\"99\""), 404),
            (Self.trace("tr-2").replacing("\"OK\"", with: "\"GOOD\""), 400),
            (Self.trace("tr-2").replacing("2026-", with: "x"), 400),
            (Self.trace("tr-2", ", \"execution_duration\": \"-1s\""), 400),
            (Self.trace("tr-2", ", \"execution_duration\": \"1e400s\""), 400),
            (Self.trace("tr-2", ", \"tags\": {\"a\": 1}"), 400), ("{}", 400), ("{\"trace\": {}}", 400),
            (Self.trace("tr-2", ", \"tags\": {\"a\": \"'; DROP TABLE traces; --\"}"), 200),
        ] {
            let answer = try await server.post("", body)
            #expect(answer.status == status, "\(body): \(answer.text)")
        }
        let path = "/ajax-api/3.0/mlflow/traces"
        for (target, status) in [("/tr-1", 200), ("/tr-9", 404), ("/get", 400), ("/batchGet", 400)] {
            #expect(try await server.send(.get, path + target).status == status, "\(target)")
        }
        let tag = Array("{\"key\": \"a\", \"value\": \"b\"}".utf8)
        for version in ["2.0", "3.0"] {
            let traces = "/api/\(version)/mlflow/traces"
            #expect(try await server.send(.patch, "\(traces)/tr-1/tags", tag).status == 200)
            #expect(try await server.send(.patch, "\(traces)/tr-9/tags", tag).status == 404)
            #expect(try await server.send(.delete, "\(traces)/tr-1/tags", tag).status == 200)
            #expect(try await server.send(.delete, "\(traces)/tr-1/tags", tag).status == 404)
        }
        let many = (0...500).map { "trace_ids=\($0)" }.joined(separator: "&")
        #expect(try await server.send(.get, "\(path)/batchGet?\(many)").status == 400)
        let found = try await server.post("/batchGetInfos", "{\"trace_ids\": [\"tr-2\", \"no\", \"tr-1\", \"tr-2\"]}")
        #expect(found.json["trace_infos"]?.array?.map { $0["trace_id"] } == ["tr-2", "tr-1"])
        #expect(found.json["trace_infos"]?.array?.first?["tags"]?["a"] == "'; DROP TABLE traces; --")
        for (body, status) in [
            ("{}", 200), ("{\"locations\": [], \"max_results\": 501}", 400),
            ("{\"locations\": [{\"mlflow_experiment\": {\"experiment_id\": \"x\"}}]}", 400),
            ("{\"filter\": \"tags.a = 'x' OR 1 = 1\"}", 400), ("{\"filter\": \"timestamp = 'x'\"}", 400),
            ("{\"order_by\": [\"tags.a\"]}", 200),
            (
                "{\"locations\": [{\"mlflow_experiment\": {\"experiment_id\": \"0\"}}], \"order_by\": [\"tags.a\"]}",
                400
            ),
        ] {
            let answer = try await server.post("/search", body)
            #expect(answer.status == status, "\(body): \(answer.text)")
        }
    }

    @Test func partsOfFilesAreRefusedAsClientsUnderstand() async throws {
        let server = try await Server()
        for step in ["create", "complete", "abort"] {
            let answer = try await server.send(
                .post, "/api/2.0/mlflow-artifacts/mpu/\(step)/0/run/artifacts", Array("{}".utf8))
            #expect(answer.status == 501)
            #expect(answer.json["error_code"] == "NOT_IMPLEMENTED")
            #expect(answer.json["message"]?.string?.hasPrefix("Multipart upload is not supported") == true)
        }
        #expect(try await server.send(.get, "/api/2.0/mlflow-artifacts/presigned/0/run/artifacts/x").status == 501)
    }
}
