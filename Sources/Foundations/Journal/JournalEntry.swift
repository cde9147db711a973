import Basics

/// What a room tells the journal: who did what to what, and the details.
public struct JournalDraft: Sendable, Hashable {
    /// Who did it, such as `user:mina` or `works:automation`.
    public let principal: String
    /// What happened, such as `model.version.promoted`.
    public let type: String
    /// What it happened to, such as `model:arrival-delay/3`.
    public let subject: String
    public let body: JSONValue

    public init(principal: String, type: String, subject: String, body: JSONValue) {
        self.principal = principal
        self.type = type
        self.subject = subject
        self.body = body
    }
}

/// One entry of the journal. It never changes once written.
public struct JournalEntry: Sendable, Hashable {
    /// 1, 2, 3, ... without gaps.
    public let sequence: Int64
    public let time: Timestamp
    public let principal: String
    public let type: String
    public let subject: String
    /// The body as canonical JSON text: the very bytes that are hashed.
    public let bodyText: String
    /// The hash of the entry before; `Journal.genesis` for the first.
    public let previousHash: Digest
    public let hash: Digest

    /// The body as a document.
    /// - Throws: `JSONFailure` where the stored text is no JSON.
    public func body() throws -> JSONValue { try JSON.decode(JSONValue.self, from: bodyText) }

    /// The hash that these fields must have.
    ///
    /// SHA-256 over, in this order: the ASCII bytes `modelworks.journal.1`; the sequence and the time in microseconds,
    /// each as 8 bytes, most significant first; then principal, type, subject, body text and the hexadecimal previous
    /// hash, each as its length in bytes (8 bytes, most significant first) followed by its UTF-8 bytes. Every field
    /// has a fixed or a stated length, so no two different entries have the same encoding.
    public static func hash(
        sequence: Int64, time: Timestamp, principal: String, type: String, subject: String, bodyText: String,
        previousHash: Digest
    ) -> Digest {
        var encoding = FieldEncoding()
        return encoding.entry(
            sequence: sequence, time: time.microseconds, principal: principal, type: type, subject: subject,
            body: bodyText, previousHash: previousHash.hex)
    }

    /// One line of JSON with the fields in alphabetical order; `body` is the stored text as it is.
    func line() throws -> String {
        let parts = [
            "\"body\":\(bodyText)", "\"hash\":\"\(hash.hex)\"", "\"previous_hash\":\"\(previousHash.hex)\"",
            "\"principal\":\(try JSON.string(principal))", "\"sequence\":\(sequence)",
            "\"subject\":\(try JSON.string(subject))", "\"time\":\"\(time)\"", "\"type\":\(try JSON.string(type))",
        ]
        return "{\(parts.joined(separator: ","))}\n"
    }
}
