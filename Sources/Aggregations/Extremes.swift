import Basics

/// The smallest or largest values over windows that end at the newest tile.
///
/// Kept are the values that no newer tile reaches: going back in time each is more extreme than all newer ones, so that
/// the extreme of a window is the first that is in it.
struct Extremes<Key: SortableKey>: Sendable {
    private var tiles: [Int64] = []
    private var keys: [Key] = []
    private var head = 0
    private let largest: Bool

    init(largest: Bool) { self.largest = largest }

    private func reaches(_ key: Key, _ other: Key) -> Bool { largest ? key >= other : key <= other }

    private func place(notBelow tile: Int64) -> Int {
        var (low, high) = (head, tiles.count)
        while low < high {
            let middle = (low + high) / 2
            if tiles[middle] < tile { low = middle + 1 } else { high = middle }
        }
        return low
    }

    mutating func insert(_ key: Key, tile: Int64) {
        let place = place(notBelow: tile)
        if place < tiles.count, reaches(keys[place], key) { return }
        var first = place
        while first > head, reaches(key, keys[first - 1]) { first -= 1 }
        let end = place < tiles.count && tiles[place] == tile ? place + 1 : place
        tiles.replaceSubrange(first..<end, with: CollectionOfOne(tile))
        keys.replaceSubrange(first..<end, with: CollectionOfOne(key))
    }

    /// The extreme of the tiles from a number on.
    func extreme(from lowest: Int64) -> Key? {
        let place = place(notBelow: lowest)
        return place < keys.count ? keys[place] : nil
    }

    mutating func drop(below lowest: Int64) {
        while head < tiles.count, tiles[head] < lowest { head += 1 }
        guard head > 16, head > tiles.count / 2 else { return }
        tiles.removeFirst(head)
        keys.removeFirst(head)
        head = 0
    }

    mutating func removeAll() {
        tiles.removeAll(keepingCapacity: true)
        keys.removeAll(keepingCapacity: true)
        head = 0
    }

    func write(to writer: inout StateWriter, from lowest: Int64) {
        let first = place(notBelow: lowest)
        writer.count(tiles.count - first)
        for place in first..<tiles.count {
            writer.signed(tiles[place])
            keys[place].write(to: &writer)
        }
    }

    init(from reader: inout StateReader, largest: Bool) throws(AggregationFailure) {
        self.init(largest: largest)
        for _ in 0..<(try reader.count()) {
            let tile = try reader.tile()
            let key = try Key(from: &reader)
            if let last = tiles.last, let worse = keys.last, tile <= last || reaches(key, worse) {
                throw .badState("its extremes are out of order")
            }
            tiles.append(tile)
            keys.append(key)
        }
    }
}
