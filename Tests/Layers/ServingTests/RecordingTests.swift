import Basics
import Configuration
import Foundation
import Inference
import ObjectStorage
import Records
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Serving

/// What is kept of requests to models.
@Suite(.timeLimit(.minutes(2)))
struct RecordingTests {
    private let folder: TemporaryFolder
    private let channels: RecordChannels
    private let metrics = MetricsRegistry()
    private let time = ManualTime(Timestamp(microseconds: 1_700_000_000_000_000))

    init() throws {
        folder = try TemporaryFolder()
        channels = try RecordChannels(localIn: folder("records"))
    }

    private func records(_ policy: RecordPolicy = RecordPolicy()) -> RequestRecords {
        RequestRecords(
            channels, key: Secret("key"), standard: policy, time: time, random: SeededRandom(seed: 1), metrics: metrics)
    }

    private func policy(_ text: String) throws -> RecordPolicy {
        let node = try #require(try YAMLParser.parse(text, file: "config.yaml").first)
        return try RecordPolicy(ofAllModels: node)
    }

    private func model(_ policy: RecordPolicy, _ model: any TensorModel = StubModel()) throws -> ServedModel {
        var configuration = ModelConfiguration()
        configuration.record = policy
        return try ServedModel(
            name: "stub", version: "3", model: model, configuration: configuration, time: time, metrics: metrics,
            records: records())
    }

    private func ask(_ model: ServedModel, _ tensor: Tensor, id: String?) async throws -> ModelCall {
        let call = ModelCall(
            InferenceInput(tensors: [tensor], wanted: [1, 0], id: id), to: model,
            began: SystemTime.monotonicNanoseconds)
        try call.finish(try await call.infer())
        return call
    }

    private func kept() async throws -> [TensorRecord] {
        var kept: [TensorRecord] = []
        try await channels.channel(RequestRecords.kind, "stub").reader(from: .start).read { logged in
            if let record = TensorRecord(logged.bytes) { kept.append(record) }
        }
        return kept
    }

