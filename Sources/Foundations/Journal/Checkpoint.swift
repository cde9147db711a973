import Basics
import SQL
import Sealing

/// A signed statement that the journal had so many entries and the last of them this hash.
///
/// As every entry holds the hash of the one before, it vouches for all entries up to its own.
public struct Checkpoint: Sendable, Hashable {
    /// The sequence of the last entry it vouches for.
    public let sequence: Int64
    /// The hash of that entry.
    public let hash: Digest
    /// The signer's clock. Checkpoints are ordered by sequence, never by time: clocks go back.
    public let time: Timestamp
    /// The id of the key that signed.
    public let keyID: String
    /// Ed25519 over `signedBytes`, 64 bytes.
    public let signature: [UInt8]

    init(sequence: Int64, hash: Digest, time: Timestamp, keyID: String, signature: [UInt8]) {
        self.sequence = sequence
        self.hash = hash
        self.time = time
        self.keyID = keyID
        self.signature = signature
    }

    /// Signs the state of a journal.
    public init(sequence: Int64, hash: Digest, time: Timestamp, signedBy key: SigningKey) {
        self.init(
            sequence: sequence, hash: hash, time: time, keyID: key.id,
            signature: key.sign(Self.signedBytes(sequence: sequence, hash: hash, time: time, keyID: key.id)))
    }

    /// The bytes that are signed: the ASCII bytes `modelworks.journal.checkpoint.1`; the sequence and the time in
    /// microseconds, each as 8 bytes, most significant first; then the hexadecimal hash and the key id, each as its length
    /// in bytes (8 bytes, most significant first) followed by its ASCII bytes.
    public static func signedBytes(sequence: Int64, hash: Digest, time: Timestamp, keyID: String) -> [UInt8] {
        var encoding = FieldEncoding()
        encoding.start("modelworks.journal.checkpoint.1")
        encoding.append(sequence)
        encoding.append(time.microseconds)
        encoding.append(hash.hex)
        encoding.append(keyID)
        return encoding.bytes
    }

    /// Whether one of `keys` signed exactly this. A key that is not there signed nothing.
    public func isSigned(by keys: SigningKeyring) -> Bool {
        guard let key = keys[keyID] else { return false }
        return key.isValid(
            signature, for: Self.signedBytes(sequence: sequence, hash: hash, time: time, keyID: keyID))
    }
}

extension Checkpoint: Codable {
    private enum CodingKeys: String, CodingKey { case sequence, hash, time, key, signature }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let text = try container.decode(String.self, forKey: .signature)
        guard let signature = Base64.bytes(text) else {
            throw DecodingError.dataCorruptedError(
                forKey: .signature, in: container, debugDescription: "the signature is no base64")
        }
        self.init(
            sequence: try container.decode(Int64.self, forKey: .sequence),
            hash: try container.decode(Digest.self, forKey: .hash),
            time: try container.decode(Timestamp.self, forKey: .time),
            keyID: try container.decode(String.self, forKey: .key), signature: signature)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(sequence, forKey: .sequence)
        try container.encode(hash, forKey: .hash)
        try container.encode(time, forKey: .time)
        try container.encode(keyID, forKey: .key)
        try container.encode(Base64.text(signature), forKey: .signature)
    }
}

extension Journal {
    /// The last checkpoint in the database.
    /// - Throws: `JournalFailure.badCheckpoint` where it can not be read.
    static func lastCheckpoint(in transaction: Transaction) throws -> Checkpoint? {
        guard let row = try transaction.first("SELECT * FROM journal_checkpoints ORDER BY sequence DESC LIMIT 1") else {
            return nil
        }
        guard let checkpoint = checkpoint(row) else {
            throw JournalFailure.badCheckpoint(sequence: try row.integer("sequence"), place: "the database")
        }
        return checkpoint
    }

    /// Adds a checkpoint, unless there is one of its sequence.
    /// - Returns: the one that is there now.
    static func add(_ checkpoint: Checkpoint, in transaction: Transaction) throws -> Checkpoint? {
        try transaction.execute(
            """
            INSERT INTO journal_checkpoints (sequence, time, hash, key_id, signature) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (sequence) DO NOTHING
            """,
            [
                .integer(checkpoint.sequence), .init(checkpoint.time), .init(checkpoint.hash),
                .text(checkpoint.keyID), .text(Base64.text(checkpoint.signature)),
            ])
        return try transaction.first(
            "SELECT * FROM journal_checkpoints WHERE sequence = ?", [.integer(checkpoint.sequence)]
        ).flatMap(Journal.checkpoint)
    }

    /// The checkpoint of a row; nil where a field is not of the form it was written in.
    static func checkpoint(_ row: Row) -> Checkpoint? {
        guard let sequence = try? row.integer("sequence"), let hash = try? row.digest("hash"),
            let time = try? row.timestamp("time"), let key = try? row.string("key_id"),
            let signature = (try? row.string("signature")).flatMap({ Base64.bytes($0) })
        else { return nil }
        return Checkpoint(sequence: sequence, hash: hash, time: time, keyID: key, signature: signature)
    }
}
