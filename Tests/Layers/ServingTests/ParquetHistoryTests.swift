import Basics
import Columnar
import Foundation
import Inference
import ObjectStorage
import Records
import TestSupport
import Testing

@testable import Serving

/// Records that are taken out of their log into Parquet: each is seen once, whatever breaks off.
@Suite(.timeLimit(.minutes(3)))
struct ParquetHistoryTests {
    private let folder: TemporaryFolder
    private let engine: ColumnarEngine
    private static let day: Int64 = 86_400_000_000
    private static let start: Int64 = 1_764_000_000_000_000

    init() throws {
        folder = try TemporaryFolder()
        engine = ColumnarEngine(ColumnarOptions(threads: 1, temporaryDirectory: folder("scratch"), connections: 1))
    }

    private struct Died: Error {}

    private func record(_ number: Int, daysLater days: Int = 0) -> TensorRecord {
        let values = [Float(number), .nan].withUnsafeBytes { [UInt8]($0) }
        let text = try? Tensor(shape: [1], strings: [Array("text \(number)".utf8)]).withBytes { [UInt8]($0) }
        return TensorRecord(
            id: number % 5 == 0 ? "batch\(number)/3" : "r\(number)", model: "m", version: "\(number % 2 + 1)",
            outcome: number % 7 == 0 ? .failed : .answered,
            recorded: Timestamp(microseconds: Self.start + Int64(days) * Self.day + Int64(number)),
            stages: StageTimes(ingest: UInt64(number), total: UInt64(number) * 2),
            batchRows: 1, error: number % 7 == 0 ? "it's broken" : "",
            inputs: [
                .init(name: "x", type: .fp32, shape: [1, 2], content: .elements(values)),
                .init(name: "a\"b/c~d", type: .bytes, shape: [1], content: text.map { .elements($0) } ?? .nothing),
            ],
            outputs: [.init(name: "y", type: .int64, shape: [0], content: .elements([]))])
    }

    private func open(_ onStep: @escaping @Sendable (ParquetHistory.Step) throws -> Void = { _ in }) throws
        -> (records: LocalRecords, history: ParquetHistory)
    {
        let history = try ParquetHistory(folder: folder("history"), kind: .model, engine: engine, onStep: onStep)
        return (try LocalRecords(folder: folder("log"), history: history), history)
    }

    private func append(_ numbers: Range<Int>, days: Int = 0, to records: LocalRecords) throws {
        for number in numbers {
            try record(number, daysLater: days).encoded().withUnsafeBytes { try records.append($0) }
        }
    }

    private func compact(_ records: LocalRecords, expiring: Timestamp? = nil) async throws -> LocalRecords.Compacted {
        try await records.compact(all: true, expiringBefore: expiring, on: BlockingThread(name: "compacts"))
    }

