import Basics
import HTTP
import Journal
import Sealing
import Security

extension WorksAPI {
    /// A journal entry as it travels.
    public struct EntryDocument: Sendable, Codable {
        public var sequence: Int64
        public var time: Timestamp
        public var principal: String
        public var type: String
        public var subject: String
        public var body: JSONValue
        public var hash: Digest

        init(_ entry: JournalEntry) throws {
            sequence = entry.sequence
            time = entry.time
            principal = entry.principal
            type = entry.type
            subject = entry.subject
            body = try entry.body()
            hash = entry.hash
        }
    }

    /// The outcome of a verification.
    public struct VerificationDocument: Sendable, Codable {
        public var intact: Bool
        /// How many entries the journal has.
        public var entries: Int64
        /// The first entry that is not as it was written, and why.
        public var firstBad: Int64?
        public var reason: String?
        /// The outcome in a sentence or two.
        public var summary: String
        /// The hash of the last entry.
        public var head: Digest
        /// The last checkpoint of the anchor.
        public var anchored: Checkpoint?
        /// Entries behind it: only the chain speaks for them.
        public var unanchored: Int64
        /// How many checkpoints were compared, and whether their signatures were checked.
        public var checkpoints: Int
        public var signaturesChecked: Bool
        /// Checkpoints of the database that were made with other keys.
        public var strangers: Int

        init(_ report: JournalReport) {
            intact = report.isIntact
            entries = report.entries
            firstBad = report.firstBad
            reason = report.reason
            summary = report.summary
            head = report.head
            anchored = report.anchored
            unanchored = report.unanchored
            checkpoints = report.checkpoints
            signaturesChecked = report.signaturesChecked
            strangers = report.strangers
        }
    }

    /// What an auditor brings to verify with, in place of the factory's own.
    public struct VerificationRequest: Sendable, Codable {
        /// Checkpoints of an anchor; nil for the factory's anchor.
        public var checkpoints: [Checkpoint]?
        /// Where they come from, for messages.
        public var place: String?
        /// Public keys, each a line of a key file; nil for the factory's keys.
        public var keys: [String]?

        public init(checkpoints: [Checkpoint]? = nil, place: String? = nil, keys: [String]? = nil) {
            self.checkpoints = checkpoints
            self.place = place
            self.keys = keys
        }
    }

    /// A checkpoint that was made, and where it is anchored.
    public struct CheckpointDocument: Sendable, Codable {
        /// Nil while the journal is empty.
        public var checkpoint: Checkpoint?
        public var anchor: String
    }

    func installJournal(on router: Router) {
        let (journal, checkpointer) = (services.journal, services.checkpointer)
        router.get(
            "\(Self.prefix)/journal", needs: .right(to: .read),
            about: .init(
                "Lists journal entries, oldest first",
                query: [
                    .optional("after", "only entries with a greater number", Int.self),
                    .optional("limit", "entries at most", Int.self),
                    .optional("type", "only of this type"),
                    .optional("subject", "only of this subject"),
                ], answer: .json([EntryDocument].self))
        ) { request in
            let after = try request.integer("after", default: 0, in: 0...Int.max)
            let limit = try request.integer("limit", default: 100, in: 1...10_000)
            return try .json(
                try await journal.entries(
                    after: Int64(after), limit: limit, type: request.query("type"), subject: request.query("subject")
                ).map(EntryDocument.init))
        }
        router.get(
            "\(Self.prefix)/journal/verify", needs: .right(to: .read),
            about: .init(
                "Proves the journal by the factory's own anchor and keys", answer: .json(VerificationDocument.self))
        ) { _ in
            let report = try await journal.verify(anchor: checkpointer.anchor, keys: checkpointer.keys)
            return try .json(VerificationDocument(report))
        }
        router.post(
            "\(Self.prefix)/journal/verify", needs: .right(to: .read),
            about: .init(
                "Proves the journal by checkpoints and keys that an auditor brings",
                body: .json(VerificationRequest.self), answer: .json(VerificationDocument.self))
        ) { request in
            let wanted = try request.json(VerificationRequest.self)
            let copy = wanted.checkpoints.map { CopiedAnchor($0, place: wanted.place ?? "the given anchor") }
            let keys = try wanted.keys.map { lines in
                try SigningKeyring(Secret(lines.joined(separator: "\n")), origin: "the given keys")
            }
            let report = try await journal.verify(
                anchor: copy ?? checkpointer.anchor, keys: keys ?? checkpointer.keys)
            return try .json(VerificationDocument(report))
        }
        router.post(
            "\(Self.prefix)/journal/checkpoint", needs: .right(to: .operate),
            about: .init(
                "Signs the journal as it is, and anchors the checkpoint", answer: .json(CheckpointDocument.self))
        ) { _ in
            let checkpoint = try await checkpointer.checkpoint()
            return try .json(CheckpointDocument(checkpoint: checkpoint, anchor: checkpointer.anchor.place))
        }
        router.get(
            "\(Self.prefix)/journal/export", needs: .right(to: .read),
            about: .init(
                "Exports journal entries",
                query: [
                    .optional("format", "jsonl or csv"),
                    .optional("after", "only entries with a greater number", Int.self),
                    .optional("type", "only of this type"),
                    .optional("limit", "entries at most; all where it is left out", Int.self),
                ], answer: .bytes("application/x-ndjson", "text/csv"))
        ) { request in
            let name = request.query("format") ?? JournalFormat.jsonl.rawValue
            guard let format = JournalFormat(rawValue: name) else {
                throw WorksAPIFailure.badParameter(
                    "format", "must be \(JournalFormat.allCases.map(\.rawValue).joined(separator: " or "))")
            }
            let after = Int64(try request.integer("after", default: 0, in: 0...Int.max))
            let type = request.query("type")
            if request.query("limit") != nil {
                let limit = try request.integer("limit", default: 1000, in: 1...10_000)
                let page = try await journal.page(format, after: after, limit: limit, type: type)
                return .bytes(page.bytes, contentType: format.contentType)
            }
            return .stream(contentType: format.contentType) { writer in
                try await journal.export(format, after: after, type: type) { try await writer.write($0) }
            }
        }
    }
}
