/// Tiles, or groups of them, in ascending order, each with a row of words. Only those that hold events are here.
struct TileLevel: Sendable {
    private(set) var keys: [Int64] = []
    var words: [UInt64] = []
    /// The first that has not been dropped; those before it are removed when they are many.
    private(set) var head = 0
    let width: Int

    init(width: Int) { self.width = width }

    var count: Int { keys.count - head }
    var last: Int64? { head < keys.count ? keys.last : nil }

    /// The place of the first key that is not below `key`; the count of `keys` where there is none.
    func place(notBelow key: Int64) -> Int {
        guard let last, last >= key else { return keys.count }
        var (low, high) = (head, keys.count - 1)
        // Most look-ups are for one of the newest.
        var step = 1
        while high - step >= low, keys[high - step] >= key {
            high -= step
            step *= 2
        }
        low = max(low, high - step)
        while low < high {
            let middle = (low + high) / 2
            if keys[middle] < key { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The place of a key, which gets an empty row where it has none.
    mutating func makePlace(of key: Int64) -> Int {
        let place = place(notBelow: key)
        if place < keys.count, keys[place] == key { return place }
        keys.insert(key, at: place)
        words.insert(contentsOf: repeatElement(0, count: width), at: place * width)
        return place
    }

    /// Drops all keys below one.
    mutating func drop(below key: Int64) {
        while head < keys.count, keys[head] < key { head += 1 }
        guard head > 16, head > keys.count / 2 || head == keys.count else { return }
        keys.removeFirst(head)
        words.removeFirst(head * width)
        head = 0
    }

    mutating func removeAll() {
        keys.removeAll(keepingCapacity: true)
        words.removeAll(keepingCapacity: true)
        head = 0
    }
}
