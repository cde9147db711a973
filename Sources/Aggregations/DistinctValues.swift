import Basics

/// Which values an entity has had, each with the newest tile that holds it. A window, which ends at the newest tile, has
/// as many distinct values as there are in it values' newest tiles; their number per tile is a word of the tile.
struct DistinctValues<Key: SortableKey>: Sendable {
    /// What changes in the tiles' words.
    enum Change {
        case none
        case added
        case moved(from: Int64)
        /// The value can not be held.
        case full
    }

    private(set) var newest: [Key: Int64] = [:]
    /// How many of `newest` are in tiles that have been dropped. They are removed when they are many.
    private var dropped = 0
    private var lowest = Int64.min

    mutating func insert(_ key: Key, tile: Int64, limit: Int) -> Change {
        let known = newest[key]
        if let known, known >= lowest {
            guard tile > known else { return .none }
            newest[key] = tile
            return .moved(from: known)
        }
        guard newest.count - dropped < limit else { return .full }
        if known != nil { dropped -= 1 }
        newest[key] = tile
        return .added
    }

    /// Takes note that tiles below a number were dropped, which were the newest of so many values.
    mutating func drop(below lowest: Int64, count: Int) {
        self.lowest = max(self.lowest, lowest)
        dropped += count
        guard dropped > 16, dropped > newest.count / 2 else { return }
        newest = newest.filter { $0.value >= lowest }
        dropped = 0
    }

    mutating func removeAll() {
        newest.removeAll(keepingCapacity: newest.count < 1024)
        dropped = 0
        lowest = .min
    }

    func write(to writer: inout StateWriter, from lowest: Int64) {
        let held = newest.filter { $0.value >= lowest }.sorted { ($0.value, $0.key) < ($1.value, $1.key) }
        writer.count(held.count)
        for (key, tile) in held {
            writer.signed(tile)
            key.write(to: &writer)
        }
    }

    init() {}

    init(from reader: inout StateReader, limit: Int) throws(AggregationFailure) {
        let count = try reader.count()
        guard count <= limit else { throw .badState("it holds more values than the plan allows") }
        for _ in 0..<count {
            let tile = try reader.tile()
            guard newest.updateValue(tile, forKey: try Key(from: &reader)) == nil else {
                throw .badState("a distinct value comes twice")
            }
        }
    }
}
