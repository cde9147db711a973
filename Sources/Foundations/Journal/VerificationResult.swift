import Basics

/// What checking the whole chain found.
public enum VerificationResult: Sendable, Hashable {
    /// What is wrong with an entry.
    public enum Reason: String, Sendable, Codable {
        /// A field was changed: the fields do not give the stored hash.
        case hashMismatch = "hash mismatch"
        /// The entry does not follow the one before it.
        case brokenChain = "broken chain"
        /// There is no entry of this sequence.
        case missingSequence = "missing sequence"
        /// A field has another type than it was written with.
        case unreadable = "unreadable"
        /// The entry lies behind the recorded end of the journal.
        case beyondHead = "beyond the recorded end"
    }

    /// Every entry is as it was written.
    case intact(entries: Int64, head: Digest)
    /// The first entry that is not.
    case broken(sequence: Int64, reason: Reason)

    public var isIntact: Bool {
        guard case .intact = self else { return false }
        return true
    }
}
