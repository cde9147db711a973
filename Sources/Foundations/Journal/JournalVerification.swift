import Basics
import SQL
import Sealing

extension Journal {
    /// Recomputes every hash of the chain up to its present end, in bounded memory.
    public func verify() async throws -> VerificationResult {
        switch try await verify(marks: []) {
        case (let end, nil): .intact(entries: end.sequence, head: end.hash)
        case (_, let fault?):
            switch fault.kind {
            case .broken(let reason): .broken(sequence: fault.sequence, reason: reason)
            case .forked: .broken(sequence: fault.sequence, reason: .hashMismatch)
            }
        }
    }

    /// Recomputes every hash of the chain and compares it with the checkpoints of the database and of an anchor.
    /// - Parameters:
    ///   - anchor: what the end of the journal is compared with; nil for the chain and the database's checkpoints alone.
    ///   - keys: what checkpoints must be signed with; nil leaves signatures unchecked.
    /// - Throws: `JournalFailure.anchor` where the anchor can not be read, or the `SQLFailure` of the engine.
    public func verify(anchor: (any JournalAnchor)?, keys: SigningKeyring?) async throws -> JournalReport {
        // Before the end of the journal is read: what is anchored meanwhile would seem cut off.
        let outside = try await anchor?.history() ?? []
        let inside = try await database.read { transaction in
            var found: [(sequence: Int64, checkpoint: Checkpoint?)] = []
            try transaction.forEach("SELECT * FROM journal_checkpoints ORDER BY sequence") { row in
                found.append((try row.integer("sequence"), Journal.checkpoint(row)))
            }
            return found
        }
        var sound: [Checkpoint] = []
        var unsound: (sequence: Int64, place: String)?
        for (sequence, checkpoint, place) in inside.map({ ($0.sequence, $0.checkpoint, "the database") })
            + outside.map({ ($0.sequence, Optional($0), anchor?.place ?? "the anchor") })
        {
            if let checkpoint, keys.map(checkpoint.isSigned) ?? true {
                sound.append(checkpoint)
            } else if sequence <= unsound?.sequence ?? .max {
                unsound = (sequence, place)
            }
        }
        sound.sort { $0.sequence < $1.sequence }
        let marks = sound.map { ChainCheck.Link(sequence: $0.sequence, hash: $0.hash) }
        let (end, fault) = try await verify(marks: marks)
        let verdict: JournalReport.Verdict
        if let fault {
            switch fault.kind {
            case .broken(let reason): verdict = .broken(sequence: fault.sequence, reason: reason)
            case .forked:
                let good = marks.last { $0.sequence < fault.sequence }
                verdict = .forked(sequence: fault.sequence, lastGood: good?.sequence ?? 0)
            }
        } else if let last = marks.last, last.sequence > end.sequence {
            verdict = .cutOff(entries: end.sequence, anchored: last.sequence)
        } else if let unsound {
            verdict = .badSignature(sequence: unsound.sequence, place: unsound.place)
        } else {
            verdict = .intact
        }
        return JournalReport(
            verdict: verdict, entries: end.sequence, head: end.hash,
            anchored: outside.max { $0.sequence < $1.sequence }, checkpoints: inside.count + outside.count,
            signaturesChecked: keys != nil)
    }

    private func verify(marks: [ChainCheck.Link]) async throws -> (end: ChainCheck.Link, fault: ChainCheck.Fault?) {
        let (end, beyond) = try await database.read { transaction in
            let head = try Journal.end(in: transaction)
            let next = try transaction.first(
                "SELECT sequence FROM journal WHERE sequence > ? OR sequence < 1 ORDER BY sequence LIMIT 1",
                [.integer(head.sequence)])
            return (ChainCheck.Link(sequence: head.sequence, hash: head.hash), try next?.integer("sequence"))
        }
        let start = ChainCheck.Link(sequence: 0, hash: Journal.genesis)
        let fault = try await ChainCheck(database: database, marks: marks).run(from: start, to: end)
        return (end, fault ?? beyond.map { ChainCheck.Fault($0, .beyondHead) })
    }
}
