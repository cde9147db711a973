import Basics

/// The entities of one read, in one buffer: for each the values of the join keys, in the reader's order.
public struct OnlineKeys: Sendable {
    /// How many values an entity has.
    public let keysPerEntity: Int
    private(set) var bytes: [UInt8] = []
    /// Where each value ends.
    private(set) var ends: [Int] = []
    /// Positions of values that are null.
    private(set) var nulls: Set<Int> = []

    public init(keysPerEntity: Int) { self.keysPerEntity = keysPerEntity }

    /// Entities added so far; the last counts once all its values are there.
    public var count: Int { keysPerEntity > 0 ? ends.count / keysPerEntity : 0 }

    /// Makes room for so many entities.
    public mutating func reserve(_ entities: Int) {
        let (values, overflow) = entities.multipliedReportingOverflow(by: max(1, keysPerEntity))
        guard !overflow, values <= 1 << 20 else { return }
        ends.reserveCapacity(values)
        bytes.reserveCapacity(values * 12)
    }

    /// Adds the next value as it stands in keys: UTF-8 of a text, a number in decimal.
    public mutating func append(text: UnsafeRawBufferPointer) {
        bytes.append(contentsOf: text)
        ends.append(bytes.count)
    }

    /// Adds the next value; null, and a number with a fraction, name no entity and find nothing.
    public mutating func append(_ value: ScalarValue) {
        if let text = OnlineKey.text(value) {
            bytes.append(contentsOf: text.utf8)
        } else {
            nulls.insert(ends.count)
        }
        ends.append(bytes.count)
    }

    /// Removes all values and keeps the room they took.
    public mutating func clear() {
        bytes.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        nulls.removeAll(keepingCapacity: true)
    }

    func isNull(_ position: Int) -> Bool { !nulls.isEmpty && nulls.contains(position) }

    func range(_ position: Int) -> Range<Int> { (position > 0 ? ends[position - 1] : 0)..<ends[position] }
}
