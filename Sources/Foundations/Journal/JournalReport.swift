import Basics

/// What checking a journal against its chain, its signatures and its anchor found.
public struct JournalReport: Sendable, Hashable {
    /// The outcome. Where several things are wrong, the one of the lowest entry is told.
    public enum Verdict: Sendable, Hashable {
        /// Every entry is as it was written, as far as it is anchored for certain.
        case intact
        /// The first entry that is not as it was written.
        case broken(sequence: Int64, reason: VerificationResult.Reason)
        /// The chain holds together, yet at this entry it has another hash than was signed: it was written anew, somewhere
        /// after the last entry a checkpoint still fits.
        case forked(sequence: Int64, lastGood: Int64)
        /// The chain holds together, but a checkpoint tells of later entries.
        case cutOff(entries: Int64, anchored: Int64)
        /// A checkpoint was not signed by any of the keys.
        case badSignature(sequence: Int64, place: String)
    }

    public let verdict: Verdict
    /// How many entries the journal has.
    public let entries: Int64
    /// The hash of the last.
    public let head: Digest
    /// The last checkpoint of the anchor; nil where there is none, or no anchor was given.
    public let anchored: Checkpoint?
    /// How many checkpoints were compared.
    public let checkpoints: Int
    /// How many the database has besides, of keys that were not given: of other processes that share it, or planted.
    public let strangers: Int
    /// Whether their signatures were checked.
    public let signaturesChecked: Bool

    public var isIntact: Bool { verdict == .intact }

    /// Entries behind the last anchored one: only the chain speaks for them.
    public var unanchored: Int64 { max(0, entries - max(0, anchored?.sequence ?? 0)) }

    /// The first entry that is wrong or missing; where the chain was written anew, the first that is known to be.
    public var firstBad: Int64? {
        switch verdict {
        case .intact: nil
        case .broken(let sequence, _), .forked(let sequence, _), .badSignature(let sequence, _): sequence
        case .cutOff(let entries, _): entries + 1
        }
    }

    /// What is wrong, in one word or few; nil where nothing is.
    public var reason: String? {
        switch verdict {
        case .intact: nil
        case .broken(_, let reason): reason.rawValue
        case .forked: "forked"
        case .cutOff: "end cut off"
        case .badSignature: "bad signature"
        }
    }

    /// The outcome in a few sentences.
    public var summary: String { strangers == 0 ? outcome : "\(outcome) \(strangersInWords)" }

    private var strangersInWords: String {
        (strangers == 1
            ? "1 checkpoint of the database was signed with a key"
            : "\(strangers) checkpoints of the database were signed with keys")
            + " not known here and counts for nothing: another process of the factory has a key of its own, or somebody"
            + " planted it. Let all processes sign with one key (MODELWORKS_JOURNAL_KEY_FILE), or add the public line"
            + " of the other to the key file."
    }

    private var outcome: String {
        let entriesInWords = entries == 1 ? "1 entry" : "\(entries) entries"
        switch verdict {
        case .intact:
            guard let anchored else { return "The journal is whole: \(entriesInWords), none of them anchored." }
            let tail = unanchored == 0 ? "all anchored" : "the last \(unanchored) not yet anchored"
            return "The journal is whole: \(entriesInWords), \(tail) (checkpoint at \(anchored.sequence))."
        case .broken(let sequence, let reason):
            return "The journal is damaged at entry \(sequence): \(reason.rawValue)."
        case .forked(let sequence, let lastGood):
            return
                "The journal was written anew: entry \(sequence) has another hash than was signed. The first changed entry is one of \(lastGood + 1) to \(sequence)."
        case .cutOff(let entries, let anchored):
            return
                "The end of the journal is cut off: it has \(entries) entries, a checkpoint tells of \(anchored). The first missing entry is \(entries + 1)."
        case .badSignature(let sequence, let place):
            return
                "The checkpoint of entry \(sequence) in \(place) was not signed by any known key: another process of the factory has a key of its own, or somebody wrote it. Verify with the public lines of all signers in the key file."
        }
    }
}
