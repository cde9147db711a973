import Basics

/// What is in a store now.
public struct StormSurvey: Sendable {
    /// Every item that is there, as often as it is there.
    public var items: [StormItem] = []
    /// Items whose further effect is there: moved on by a consumer, done by a runner. As often as it is there.
    public var effects: [StormItem] = []
    /// Whether `items` keep the order in which each writer wrote.
    public var isOrdered = false
    /// Whether an item that is not among `items` is there all the same: replaced by what may replace it, or seen by its effect
    /// alone.
    public var holds: @Sendable (StormItem) -> Bool = { _ in false }
    /// What is there and should not be: a part of an item, damage, two parts of the store that contradict each other.
    public var faults: [String] = []

    public init() {}

    /// Takes in bytes that should be a whole item.
    mutating func add(_ bytes: [UInt8], most: Int) {
        if let item = StormItem(bytes, most: most) {
            items.append(item)
        } else {
            faults.append("\(bytes.count) bytes that begin '\(String(decoding: bytes.prefix(20), as: UTF8.self))'")
        }
    }
}

/// A store as a storm sees it: what the process that is killed does, and what is looked at afterwards.
public protocol StormStore: Sendable {
    /// Stores an item; returns when the store has acknowledged it.
    func put(_ item: StormItem) async throws

    /// What a writer waits for after an item was acknowledged and before its next.
    /// - Returns: whether the item's effect was acknowledged too.
    func rest(after item: StormItem) async throws -> Bool

    /// Whether an error of `put` says for certain that nothing was stored.
    func isCertain(_ error: any Error) -> Bool

    /// Other work that goes on meanwhile. Says which effects were acknowledged.
    func background(_ say: @escaping @Sendable ([StormItem]) -> Void) async throws

    /// Ends what was begun, where that takes more than opening.
    func finish() async throws

    /// Reads and checks everything.
    func survey() async throws -> StormSurvey

    func close() async
}

extension StormStore {
    public func rest(after item: StormItem) async throws -> Bool { false }
    public func isCertain(_ error: any Error) -> Bool { false }
    public func background(_ say: @escaping @Sendable ([StormItem]) -> Void) async throws {}
    public func finish() async throws {}
}
