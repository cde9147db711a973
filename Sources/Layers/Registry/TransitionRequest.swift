import Basics

/// Somebody's wish that a version go to another stage, which others have to agree to.
public struct TransitionRequest: Sendable, Codable, Equatable {
    /// Of the model; never used again.
    public var number: Int64
    public var version: ModelVersionID
    public var stage: Stage
    /// Whether versions that are in the stage go to Archived; in Production the one always does.
    public var replacing: Bool
    /// What the version was when it was asked for: what others agree to.
    public var digest: Digest
    public var requester: String
    public var reason: String
    public var created: Timestamp
    /// From here on nobody can agree to it any more.
    public var expires: Timestamp
    public var state: State
    public var approvals: [Approval]
    /// How many must agree, by the policy in force.
    public var needed: Int
    /// When, by whom and why it came to an end; nil while it is open.
    public var closed: Timestamp?
    public var closedBy: String?
    public var closeReason: String?

    /// How far a request has come.
    public enum State: String, Sendable, Codable, CaseIterable {
        case open
        /// Enough agreed, and the version was moved.
        case done
        case rejected
        /// The one who asked took it back.
        case withdrawn
        /// Its time was over before enough had agreed.
        case expired
        /// The version was moved, or rolled back, before enough had agreed.
        case superseded
    }

    /// Somebody's consent.
    public struct Approval: Sendable, Codable, Equatable {
        public var principal: String
        public var comment: String
        public var time: Timestamp
    }
}

/// What somebody said of a version.
public struct VersionComment: Sendable, Codable, Equatable {
    /// Of the model; never used again.
    public var number: Int64
    public var version: ModelVersionID
    public var principal: String
    public var text: String
    public var created: Timestamp
}

/// What became of the wish to move a version.
public enum MoveOutcome: Sendable, Equatable {
    case moved
    /// Others have to agree first.
    case waiting(TransitionRequest)
    /// Others did not agree, or who asked took it back.
    case refused(TransitionRequest)
}
