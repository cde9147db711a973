import Basics
import Engines
import Foundation
import SQL
import Sealing
import Synchronization
import TestSupport

@testable import Journal

struct Refused: Error {}

/// A journal in an empty database of an engine.
final class Fixture: Sendable {
    let folder: TemporaryFolder
    let engine: SQLEngine
    let database: Database
    let journal: Journal

    init(_ engine: SQLEngine) async throws {
        folder = try TemporaryFolder()
        self.engine = engine
        database = try await engine.database(in: folder)
        try await database.migrate(Journal.migrations)
        journal = Journal(database)
    }

    func fill(_ count: Int) async throws {
        try await database.write { transaction in
            for index in 1...count {
                try Journal.append(draft(index), in: transaction, at: Timestamp(seconds: Int64(index)))
            }
        }
    }

    /// Changes rows as someone could who has the database itself.
    func tamper(_ sql: String, _ parameters: [SQLValue] = []) async throws {
        let suffix = engine.rawValue == "sqlite" ? "" : " ON "
        try await database.write { transaction in
            for table in ["journal", "journal_checkpoints"] {
                for trigger in ["unchanging", "undeletable"] {
                    let place = suffix.isEmpty ? "" : suffix + table
                    try transaction.execute("DROP TRIGGER IF EXISTS \(table)_\(trigger)\(place)")
                }
            }
            try transaction.execute(sql, parameters)
        }
    }

    /// Gives every entry from `first` on the hashes that its fields ask for, and the head the last of them.
    func rehash(from first: Int64) async throws {
        let entries = try await journal.entries(limit: 1_000_000)
        var previous = entries.last { $0.sequence < first }?.hash ?? Journal.genesis
        for entry in entries where entry.sequence >= first {
            let hash = JournalEntry.hash(
                sequence: entry.sequence, time: entry.time, principal: entry.principal, type: entry.type,
                subject: entry.subject, bodyText: entry.bodyText, previousHash: previous)
            try await tamper(
                "UPDATE journal SET previous_hash = ?, hash = ? WHERE sequence = ?",
                [.init(previous), .init(hash), .integer(entry.sequence)])
            previous = hash
        }
        try await tamper("UPDATE journal_head SET hash = ?", [.init(previous)])
    }
}

func draft(_ index: Int) -> JournalDraft {
    JournalDraft(
        principal: "user:mina", type: index % 2 == 0 ? "even" : "odd", subject: "model:\(index % 3)",
        body: ["n": .integer(Int64(index)), "text": "é/\"\n"])
}

/// A clock that can be set to any moment, earlier ones too.
final class LooseTime: TimeSource {
    private let moment: Mutex<Timestamp>

    init(_ start: Timestamp) { moment = Mutex(start) }

    var now: Timestamp {
        get { moment.withLock { $0 } }
        set { moment.withLock { $0 = newValue } }
    }
}

/// The key that tests sign with.
func signer() throws -> SigningKey { try SigningKey(seed: [UInt8](repeating: 7, count: 32)) }

/// An anchor that fails when it is told to.
final class ShakyAnchor: JournalAnchor {
    let place = "a shaky place"
    private let inner: any JournalAnchor
    private let failures = Mutex(0)

    init(_ inner: any JournalAnchor) { self.inner = inner }

    func fail(times: Int) { failures.withLock { $0 = times } }

    func store(_ checkpoint: Checkpoint) async throws {
        let fails = failures.withLock { count in
            defer { count = max(0, count - 1) }
            return count > 0
        }
        if fails { throw JournalFailure.anchor(place: place, reason: "it was told to fail") }
        try await inner.store(checkpoint)
    }

    func latest() async throws -> Checkpoint? { try await inner.latest() }
    func history() async throws -> [Checkpoint] { try await inner.history() }
}
