import Basics
import CLMDB
import Foundation
import Synchronization
import Telemetry

/// Reading transactions kept for reuse, so that a read renews one instead of beginning one.
///
/// A slot is a word that holds nothing, a transaction at rest, or the mark of a reader at work or of the end. A reader
/// takes the slot its thread points at, so that threads seldom meet. Taking every slot keeps all readers out.
///
/// Each slot counts its own reads and hands them to the store's counter 64 at a time, with the time of the last: readers
/// on several cores share no line of memory.
final class ReaderSlots: Sendable {
    private static let empty: UInt = 0
    private static let busy: UInt = 1
    private static let closed: UInt = 2
    private static let readsInCount: UInt = 64

    /// A slot with a cache line of its own.
    private struct Slot: ~Copyable {
        let word = Atomic<UInt>(ReaderSlots.empty)
        /// Reads not handed over yet; touched by whoever holds the slot.
        var reads: UInt = 0
        private let padding: (UInt, UInt, UInt, UInt, UInt, UInt) = (0, 0, 0, 0, 0, 0)
    }

    private let environment: LMDBEnvironment
    private let metrics: KeyValueMetrics
    private let count: Int
    private nonisolated(unsafe) let slots: UnsafeMutablePointer<Slot>

    /// - Parameter count: a power of two; how many reads can go on at once.
    init(_ environment: LMDBEnvironment, count: Int, metrics: KeyValueMetrics) {
        self.environment = environment
        self.metrics = metrics
        self.count = count
        slots = .allocate(capacity: count)
        for index in 0..<count { (slots + index).initialize(to: Slot()) }
    }

    deinit {
        slots.deinitialize(count: count)
        slots.deallocate()
    }

    func read<Result>(_ body: (LMDBTransaction) throws -> Result) throws -> Result {
        let (index, resting) = try take()
        slots[index].reads += 1
        let started = slots[index].reads >= ReaderSlots.readsInCount ? count(slots + index) : 0
        defer { if started > 0 { metrics.readSeconds.observe(nanoseconds: SystemTime.monotonicNanoseconds - started) } }
        var kept: OpaquePointer?
        defer { slots[index].word.store(kept.map { UInt(bitPattern: $0) } ?? ReaderSlots.empty, ordering: .releasing) }
        let transaction: OpaquePointer
        if let resting {
            let code = mdb_txn_renew(resting)
            guard code == MDB_SUCCESS else {
                mdb_txn_abort(resting)
                throw LMDBEnvironment.failure(code, "beginning a read", path: environment.path)
            }
            transaction = resting
        } else {
            var begun: OpaquePointer?
            try environment.check(
                mdb_txn_begin(environment.pointer, nil, UInt32(MDB_RDONLY), &begun), "beginning a read")
            guard let begun else {
                throw KeyValueFailure.engine(
                    path: environment.path, action: "beginning a read", reason: "no transaction")
            }
            transaction = begun
        }
        kept = transaction
        defer { mdb_txn_reset(transaction) }
        return try body(LMDBTransaction(environment: environment, pointer: transaction))
    }

    /// Runs `body` while no read goes on.
    /// - Parameter patience: how many milliseconds to wait for reads that are going on.
    /// - Returns: nil when they took longer.
    func exclusively<Result>(patience: UInt64, _ body: () throws -> Result) rethrows -> Result? {
        let deadline = SystemTime.monotonicNanoseconds + patience * 1_000_000
        var taken: [UInt] = []
        defer {
            for (index, word) in taken.enumerated() { slots[index].word.store(word, ordering: .releasing) }
        }
        while taken.count < count {
            let word = slots[taken.count].word.exchange(ReaderSlots.busy, ordering: .acquiring)
            if word != ReaderSlots.busy {
                taken.append(word)
            } else if SystemTime.monotonicNanoseconds > deadline {
                return nil
            } else {
                usleep(50)
            }
        }
        return try body()
    }

    /// Lets the reads under way end and no other begin, and ends all transactions at rest.
    func close() {
        for index in 0..<count {
            var word = slots[index].word.exchange(ReaderSlots.busy, ordering: .acquiring)
            while word == ReaderSlots.busy {
                usleep(50)
                word = slots[index].word.exchange(ReaderSlots.busy, ordering: .acquiring)
            }
            if let resting = ReaderSlots.transaction(word) { mdb_txn_abort(resting) }
            metrics.reads.increment(by: UInt64(slots[index].reads))
            slots[index].reads = 0
            slots[index].word.store(ReaderSlots.closed, ordering: .releasing)
        }
    }

    /// Hands over a slot's reads.
    /// - Returns: the time, in nanoseconds of the monotonic clock.
    private func count(_ slot: UnsafeMutablePointer<Slot>) -> UInt64 {
        metrics.reads.increment(by: UInt64(slot.pointee.reads))
        slot.pointee.reads = 0
        return SystemTime.monotonicNanoseconds
    }

    private func take() throws -> (index: Int, resting: OpaquePointer?) {
        let first = Int(truncatingIfNeeded: SplitMix.mix(UInt64(UInt(pthread_self()))) & UInt64(count - 1))
        var attempt = 0
        while true {
            let index = (first + attempt) & (count - 1)
            let word = slots[index].word.exchange(ReaderSlots.busy, ordering: .acquiring)
            if word == ReaderSlots.closed {
                slots[index].word.store(word, ordering: .releasing)
                throw KeyValueFailure.closed(store: environment.path)
            }
            if word != ReaderSlots.busy { return (index, ReaderSlots.transaction(word)) }
            attempt &+= 1
            // All slots are taken: more readers than slots, or the store is growing.
            if attempt % count == 0 { sched_yield() }
        }
    }

    private static func transaction(_ word: UInt) -> OpaquePointer? {
        word == busy || word == closed ? nil : OpaquePointer(bitPattern: word)
    }
}