    @Test func aRecordTellsEverything() async throws {
        let model = try model(RecordPolicy())
        let tensor = try Tensor(.fp64, shape: [2, 1], values: [1.5, 2.5])
        _ = try await ask(model, tensor, id: "mine")
        let call = try await ask(model, tensor, id: nil)
        let records = try await kept()
        #expect(records.map(\.id) == ["mine", call.madeID])
        let record = try #require(records.first)
        #expect((record.model, record.version, record.outcome) == ("stub", "3", .answered))
        #expect(record.recorded == time.now)
        #expect(record.inputs.map(\.name) == ["x"])
        #expect(record.inputs.first?.tensor?.values(as: Double.self) == [1.5, 2.5])
        #expect(record.inputs.first?.shape == [2, 1])
        // In the order in which they were asked for.
        #expect(record.outputs.map(\.name) == ["less", "double"])
        #expect(record.outputs.map { $0.tensor?.values(as: Double.self) } == [[0.5, 1.5], [3, 5]])
        #expect(record.batchRows == 2)
        let stages = record.stages
        #expect(stages.total > 0)
        #expect(
            stages.ingest + stages.preprocess + stages.inference + stages.postprocess + stages.serialise
                == stages.total)
        #expect(model.stages.read(.total).count == 2)
    }

    @Test func failuresAreKeptToo() async throws {
        let model = try model(RecordPolicy(), StubModel(.init(refusesNegative: true)))
        let bad = try Tensor(.fp64, shape: [1, 1], values: [-1.0])
        await #expect(throws: StubFailed.self) { _ = try await ask(model, bad, id: "bad") }
        await #expect(throws: InferenceError.self) {
            _ = try await ask(model, try Tensor(.fp32, shape: [1, 1], values: [Float(1)]), id: "wrong")
        }
        let records = try await kept()
        #expect(records.map(\.outcome) == [.failed, .failed])
        #expect(records.map(\.id) == ["bad", "wrong"])
        #expect(records.last?.error.contains("FP64") == true)
        #expect(records.allSatisfy { $0.outputs.isEmpty })
        #expect(model.stages.read(.total).count == 0)
    }

    @Test func theSameIdsAreSampledEverywhere() async throws {
        var policy = RecordPolicy()
        policy.sample = 0.3
        let tensor = try Tensor(.fp64, shape: [1, 1], values: [1.0])
        let model = try model(policy)
        for number in 0..<2000 { _ = try await ask(model, tensor, id: "r\(number)") }
        let first = try await kept().map(\.id)
        // 600 expected; the standard deviation is 20.5.
        #expect((480...720).contains(first.count))
        for number in 0..<2000 { _ = try await ask(model, tensor, id: "r\(number)") }
        #expect(try await kept().map(\.id) == first + first)
        #expect(first == (0..<2000).map { "r\($0)" }.filter { SplitMix.hash($0) < UInt64(0.3 * 0x1p64) })
        policy.sample = 0
        #expect(try await ask(try self.model(policy), tensor, id: "r").ticket == nil)
    }

    @Test func valuesThatAreNotWantedAreNotKept() async throws {
        var policy = RecordPolicy()
        (policy.inputs, policy.maxBytes) = (false, 16)
        let model = try model(policy)
        _ = try await ask(model, try Tensor(.fp64, shape: [1, 1], values: [7.0]), id: "small")
        let large = try Tensor(.fp64, shape: [3, 1], values: [7.0, 8, 9])
        _ = try await ask(model, large, id: "large")
        let records = try await kept()
        #expect(records.flatMap(\.inputs).allSatisfy { $0.content == .nothing })
        #expect(records.first?.outputs.last?.tensor?.values(as: Double.self) == [14])
        let doubled = try Tensor(.fp64, shape: [3, 1], values: [14.0, 16, 18]).withBytes { Digest(of: $0).hex }
        #expect(records.last?.outputs.last?.content == .digest(doubled))
        #expect(records.last?.outputs.last?.shape == [3, 1])
    }

    @Test func redactionsHideValues() async throws {
        let tensor = try Tensor(.fp64, shape: [2, 3], values: [1.0, 2, 3, 1, 5, 6])
        let model = try model(try policy(#"redact: [{"x[0]": hash}, {"x[2]": mask}]"#))
        _ = try await ask(model, tensor, id: "a")
        let values = try #require(try await kept().first?.inputs.first?.tensor?.values(as: Double.self))
        #expect([values[1], values[2], values[4], values[5]] == [2, 0, 5, 0])
        #expect(values[0] != 1 && values[0] == values[3] && values[0] == values[0].rounded())
        // HMAC-SHA256 of the eight bytes of 1.0 under "key", its first 53 bits: by Python's hmac.
        #expect(values[0] == 1_683_194_461_044_068)
        for text in ["redact: [x]", "redact: [{x: drop}]"] {
            _ = try await ask(try self.model(try policy(text)), tensor, id: "b")
            let part = try #require(try await kept().last?.inputs.first)
            #expect(part.content == .nothing)
            #expect(part.shape == [2, 3])
        }
    }

    @Test func textsAreHashedByWhoHasTheKey() throws {
        let spec = EchoTexts()
        let redactor = try Redactor(
            [.init(input: "x", how: .hash)], of: spec, named: "m", key: Secret("key"))
        let tensor = try Tensor(shape: [2], strings: [Array("ann@example.com".utf8), []])
        guard case .elements(let bytes) = redactor.redact(tensor, input: 0) else {
            Issue.record("it was not hashed")
            return
        }
        let kept = try Tensor(type: .bytes, shape: [2], storage: bytes.withUnsafeBytes { TensorStorage(copying: $0) })
        // Python: hmac.new(b"key", text, "sha256").hexdigest()[:32]
        #expect(
            kept.strings?.map { String(decoding: $0, as: UTF8.self) } == [
                "9e477c88a643485898d5bad53f82b84a", "5d5d139563c95b5967b9bd9a8c9b233a",
            ])
    }

    @Test func aRedactionThatHidesNothingIsRefused() throws {
        var own = RecordPolicy()
        for redaction in [
            RecordPolicy.Redaction(input: "mail", how: .hash), .init(input: "x", column: "name", how: .mask),
        ] {
            own.redactions = [redaction]
            #expect(throws: ServingFailure.self) { _ = try model(own) }
            own.redactions[0].isOptional = true
            #expect(throws: Never.self) { _ = try model(own) }
        }
    }

    @Test func policiesAreRead() throws {
        let text = """
            record:
              sample: 10%
              inputs: false
              redact: [ssn, {"features[3]": mask}, {email: hash}]
              durability: async
              max_bytes: 1KiB
              keep_days: 30
            """
        let policy = try #require(
            try ModelConfiguration.read(text, file: "config.yaml", standard: ModelConfiguration()).configuration.record)
        var expected = RecordPolicy()
        (expected.sample, expected.inputs, expected.durability, expected.maxBytes) = (0.1, false, .asynchronous, 1024)
        expected.keepDays = 30
        expected.redactions = [
            .init(input: "ssn", how: .drop), .init(input: "features", column: "3", how: .mask),
            .init(input: "email", how: .hash),
        ]
        #expect(policy == expected)
        // A model changes what holds for all.
        var standard = ModelConfiguration()
        standard.record = expected
        let own = try ModelConfiguration.read("record: {sample: 1}", file: "c", standard: standard).configuration
        expected.sample = 1
        #expect(own.record == expected)
        for wrong in [
            "record: {sample: 2}", "record: {redact: [{a: blur}]}", "record: {keep_days: 0}", "record: {keep: true}",
            "record: {durability: maybe}", "record: {redact: [{a: hash, b: mask}]}",
        ] {
            #expect(throws: ConfigurationFailure.self, "\(wrong)") {
                _ = try ModelConfiguration.read(wrong, file: "c", standard: ModelConfiguration())
            }
        }
    }

    @Test func aFullLineDropsAndCounts() async throws {
        let slow = SlowChannel()
        let line = RecordLine(slow, model: "m", in: metrics)
        for number in 0..<6000 { line.offer([UInt8(number % 250)]) }
        slow.open()
        await line.drain()
        let dropped = metrics.counter("modelworks_request_records_dropped_total", help: "", labels: ["model": "m"])
            .value
        let kept = metrics.counter("modelworks_request_records_total", help: "", labels: ["model": "m"]).value
        #expect(kept + dropped == 6000)
        #expect(slow.count == Int(kept))
        // What waits, and what the thread had taken already.
        #expect((4096...8192).contains(Int(kept)))
        #expect(dropped > 0)
    }

    @Test func anAnswerThatCanNotBeKeptIsNotGiven() async throws {
        let model = try model(RecordPolicy())
        let tensor = try Tensor(.fp64, shape: [1, 1], values: [1.0])
        await channels.close()
        await #expect(throws: ServingFailure.self) { _ = try await ask(model, tensor, id: "late") }
        var policy = RecordPolicy()
        policy.durability = .asynchronous
        _ = try await ask(try self.model(policy), tensor, id: "nobody waits")
    }
}

/// A model whose input is texts.
private struct EchoTexts: TensorModel {
    let platform = "texts"
    let inputs = [TensorSpec(name: "x", datatype: .bytes, shape: [-1])]
    var outputs: [TensorSpec] { inputs }
    let stacksRows = false
    let byteCount = 1

    func run(_ inputs: [Tensor], wanted: [Int]) throws -> [Tensor] { inputs }
}

/// Keeps nothing until it is opened.
private final class SlowChannel: RecordChannel {
    private let gate = DispatchSemaphore(value: 0)
    private let isOpen = Atomic(false)
    private let appended = Atomic(0)

    var count: Int { appended.load(ordering: .relaxed) }

    func open() {
        isOpen.store(true, ordering: .releasing)
        gate.signal()
    }

    func append(_ record: UnsafeRawBufferPointer) throws {
        if !isOpen.load(ordering: .acquiring) { gate.wait() }
        appended.wrappingAdd(1, ordering: .relaxed)
    }

    func reader(from position: RecordPosition) async throws -> RecordReader { throw StubFailed() }

    func close() async {}
}
