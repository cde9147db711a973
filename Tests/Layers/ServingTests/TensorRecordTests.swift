import Basics
import Inference
import TestSupport
import Testing

@testable import Serving

/// Records of requests as they lie on disk.
struct TensorRecordTests {
    private static func text(_ fuzzer: Fuzzer) -> String {
        String(decoding: fuzzer.row(below: 6), as: UTF8.self)
    }

    private static let fuzzer = Fuzzer(pieces: [
        "id", "é", "\u{0}", "row/3", "feature[2]", String(repeating: "x", count: 90),
    ])

    /// Any record that can be.
    private static func record(_ fuzzer: Fuzzer) -> TensorRecord {
        func parts() -> [TensorRecord.Part] {
            (0..<fuzzer.below(4)).map { _ in
                let content: TensorRecord.Content =
                    switch fuzzer.below(3) {
                    case 0: .nothing
                    case 1: .elements(fuzzer.noise(below: 200))
                    default: .digest(Digest(of: fuzzer.noise(below: 20)).hex)
                    }
                return .init(
                    name: text(fuzzer), type: fuzzer.one(of: TensorType.allCases),
                    shape: (0..<fuzzer.below(5)).map { _ in fuzzer.below(1 << 40) }, content: content)
            }
        }
        func time() -> UInt64 { UInt64(UInt32(truncatingIfNeeded: fuzzer.random.next())) }
        return TensorRecord(
            id: text(fuzzer), model: text(fuzzer), version: text(fuzzer), arm: fuzzer.one(of: Arm.allCases),
            outcome: fuzzer.one(of: TensorRecord.Outcome.allCases),
            recorded: Timestamp(microseconds: Int64(bitPattern: fuzzer.random.next())),
            stages: StageTimes(
                ingest: time(), preprocess: time(), inference: time(), postprocess: time(), serialise: time(),
                total: time()),
            batchRows: fuzzer.below(1 << 20), error: text(fuzzer), inputs: parts(), outputs: parts())
    }

    @Test func whatIsWrittenIsRead() {
        for _ in 0..<3000 {
            let record = Self.record(Self.fuzzer)
            let bytes = record.encoded()
            #expect(bytes.withUnsafeBytes { TensorRecord($0) } == record)
            #expect(bytes.withUnsafeBytes { TensorRecord.id(in: $0).map(Array.init) } == Array(record.id.utf8))
            #expect(
                bytes.withUnsafeBytes { KeptPrediction.Kind.model.moment($0) } == record.recorded.microseconds)
        }
    }

    /// Bytes that are no record are none, and those that are read the same again: whatever they are, nothing else happens.
    @Test func hostileBytesAreRefused() {
        let fuzzer = Self.fuzzer
        var read = 0
        for round in 0..<20_000 {
            let sample = round % 3 == 0 ? fuzzer.noise(below: 300) : fuzzer.mutated(Self.record(fuzzer).encoded())
            for kind in KeptPrediction.Kind.allCases {
                sample.withUnsafeBytes { bytes in
                    _ = kind.prediction(bytes, channel: "c", features: nil)
                    _ = kind.isNamed(Array("id".utf8), bytes)
                    _ = kind.moment(bytes)
                }
            }
            guard let record = sample.withUnsafeBytes({ TensorRecord($0) }) else { continue }
            read += 1
            let again = record.encoded().withUnsafeBytes { TensorRecord($0) }
            #expect(again == record)
        }
        #expect(read > 100)
        let whole = Self.record(fuzzer).encoded()
        for count in whole.indices {
            #expect(whole[..<count].withUnsafeBytes { TensorRecord($0) } == nil)
        }
        #expect((whole + [0]).withUnsafeBytes { TensorRecord($0) } == nil)
    }

    @Test func longTextsAreCutBetweenCharacters() throws {
        let id = String(repeating: "é", count: 3000)
        let record = TensorRecord(
            id: id, model: "m", version: "1", outcome: .answered, recorded: Timestamp(microseconds: 1),
            stages: StageTimes(total: .max), inputs: [], outputs: [])
        let read = try #require(record.encoded().withUnsafeBytes { TensorRecord($0) })
        #expect(read.id == String(repeating: "é", count: 2048))
        #expect(read.stages.total == UInt64(UInt32.max))
    }
}
