import Basics
import Foundation
import SQL
import Sealing

/// Makes checkpoints of a journal: signed, kept in its database and in an anchor outside.
///
/// It signs nothing that it has not checked: the entries since the anchored checkpoint are verified first, and a journal
/// that lacks anchored entries, or has others in their place, is never signed again.
public actor Checkpointer {
    public nonisolated let journal: Journal
    /// The keys that sign and verify.
    public nonisolated let keys: SigningKeyring
    public nonisolated let anchor: any JournalAnchor
    private let signer: SigningKey
    private let everyEntries: Int64
    private let everySeconds: Int64
    private let time: any TimeSource
    private var turn: Task<Checkpoint?, any Error>?
    /// The checkpoint that is known to be anchored.
    private var anchored: Checkpoint?
    private var knowsAnchor = false

    /// - Parameter keys: must hold a private key.
    /// - Throws: `JournalFailure.noSigner`.
    public init(_ journal: Journal, keys: SigningKeyring, options: JournalOptions, time: any TimeSource) throws {
        guard let signer = keys.signer else { throw JournalFailure.noSigner }
        self.journal = journal
        self.keys = keys
        self.signer = signer
        self.time = time
        anchor = options.anchor
        everyEntries = options.everyEntries
        everySeconds = options.everySeconds
    }

    /// Reads the key file, making it where there is none, and the folder it is in.
    /// - Throws: the `SealingFailure` of the key file.
    public static func open(
        _ journal: Journal, options: JournalOptions, time: any TimeSource
    ) async throws -> Checkpointer {
        let path = options.signingKeyFile
        let keys = try await BlockingThread(name: "journal.key").run {
            let folder = (path as NSString).deletingLastPathComponent
            if !folder.isEmpty, mkdir(folder, 0o700) != 0, errno == ENOENT {
                try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            }
            return try SigningKeyring.opened(atFile: path)
        }
        return try Checkpointer(journal, keys: keys, options: options, time: time)
    }

    /// Makes a checkpoint of the journal as it is and anchors it. One that a crash left in the database only is anchored
    /// now.
    /// - Returns: the anchored checkpoint; nil while the journal is empty.
    /// - Throws: `JournalFailure.cutOff`, `.forked`, `.damaged` or `.badCheckpoint` where the journal must not be signed,
    ///   `.anchor` where the anchor can not be reached; the next call tries again.
    @discardableResult
    public func checkpoint() async throws -> Checkpoint? {
        let before = turn
        let task = Task {
            _ = await before?.result
            return try await self.make()
        }
        turn = task
        return try await task.value
    }

    /// Makes a checkpoint if one is due.
    /// - Returns: whether one was made.
    @discardableResult
    public func tick() async throws -> Bool {
        if !knowsAnchor {
            anchored = try await anchor.latest()
            knowsAnchor = true
        }
        let head = try await journal.head().sequence
        guard head != anchored?.sequence ?? 0, isDue(head) else { return false }
        return try await checkpoint() != nil
    }

    /// Ticks every second until the task is cancelled.
    /// - Parameters:
    ///   - isOurs: whether it falls to this process at present: of several that share a journal one makes the checkpoints.
    ///   - failed: told of an error once, until another one or a success comes between.
    public func run(
        where isOurs: @Sendable () async -> Bool = { true }, failed: @Sendable (any Error) -> Void
    ) async {
        var last = ""
        while !Task.isCancelled {
            do {
                if await isOurs() { try await tick() } else { knowsAnchor = false }
                last = ""
            } catch {
                if "\(error)" != last { failed(error) }
                last = "\(error)"
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }

    private func isDue(_ head: Int64) -> Bool {
        guard let anchored else { return true }
        let (added, over) = head.subtractingReportingOverflow(anchored.sequence)
        let seconds = time.now.seconds(since: anchored.time)
        // A clock that went back says nothing about how long it has been.
        return over || added < 0 || added >= everyEntries || seconds < 0 || seconds >= Double(everySeconds)
    }

    private func make() async throws -> Checkpoint? {
        // The anchor before the journal: read the other way round, an entry anchored meanwhile would seem cut off.
        let known = try await anchor.latest()
        if let known, !known.isSigned(by: keys) {
            throw JournalFailure.badCheckpoint(sequence: known.sequence, place: anchor.place)
        }
        let place = anchor.place
        let (head, last) = try await journal.database.read { transaction in
            let head = try Journal.end(in: transaction)
            if let known {
                guard head.sequence >= known.sequence else {
                    throw JournalFailure.cutOff(entries: head.sequence, anchored: known.sequence)
                }
                let row = try transaction.first(
                    "SELECT hash FROM journal WHERE sequence = ?", [.integer(known.sequence)])
                guard (try? row?.digest("hash")) == known.hash else {
                    throw JournalFailure.forked(sequence: known.sequence, place: place)
                }
            }
            return (head, try Journal.lastCheckpoint(in: transaction))
        }
        guard head.sequence > 0 else { return nil }
        let start = ChainCheck.Link(sequence: known?.sequence ?? 0, hash: known?.hash ?? Journal.genesis)
        let end = ChainCheck.Link(sequence: head.sequence, hash: head.hash)
        if let fault = try await ChainCheck(database: journal.database).run(from: start, to: end) {
            throw JournalFailure.damaged(sequence: fault.sequence, reason: "\(fault.kind)")
        }
        var checkpoint: Checkpoint
        if let last, last.sequence == head.sequence {
            checkpoint = last
        } else {
            let fresh = Checkpoint(sequence: head.sequence, hash: head.hash, time: time.now, signedBy: signer)
            checkpoint = try await journal.database.write { try Journal.add(fresh, in: $0) } ?? fresh
        }
        if keys[checkpoint.keyID] == nil {
            // Another process of the same database was first, with a key of its own: its word is not ours to pass on.
            checkpoint = Checkpoint(sequence: head.sequence, hash: head.hash, time: time.now, signedBy: signer)
        }
        guard checkpoint.hash == head.hash, checkpoint.isSigned(by: keys) else {
            throw JournalFailure.badCheckpoint(sequence: checkpoint.sequence, place: "the database")
        }
        do {
            try await anchor.store(checkpoint)
        } catch JournalFailure.anchorAhead {
            // Another process that shares the database was faster; what it anchored holds this one too.
        }
        anchored = checkpoint
        knowsAnchor = true
        return checkpoint
    }
}
