import Basics
import SQL

/// Recomputes the hashes of a range of the journal: batches of it are read and hashed at the same time, each on a thread
/// of the database, and joined in order.
struct ChainCheck: Sendable {
    /// An entry and its hash.
    struct Link: Sendable, Hashable {
        var sequence: Int64
        var hash: Digest
    }

    /// What is wrong with an entry.
    enum Kind: Sendable, Hashable, CustomStringConvertible {
        case broken(VerificationResult.Reason)
        /// Another hash than a checkpoint vouches for.
        case forked

        var description: String {
            switch self {
            case .broken(let reason): reason.rawValue
            case .forked: "another hash than was signed"
            }
        }
    }

    struct Fault: Error, Sendable, Hashable {
        let sequence: Int64
        let kind: Kind

        init(_ sequence: Int64, _ reason: VerificationResult.Reason) {
            self.sequence = sequence
            kind = .broken(reason)
        }

        init(forked sequence: Int64) {
            self.sequence = sequence
            kind = .forked
        }
    }

    /// A batch that was checked for itself.
    private struct Batch: Sendable {
        let first: Int64
        /// The previous hash that its first entry states.
        var previous: String?
        var last: Link
        var fault: Fault?
    }

    let database: Database
    /// What entries must hash to by checkpoints, by ascending sequence.
    var marks: [Link] = []
    /// How many batches are under way at once.
    var parallel = 2
    // Small enough for many to be under way, large enough that the cost of a read is lost in it; between batches the
    // engine may fold its log back into the database.
    var batch: Int64 = 10_000

    /// Checks the entries after `start` up to `end`, and that the last has the hash `end` states.
    /// - Returns: the first that is not as it was written, or nil.
    func run(from start: Link, to end: Link) async throws -> Fault? {
        guard end.sequence >= start.sequence else { return Fault(end.sequence, .brokenChain) }
        return try await withThrowingTaskGroup(of: Batch.self) { group in
            var asked = start.sequence
            var done: [Int64: Batch] = [:]
            var link = start
            func ask() {
                guard asked < end.sequence else { return }
                let from = asked
                let to = end.sequence - from > batch ? from + batch : end.sequence
                asked = to
                group.addTask { try await check(after: from, through: to) }
            }
            for _ in 0..<max(1, parallel) { ask() }
            while link.sequence < end.sequence, let finished = try await group.next() {
                done[finished.first] = finished
                while let next = done.removeValue(forKey: link.sequence + 1) {
                    let faultsFirst = next.fault?.sequence == next.first
                    if !faultsFirst, let previous = next.previous, previous != link.hash.hex {
                        group.cancelAll()
                        return Fault(next.first, .brokenChain)
                    }
                    if let fault = next.fault {
                        group.cancelAll()
                        return fault
                    }
                    link = next.last
                }
                ask()
            }
            return link.hash == end.hash ? nil : Fault(end.sequence, .brokenChain)
        }
    }

    private func check(after from: Int64, through to: Int64) async throws -> Batch {
        let marks = marks(after: from, through: to)
        return try await database.read { transaction in
            var batch = Batch(first: from + 1, last: Link(sequence: from, hash: Journal.genesis))
            do { try Self.check(&batch, through: to, marks: marks, in: transaction) } catch let fault as Fault {
                batch.fault = fault
            }
            return batch
        }
    }

    private static func check(
        _ batch: inout Batch, through to: Int64, marks: [Link], in transaction: Transaction
    ) throws {
        var encoding = FieldEncoding()
        var sequence = batch.first - 1
        var marks = marks[...]
        var known: Digest?
        try transaction.forEach(
            """
            SELECT sequence, time, principal, type, subject, body, previous_hash, hash FROM journal
            WHERE sequence > ? AND sequence <= ? ORDER BY sequence
            """, [.integer(sequence), .integer(to)]
        ) { row in
            let next = sequence + 1
            let values = row.values
            guard values.count == 8, case .integer(next) = values[0] else { throw Fault(next, .missingSequence) }
            guard case .integer(let time) = values[1], case .text(let principal) = values[2],
                case .text(let type) = values[3], case .text(let subject) = values[4],
                case .text(let body) = values[5], case .text(let previous) = values[6],
                case .text(let stored) = values[7]
            else { throw Fault(next, .unreadable) }
            let hash = encoding.entry(
                sequence: next, time: time, principal: principal, type: type, subject: subject, body: body,
                previousHash: previous)
            guard hash.hex == stored else { throw Fault(next, .hashMismatch) }
            if let known {
                guard known.hex == previous else { throw Fault(next, .brokenChain) }
            } else {
                batch.previous = previous
            }
            while let mark = marks.first, mark.sequence == next {
                guard mark.hash == hash else { throw Fault(forked: next) }
                marks = marks.dropFirst()
            }
            known = hash
            sequence = next
        }
        guard sequence == to, let known else { throw Fault(sequence + 1, .missingSequence) }
        batch.last = Link(sequence: sequence, hash: known)
    }

    /// The marks of a range, found by halving.
    private func marks(after from: Int64, through to: Int64) -> [Link] {
        func place(_ sequence: Int64) -> Int {
            var (low, high) = (0, marks.count)
            while low < high {
                let middle = (low + high) / 2
                if marks[middle].sequence <= sequence { low = middle + 1 } else { high = middle }
            }
            return low
        }
        return Array(marks[place(from)..<place(to)])
    }
}