    /// Every record, and that positions lead on from one to the next.
    private func numbers(_ records: LocalRecords, from position: RecordPosition = .start) async throws -> [Int] {
        var (found, expected): ([Int], RecordPosition?) = ([], nil)
        try await records.reader(from: position).read { logged in
            let read = try #require(TensorRecord(logged.bytes))
            let number = Int(read.stages.ingest)
            if let expected { #expect(logged.position == expected) }
            expected = logged.next
            let days = Int((read.recorded.microseconds - Self.start) / Self.day)
            #expect(read.encoded() == record(number, daysLater: days).encoded())
            found.append(number)
        }
        return found
    }

    private var segments: [String] {
        get throws {
            try FileManager.default.contentsOfDirectory(atPath: folder("log")).filter { $0.hasSuffix(".records") }
        }
    }

    @Test func readersSeeEachRecordOnce() async throws {
        var (records, history) = try open()
        try append(0..<300, to: records)
        let middle = try await position(of: 200, in: records)
        #expect(try await compact(records).records == 300)
        #expect(try segments.count == 1)
        #expect(try await numbers(records) == Array(0..<300))
        try append(300..<400, days: 1, to: records)
        #expect(try await numbers(records) == Array(0..<400))
        #expect(try await numbers(records, from: middle) == Array(200..<400))
        #expect(try await compact(records).records == 100)
        #expect(try await compact(records).records == 0)
        #expect(history.fileCount == 2)
        await records.close()
        (records, history) = try open()
        try append(400..<410, days: 2, to: records)
        #expect(try await numbers(records) == Array(0..<410))
        #expect(try await numbers(records, from: middle) == Array(200..<410))
        // A reader stays as it was when it was asked for.
        let reader = try await records.reader(from: .start)
        try append(410..<420, days: 2, to: records)
        _ = try await compact(records)
        var count = 0
        try reader.read { _ in count += 1 }
        #expect(count == 410)
    }

    private func position(of number: Int, in records: LocalRecords) async throws -> RecordPosition {
        var found: RecordPosition?
        try await records.reader(from: .start).read { logged in
            if TensorRecord(logged.bytes)?.stages.ingest == UInt64(number) { found = logged.position }
        }
        return try #require(found)
    }

    /// Whatever step a process dies after, the next one goes on, and nothing is lost or seen twice.
    @Test(arguments: ParquetHistory.Step.allCases, [false, true])
    func aDeathLosesAndDoublesNothing(step: ParquetHistory.Step, secondBatch: Bool) async throws {
        do {
            let (records, _) = try open()
            try append(0..<50, to: records)
            if secondBatch { _ = try await compact(records) }
            await records.close()
        }
        do {
            let (records, _) = try open { if $0 == step { throw Died() } }
            try append(50..<90, days: 1, to: records)
            await #expect(throws: Died.self) { _ = try await compact(records) }
            // As the death of the process would, it leaves the log as it is.
            await records.close()
        }
        let (records, history) = try open()
        #expect(try await numbers(records) == Array(0..<90))
        try append(90..<95, days: 1, to: records)
        _ = try await compact(records)
        #expect(try await numbers(records) == Array(0..<95))
        let files = try FileManager.default.subpathsOfDirectory(atPath: folder("history"))
        #expect(files.count { $0.hasSuffix(".parquet") } == history.fileCount)
        #expect(!files.contains { $0.hasSuffix(".partial") })
        #expect(try segments.count == 1)
    }

    @Test func otherProgramsReadColumns() async throws {
        let (records, _) = try open()
        try append(0..<100, to: records)
        try append(100..<140, days: 1, to: records)
        _ = try await compact(records)
        let days = try FileManager.default.contentsOfDirectory(atPath: folder("history")).filter {
            $0.hasPrefix("day=")
        }
        #expect(days.sorted() == ["day=2025-11-24", "day=2025-11-25"])
        let table = try await engine.query(
            """
            SELECT count(*) AS rows, count(error) AS errors, sum("input:x"[1]) AS x, count("input:x"[2]) AS nan,
              count(DISTINCT version) AS versions, sum(total_ns) AS total, max(len("output:y")) AS empty,
              max(recorded) AS last
            FROM read_parquet('\(folder("history"))/*/*.parquet', hive_partitioning = false)
            """)
        #expect(try table.integers("rows") == [140])
        #expect(try table.integers("errors") == [20])
        // 0 + ... + 139.
        #expect(try table.doubles("x") == [9730])
        #expect(try table.integers("nan") == [0])
        #expect(try table.integers("versions") == [2])
        #expect(try table.doubles("total") == [19_460])
        #expect(try table.integers("empty") == [0])
        #expect(try table.timestamps("last") == [record(139, daysLater: 1).recorded])
    }

    @Test func idsAreFoundInBoth() async throws {
        let channels = try RecordChannels(
            localIn: folder("records"), histories: ParquetHistory.histories(in: folder("histories"), engine: engine))
        let channel = try channels.channel(RequestRecords.kind, "m")
        let endpoint = try channels.channel("predictions", "delay")
        for number in 0..<20 { try record(number).encoded().withUnsafeBytes { try channel.append($0) } }
        try prediction("r3", output: 0.25).withUnsafeBytes { try endpoint.append($0) }
        let finder = PredictionFinder(channels, endpoints: EndpointTable())
        for isCompacted in [false, true] {
            if isCompacted {
                let done = try await channels.compact(["predictions", RequestRecords.kind], all: true) { _, _ in nil }
                #expect(done.records == 21)
            }
            let found = try await finder.find("r3")
            #expect(found.map(\.kind) == [.endpoint, .model])
            #expect(found.first?.outputs.first?.data == [.number(0.25)])
            #expect(found.last?.inputs.first?.data == [.number(3), .null])
            #expect(found.last?.inputs.last?.data == [.string("text 3")])
            #expect(try await finder.find("batch5").map(\.id) == ["batch5/3"])
            #expect(try await finder.find("batch5/3").map(\.id) == ["batch5/3"])
            await #expect(throws: ServingFailure.self) { _ = try await finder.find("batch") }
            let newest = try await finder.list(.init(model: "m", limit: 3)).map(\.stages.ingest)
            #expect(newest == [19, 18, 17])
            let since = try await finder.list(.init(model: "m", since: record(12).recorded, limit: 100))
            #expect(since.count == 8)
            #expect(try await finder.list(.init(limit: 100)).count == 21)
            await #expect(throws: ServingFailure.self) { _ = try await finder.list(.init(model: "nobody")) }
        }
        await channels.close()
    }

    private func prediction(_ id: String, output: Double) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: PredictionRecord.size(id: id.utf8.count, features: 1))
        let features = [2.5]
        let count = bytes.withUnsafeMutableBytes { buffer in
            Array(id.utf8).withUnsafeBytes { id in
                features.withUnsafeBufferPointer { features in
                    PredictionRecord.encode(
                        into: buffer, id: id, eventTime: 5, recorded: Self.start - 1, version: 4, arm: .canary,
                        outcome: .answered, output: output, ingestNanoseconds: 1, featureNanoseconds: 2,
                        inferenceNanoseconds: 3, features: features)
                }
            }
        }
        return Array(bytes.prefix(count))
    }

    @Test func whatIsTooOldGoesByDays() async throws {
        let (records, history) = try open()
        for day in 0..<4 {
            try append(day * 10..<day * 10 + 10, days: day, to: records)
            _ = try await compact(records)
        }
        #expect(history.fileCount == 4)
        let moment = Timestamp(microseconds: Self.start + 2 * Self.day)
        #expect(try await compact(records, expiring: moment).expired == 20)
        #expect(try await numbers(records) == Array(20..<40))
        #expect(history.fileCount == 2)
        let all = Timestamp(microseconds: Self.start + 9 * Self.day)
        #expect(try await compact(records, expiring: all).expired == 20)
        #expect(try await numbers(records).isEmpty)
        try append(40..<45, to: records)
        #expect(try await numbers(records) == Array(40..<45))
    }

    @Test func aLogBehindItsHistoryIsNotOpened() async throws {
        let (records, _) = try open()
        try append(0..<10, to: records)
        _ = try await compact(records)
        await records.close()
        try FileManager.default.removeItem(atPath: folder("log"))
        #expect(throws: StorageFailure.self) { _ = try open() }
    }
}
