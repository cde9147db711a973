import Basics

/// A named group of runs.
public struct Experiment: Sendable, Equatable {
    /// 0 is the default experiment.
    public var id: Int64
    /// Unique among all experiments, deleted ones too.
    public var name: String
    /// Where its runs keep their artifacts, as a URI.
    public var location: String
    public var stage: LifecycleStage
    public var created: Timestamp
    public var updated: Timestamp
    public var tags: [Pair]
}

/// Which experiments or runs are looked at.
public enum StageView: Sendable {
    case active, deleted, all

    var stages: [LifecycleStage] {
        switch self {
        case .active: [.active]
        case .deleted: [.deleted]
        case .all: LifecycleStage.allCases
        }
    }
}

/// One page of a search.
public struct SearchPage<Item: Sendable>: Sendable {
    public var items: [Item]
    /// Where the next page begins; nil where this is the last.
    public var next: Int?

    public init(items: [Item], next: Int?) {
        self.items = items
        self.next = next
    }
}
