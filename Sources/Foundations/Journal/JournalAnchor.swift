import Basics

/// A place outside the database that remembers checkpoints: a chain alone can not show that its end was cut off, nor that
/// all of it was written anew.
///
/// An anchor never goes back. It is worth as much as it is out of reach of whoever can write the database: on another
/// disk, another machine, or in a store that keeps versions.
public protocol JournalAnchor: Sendable {
    /// Where it is, for messages; never a secret.
    var place: String { get }

    /// Remembers a checkpoint for good; durable when this returns. The one that is there already changes nothing.
    /// - Throws: `JournalFailure.anchorAhead` where it remembers a later one, `.forked` where it remembers another hash
    ///   of the same sequence, `.anchor` where it can not be read or written.
    func store(_ checkpoint: Checkpoint) async throws

    /// The checkpoint stored last, or nil before the first.
    /// - Throws: `JournalFailure.anchor`.
    func latest() async throws -> Checkpoint?

    /// What it still knows, in order: at least the latest.
    /// - Throws: `JournalFailure.anchor`.
    func history() async throws -> [Checkpoint]
}

extension JournalAnchor {
    public func history() async throws -> [Checkpoint] { try await latest().map { [$0] } ?? [] }

    /// Whether `checkpoint` may follow `latest`.
    /// - Returns: false where it is there already.
    func follows(_ checkpoint: Checkpoint, _ latest: Checkpoint?) throws -> Bool {
        guard let latest else { return true }
        guard checkpoint.sequence >= latest.sequence else {
            throw JournalFailure.anchorAhead(place: place, anchored: latest.sequence, offered: checkpoint.sequence)
        }
        guard checkpoint.sequence == latest.sequence else { return true }
        guard checkpoint.hash == latest.hash else {
            throw JournalFailure.forked(sequence: latest.sequence, place: place)
        }
        return false
    }
}
