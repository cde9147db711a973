import Basics
import Features
import Foundation
import KeyValue
import Synchronization

/// `materialize [--rows N] [--per-entity N] [--redis]`: brings a view of ten features online, twice, while reads go on.
struct MaterializeBench {
    static func run(_ words: [String]) async throws {
        func number(_ name: String, _ value: Int) -> Int {
            words.firstIndex(of: name).flatMap { $0 + 1 < words.count ? Int(words[$0 + 1]) : nil } ?? value
        }
        let onRedis = words.contains("--redis")
        let rows = number("--rows", 1_000_000)
        let perEntity = number("--per-entity", 1)
        let factory = try await OnlineBenchFactory(entities: rows, perEntity: perEntity, onRedis: onRedis)
        let reader = try await factory.store.onlineReader(.features(["v0"]))
        for pass in ["first, into an empty store", "again, over what is stored"] {
            PeakMemory.reset()
            let reads = BackgroundReads(reader, entities: rows)
            // The factory's own clock stands still.
            let start = SystemTime.monotonicNanoseconds
            let processor = ProcessorTime.seconds
            let report = try await factory.store.materialize(from: nil, by: "bench")
            let seconds = Double(SystemTime.monotonicNanoseconds - start) / 1e9
            let spent = ProcessorTime.seconds - processor
            let (count, p50, p99, anonymous) = await reads.end()
            BenchRow(
                what:
                    "materialize \(rows) x 10 to \(onRedis ? "Redis" : "LMDB"), \(perEntity) rows each, \(pass), reads of 10 "
                    + "entities meanwhile",
                ours: "\(report.written) rows, \(Int(Double(report.written) / seconds)) rows/s, processor "
                    + "\(BenchRow.number(spent)) s",
                latency: "\(p50) / \(p99) us of \(count) reads",
                memory: "\(PeakMemory.megabytes) MB, of it \(anonymous) MB no mapped file"
            ).show()
        }
        try await factory.close()
    }
}

/// Reads ten entities every two milliseconds, as long as something else goes on.
final class BackgroundReads: Sendable {
    private let isOver = Atomic<Bool>(false)
    private let micros = Mutex<[Int]>([])
    private let anonymous = Mutex(0)
    private let ended = Mutex<CheckedContinuation<Void, Never>?>(nil)

    init(_ reader: OnlineReader, entities: Int) {
        Thread { [self] in
            let random = SeededRandom(seed: 3)
            var keys = OnlineKeys(keysPerEntity: 1)
            var reads = 0
            while !isOver.load(ordering: .relaxed) {
                keys.clear()
                for _ in 0..<10 { keys.append(.integer(Int64(random.next() % UInt64(entities)))) }
                let start = SystemTime.monotonicNanoseconds
                let sum = try? reader.read(keys, at: OnlineBenchFactory.now.microseconds) { batch in
                    var sum = 0.0
                    for output in reader.outputs.indices { batch.forEach(output) { sum += $0.cell.number } }
                    return sum
                }
                let taken = Int((SystemTime.monotonicNanoseconds - start) / 1000)
                if sum != nil { micros.withLock { $0.append(taken) } }
                if reads.isMultiple(of: 20) { anonymous.withLock { $0 = max($0, PeakMemory.anonymous) } }
                reads += 1
                usleep(2000)
            }
            ended.withLock { $0?.resume() }
        }.start()
    }

    /// Ends the reads: how many there were, how long they took in microseconds, and the most memory that was no mapped file.
    func end() async -> (count: Int, p50: Int, p99: Int, anonymous: Int) {
        await withCheckedContinuation { continuation in
            ended.withLock { $0 = continuation }
            isOver.store(true, ordering: .relaxed)
        }
        let sorted = micros.withLock { $0.sorted() }
        func at(_ share: Double) -> Int {
            sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
        }
        return (sorted.count, at(0.5), at(0.99), anonymous.withLock { $0 })
    }
}
