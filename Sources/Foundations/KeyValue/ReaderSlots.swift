import Basics
import CLMDB
import Foundation
import Synchronization

/// Reading transactions kept for reuse, so that a read renews one instead of beginning one.
///
/// A slot is a word that holds nothing, a transaction at rest, or the mark of a reader at work. A reader takes the slot
/// its thread points at, so that threads seldom meet. Taking every slot keeps all readers out.
final class ReaderSlots: Sendable {
    private static let empty: UInt = 0
    private static let busy: UInt = 1

    /// A slot with a cache line of its own.
    private struct Slot: ~Copyable {
        let word = Atomic<UInt>(ReaderSlots.empty)
        private let padding: (UInt, UInt, UInt, UInt, UInt, UInt, UInt) = (0, 0, 0, 0, 0, 0, 0)
    }

    private let environment: LMDBEnvironment
    private let count: Int
    private nonisolated(unsafe) let slots: UnsafeMutablePointer<Slot>

    /// - Parameter count: a power of two; how many reads can go on at once.
    init(_ environment: LMDBEnvironment, count: Int) {
        self.environment = environment
        self.count = count
        slots = .allocate(capacity: count)
        for index in 0..<count { (slots + index).initialize(to: Slot()) }
    }

    deinit {
        slots.deinitialize(count: count)
        slots.deallocate()
    }

    func read<Result>(_ body: (LMDBTransaction) throws -> Result) throws -> Result {
        let (index, resting) = take()
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

    /// Ends all transactions at rest; called when no read can begin any more.
    func abort() {
        for index in 0..<count {
            let word = slots[index].word.exchange(ReaderSlots.empty, ordering: .acquiring)
            if let resting = ReaderSlots.transaction(word) { mdb_txn_abort(resting) }
        }
    }

    private func take() -> (index: Int, resting: OpaquePointer?) {
        let first = Int(truncatingIfNeeded: SplitMix.mix(UInt64(UInt(pthread_self()))) & UInt64(count - 1))
        var attempt = 0
        while true {
            let index = (first + attempt) & (count - 1)
            let word = slots[index].word.exchange(ReaderSlots.busy, ordering: .acquiring)
            if word != ReaderSlots.busy { return (index, ReaderSlots.transaction(word)) }
            attempt &+= 1
            // All slots are taken: more readers than slots, or the store is growing.
            if attempt % count == 0 { sched_yield() }
        }
    }

    private static func transaction(_ word: UInt) -> OpaquePointer? {
        word == busy ? nil : OpaquePointer(bitPattern: word)
    }
}
