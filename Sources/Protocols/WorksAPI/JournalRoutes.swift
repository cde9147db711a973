import Basics
import HTTP
import Journal
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
        public var entries: Int64
        /// The first entry that is not as it was written, and why.
        public var firstBad: Int64?
        public var reason: String?
    }

    func installJournal(on router: Router) {
        router.get("\(Self.prefix)/journal", needs: .right(to: .read)) { request in
            let after = try request.integer("after", default: 0, in: 0...Int.max)
            let limit = try request.integer("limit", default: 100, in: 1...10_000)
            return try .json(
                try await services.journal.entries(
                    after: Int64(after), limit: limit, type: request.query("type"), subject: request.query("subject")
                ).map(EntryDocument.init))
        }
        router.get("\(Self.prefix)/journal/verify", needs: .right(to: .read)) { _ in
            switch try await services.journal.verify() {
            case .intact(let entries, _):
                return try .json(VerificationDocument(intact: true, entries: entries))
            case .broken(let sequence, let reason):
                return try .json(
                    VerificationDocument(
                        intact: false, entries: sequence, firstBad: sequence, reason: "\(reason.rawValue)"))
            }
        }
    }
}
