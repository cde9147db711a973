import Registry

/// Who answers on an endpoint: a stable version, and beside it what a share of the traffic is tried on.
public struct TrafficPolicy: Sendable, Codable, Equatable {
    /// A version that is asked beside whoever answers, and whose answers nobody gets.
    public struct Shadow: Sendable, Codable, Equatable {
        public var version: ModelVersionID
        /// The share of requests it is asked as well, from 0 to 1.
        public var share: Double

        public init(version: ModelVersionID, share: Double) {
            self.version = version
            self.share = share
        }
    }

    /// What answers every request while it is set, whatever the arms are: the kill switch.
    public struct Override: Sendable, Codable, Equatable {
        /// The answer itself, where no model is to be asked.
        public var constant: Double?
        /// The version that answers; nil where `constant` does.
        public var version: ModelVersionID?

        /// - Throws: ``ServingFailure/badRequest(_:remedy:)`` unless exactly one of both is given, and finite.
        public init(constant: Double?, version: ModelVersionID?) throws {
            guard (constant == nil) != (version == nil), constant?.isFinite ?? true else {
                throw ServingFailure.badRequest(
                    "a switch needs either a constant or a model version to answer with",
                    remedy: "Give one of both; a constant must be finite.")
            }
            self.constant = constant
            self.version = version
        }
    }

    public var stable: ModelVersionID
    public var canary: ModelVersionID?
    /// From 0 to 1. A request belongs to the canary by the hash of its id, or of the endpoint's `split_by` key, so that it
    /// stays there as the share rises.
    public var canaryShare: Double
    /// The version that was stable before, kept for a roll-back.
    public var previous: ModelVersionID?
    public var shadow: Shadow?
    public var override: Override?
    /// Several versions that share the traffic in the place of stable and canary.
    public var split: TrafficSplit?

    public init(
        stable: ModelVersionID, canary: ModelVersionID? = nil, canaryShare: Double = 0, previous: ModelVersionID? = nil,
        shadow: Shadow? = nil, override: Override? = nil, split: TrafficSplit? = nil
    ) {
        self.stable = stable
        self.canary = canary
        self.canaryShare = canaryShare
        self.previous = previous
        self.shadow = shadow
        self.override = override
        self.split = split
    }

    /// Every version that has to be in memory, and the one that is kept warm for a roll-back.
    public var versions: [ModelVersionID] {
        [stable, canary, previous, shadow?.version, override?.version].compactMap { $0 }
            + (split?.arms.map(\.version) ?? [])
    }

    /// The same with a share of the traffic for `candidate`.
    public func trying(_ candidate: ModelVersionID, share: Double) -> TrafficPolicy {
        var next = self
        next.canary = candidate
        next.canaryShare = share
        return next
    }

    /// The same without a canary and without a split: all traffic is the stable version's.
    public func withoutCandidates() -> TrafficPolicy {
        var next = self
        next.canary = nil
        next.canaryShare = 0
        next.split = nil
        return next
    }

    /// `version` in the place of the stable one, which is kept for a roll-back; no canary.
    public func switched(to version: ModelVersionID) -> TrafficPolicy {
        var next = withoutCandidates()
        next.previous = version == stable ? nil : stable
        next.stable = version
        return next
    }

    /// Back to what was before: without the canary or split, or with the version that was stable before; nil where there is neither.
    public func rolledBack() -> TrafficPolicy? {
        if canary != nil || split != nil { return withoutCandidates() }
        guard let previous else { return nil }
        var next = self
        next.stable = previous
        next.previous = nil
        return next
    }
}

/// Which arm of an endpoint answered.
public enum Arm: UInt8, Sendable, Codable, CaseIterable {
    case stable = 0
    case canary = 1
    /// Asked beside the one that answered; nobody got what it said.
    case shadow = 2
    /// What the endpoint's switch puts in the place of all arms.
    case override = 3
    /// A version that shares the traffic with the stable one, in a split.
    case challenger = 4

    /// As clients are told.
    public var name: String {
        switch self {
        case .stable: "stable"
        case .canary: "canary"
        case .shadow: "shadow"
        case .override: "override"
        case .challenger: "challenger"
        }
    }
}
