import Basics
import Experiments
import HTTP
import TestSupport
import Testing
import Works
import Workshop

@testable import MLflow

/// Spans in OpenTelemetry's binary form that no exporter sends: each export is refused, or gives documents that are read
/// again.
@Suite struct SpanFuzz {
    private let fuzzer = Fuzzer(pieces: [
        "\u{0A}", "\u{12}", "\u{1A}", "\u{4A}", "\u{7A}", "\u{7F}", "\u{0}", "\u{8}\u{1}", "mlflow.spanInputs",
        "\"{}\"",
        "9", "A", "\u{2A}\u{0}", "é🙂",
    ])

    private func varint(_ number: UInt64) -> [UInt8] {
        var rest = number
        var bytes: [UInt8] = []
        while rest > 127 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 128)
            rest >>= 7
        }
        return bytes + [UInt8(truncatingIfNeeded: rest)]
    }

    private func field(_ number: UInt64, _ bytes: [UInt8]) -> [UInt8] {
        varint(number << 3 | 2) + varint(UInt64(bytes.count)) + bytes
    }

    private func text(_ text: String) -> [UInt8] { Array(text.utf8) }

    /// A message of fields that are there by chance, of any type, and of messages below.
    private func message(_ depth: Int) -> [UInt8] {
        (0..<fuzzer.below(6)).flatMap { _ -> [UInt8] in
            let number = UInt64(1 + fuzzer.below(17))
            switch fuzzer.below(6) {
            case 0: return varint(number << 3) + varint(fuzzer.random.next() >> UInt64(fuzzer.below(64)))
            case 1:
                return varint(number << 3 | 1) + (0..<8).map { _ in UInt8(truncatingIfNeeded: fuzzer.random.next()) }
            case 2: return varint(number << 3 | 5) + [0, 0, 0xC0, 0x7F]
            case 3: return field(number, fuzzer.piece())
            default: return field(number, depth > 0 ? message(depth - 1) : fuzzer.noise(below: 20))
            }
        }
    }

    /// A value of lists in lists.
    private func deep(_ depth: Int) -> [UInt8] {
        (0..<depth).reduce(field(1, text("x"))) { value, _ in
            fuzzer.isOne(in: 2) ? field(5, field(1, value)) : field(6, field(1, field(1, text("k")) + field(2, value)))
        }
    }

    private func attribute(_ key: String, _ value: [UInt8]) -> [UInt8] {
        field(9, field(1, text(key)) + field(2, value))
    }

    private func span(_ number: Int) -> [UInt8] {
        let digits = varint(UInt64(1 + number % 100))
        var span =
            field(1, [UInt8](repeating: 0, count: 16 - digits.count) + digits)
            + field(2, [UInt8](repeating: 0, count: 8 - digits.count) + digits) + field(5, text("fly"))
        // 1 and 3.5 seconds after 1970.
        span += [0x39, 0x00, 0xCA, 0x9A, 0x3B, 0, 0, 0, 0, 0x41, 0x00, 0xC3, 0x9D, 0xD0, 0, 0, 0, 0]
        span += attribute("mlflow.spanInputs", field(1, text("{\"a\": 1}")))
        switch fuzzer.below(4) {
        case 0: span += message(4)
        case 1: span += attribute("deep", deep(fuzzer.below(60)))
        case 2: span += attribute("number", varint(4 << 3 | 1) + [0, 0, 0, 0, 0, 0, 0xF8, 0x7F])
        default: break
        }
        return span
    }

    /// An export of a span or two, mostly changed in some bytes.
    private func export(_ number: Int) -> [UInt8] {
        let spans = (0...fuzzer.below(2)).flatMap { field(2, span(number + $0)) }
        let sound = field(1, field(2, spans))
        switch fuzzer.below(8) {
        case 0: return fuzzer.noise(below: 200)
        case 1: return message(5)
        case 2, 3, 4: return sound
        default: return fuzzer.mutated(sound)
        }
    }

    @Test func anExportIsRefusedOrRead() throws {
        var (taken, refused) = (0, 0)
        for round in fuzzer.rounds(atLeast: 2500) {
            let bytes = export(round)
            do {
                for span in try SpanIntake.spans(bytes) {
                    taken += 1
                    #expect(try JSON.decode(JSONValue.self, from: span.content).object != nil)
                }
            } catch let failure as MLflowFailure {
                refused += 1
                #expect(failure.code == .invalidArgument)
            } catch {
                Issue.record("seed \(fuzzer.seed): \(error) for \(bytes)")
            }
        }
        #expect(taken > 250 && refused > 100, "\(taken) taken, \(refused) refused")
    }

    /// What was answered with 200 is found, listed and shown.
    @Test func whatIsKeptIsShown() async throws {
        let shop = try await Workshop()
        func get(_ path: String) async throws -> Workshop.Answer {
            let answer = try await shop.works.dispatch(.get, path, headers: [:], body: [])
            return Workshop.Answer(status: answer.status, body: answer.body)
        }
        var kept = 0
        for round in fuzzer.rounds(atLeast: 150) {
            let bytes = export(round)
            let answer = try await shop.works.dispatch(
                .post, "/v1/traces",
                headers: ["Content-Type": "application/x-protobuf", "X-MLflow-Experiment-Id": "0"], body: bytes)
            #expect(
                answer.status == 200 || answer.status == 400,
                "seed \(fuzzer.seed): \(String(decoding: answer.body, as: UTF8.self)) for \(bytes)")
            guard answer.status == 200, let spans = try? SpanIntake.spans(bytes) else { continue }
            kept += spans.count
            for trace in Set(spans.map(\.trace)) {
                let whole = try await get("/api/3.0/mlflow/traces/get?allow_partial=true&trace_id=\(trace)")
                let found = whole.json["trace"]?["spans"]?.array ?? []
                #expect(whole.status == 200 && !found.isEmpty, "seed \(fuzzer.seed): \(whole.text) for \(bytes)")
                let shown = try await get("/ajax-api/3.0/mlflow/get-trace-artifact?request_id=\(trace)")
                #expect(
                    shown.status == 200 && shown.json["spans"]?.array?.count == found.count,
                    "seed \(fuzzer.seed): \(shown.text) for \(bytes)")
            }
        }
        #expect(kept > 25, "\(kept)")
    }
}
