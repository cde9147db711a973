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

extension OnlineReader {
    /// The entities of a read from values by join key.
    /// - Throws: ``FeaturesFailure`` where a join key is missing, is not one of the reader's, has a value of another type, or
    ///   lists have different lengths.
    public func keys(_ values: [String: [ScalarValue]]) throws -> OnlineKeys {
        let names = joinKeys.map(\.name)
        for name in values.keys.sorted() where !names.contains(name) && !request.contains(where: { $0.name == name }) {
            throw FeaturesFailure.unknown(kind: "join key", name: name, known: names)
        }
        var columns: [[ScalarValue]] = []
        for name in names {
            guard let column = values[name] else {
                throw FeaturesFailure.request(
                    "the join key '\(name)' is missing", remedy: "Give a value of it for each entity.")
            }
            columns.append(column)
        }
        let count = columns.first?.count ?? 0
        for (name, column) in zip(names, columns) where column.count != count {
            throw FeaturesFailure.request(
                "'\(name)' has \(column.count) values, and '\(names.first ?? "")' has \(count)",
                remedy: "Give each join key as many values as there are entities.")
        }
        guard count <= Self.entitiesMax else { throw Self.tooMany(count) }
        var keys = OnlineKeys(keysPerEntity: names.count)
        keys.reserve(count)
        for row in 0..<count {
            for (index, column) in columns.enumerated() {
                try keys.append(column[row], as: joinKeys[index], row: row)
            }
        }
        return keys
    }

    static func tooMany(_ count: Int) -> FeaturesFailure {
        FeaturesFailure.request(
            "\(count) entities were asked for in one call, and \(entitiesMax) is the most",
            remedy: "Split the call.")
    }
}

extension OnlineKeys {
    /// Adds the next value as its join key's type, where that is known; null finds nothing.
    fileprivate mutating func append(_ value: ScalarValue, as key: OnlineReader.Key, row: Int) throws {
        guard value != .null else { return append(value) }
        let what = "the join key '\(key.name)' of entity \(row)"
        let text = try ParsedRows.key(.scalar(value), key.type, what)
        append(.string(text))
    }
}
