import Basics
import SQL

extension Journal {
    // Small enough to hold in memory, large enough that the cost of a read is lost in it; between batches the engine may
    // fold its log back into the database.
    private static let batch: Int64 = 10_000

    /// Recomputes every hash of the chain up to its present end, in bounded memory.
    public func verify() async throws -> VerificationResult {
        let (head, beyond) = try await database.read { transaction in
            let head = try Journal.end(in: transaction)
            let next = try transaction.first(
                "SELECT sequence FROM journal WHERE sequence > ? OR sequence < 1 LIMIT 1", [.integer(head.sequence)])
            return (head, try next?.integer("sequence"))
        }
        var link = Link(sequence: 0, hash: Journal.genesis)
        while link.sequence < head.sequence {
            let from = link
            switch try await database.read({ try Journal.check(from: from, to: head.sequence, in: $0) }) {
            case .failure(let fault): return .broken(sequence: fault.sequence, reason: fault.reason)
            case .success(let reached): link = reached
            }
        }
        guard link.hash == head.hash else { return .broken(sequence: head.sequence, reason: .brokenChain) }
        if let beyond { return .broken(sequence: beyond, reason: .beyondHead) }
        return .intact(entries: head.sequence, head: head.hash)
    }

    /// Writes the journal as JSON lines, oldest first, in bounded memory.
    /// - Parameter write: takes each piece of whole lines; called on a thread where it may block.
    /// - Returns: how many entries were written.
    @discardableResult
    public func export(to write: @escaping @Sendable ([UInt8]) throws -> Void) async throws -> Int64 {
        let head = try await head().sequence
        var sequence: Int64 = 0
        while sequence < head {
            let from = sequence
            sequence = try await database.read { transaction in
                var bytes: [UInt8] = []
                let limit = min(1000, head - from)
                let entries = try Journal.entries(in: transaction, after: from, limit: Int(limit))
                guard let last = entries.last else {
                    throw JournalFailure.damaged(sequence: from + 1, reason: "it is missing")
                }
                for entry in entries { bytes.append(contentsOf: try entry.line().utf8) }
                try write(bytes)
                return last.sequence
            }
        }
        return head
    }

    private struct Link: Sendable {
        var sequence: Int64
        var hash: Digest
    }

    private struct Fault: Error {
        let sequence: Int64
        let reason: VerificationResult.Reason
    }

    private static func check(from: Link, to head: Int64, in transaction: Transaction) throws -> Result<Link, Fault> {
        var link = from
        let end = min(head, from.sequence + batch)
        do {
            try transaction.forEach(
                "SELECT * FROM journal WHERE sequence > ? AND sequence <= ? ORDER BY sequence",
                [.integer(from.sequence), .integer(end)]
            ) { row in
                let next = link.sequence + 1
                guard try row.integer("sequence") == next else { throw Fault(sequence: next, reason: .missingSequence) }
                guard let entry = try? entry(row) else { throw Fault(sequence: next, reason: .unreadable) }
                guard entry.expectedHash == entry.hash else { throw Fault(sequence: next, reason: .hashMismatch) }
                guard entry.previousHash == link.hash else { throw Fault(sequence: next, reason: .brokenChain) }
                link = Link(sequence: next, hash: entry.hash)
            }
        } catch let fault as Fault {
            return .failure(fault)
        }
        guard link.sequence == end else {
            return .failure(Fault(sequence: link.sequence + 1, reason: .missingSequence))
        }
        return .success(link)
    }
}
