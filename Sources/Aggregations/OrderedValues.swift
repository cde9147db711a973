import Basics

/// All values of a column, for percentiles, with the values of each window in order.
struct OrderedValues: Sendable {
    private struct Entry: Sendable {
        let tile: Int64
        let value: Double
    }

    /// The values of one window in ascending order; kept up to date from the first time it is asked for.
    private struct Cache: Sendable {
        var lowest = Int64.min
        var values: [Double]?
    }

    /// By tile, and in it by value.
    private var entries: [Entry] = []
    private var head = 0
    private var caches: [Cache]

    init(windows: Int) { caches = Array(repeating: Cache(), count: windows) }

    private func place(notBelow tile: Int64, _ value: Double = -.infinity) -> Int {
        var (low, high) = (head, entries.count)
        while low < high {
            let middle = (low + high) / 2
            let entry = entries[middle]
            if (entry.tile, entry.value) < (tile, value) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private static func place(of value: Double, in values: [Double]) -> Int {
        var (low, high) = (0, values.count)
        while low < high {
            let middle = (low + high) / 2
            if values[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Whether the value could be held.
    mutating func insert(_ value: Double, tile: Int64, limit: Int) -> Bool {
        guard entries.count - head < limit else { return false }
        entries.insert(Entry(tile: tile, value: value), at: place(notBelow: tile, value))
        for index in caches.indices where tile >= caches[index].lowest {
            guard let place = caches[index].values.map({ OrderedValues.place(of: value, in: $0) }) else { continue }
            caches[index].values?.insert(value, at: place)
        }
        return true
    }

    /// The value at a share of those of the tiles from a number on: type 7 of R. J. Hyndman and Y. Fan, "Sample
    /// quantiles in statistical packages", The American Statistician 50 (1996). Nil where there is none.
    mutating func percentile(_ share: Double, from lowest: Int64, cache index: Int) -> Double? {
        move(index, to: lowest)
        guard let values = caches[index].values, let last = values.last else { return nil }
        let position = share * Double(values.count - 1)
        let below = Int(position.rounded(.down))
        guard below + 1 < values.count else { return last }
        let (low, high) = (values[below], values[below + 1])
        return low == high ? low : low + (position - position.rounded(.down)) * (high - low)
    }

    private mutating func move(_ index: Int, to lowest: Int64) {
        let (previous, isKept) = (caches[index].lowest, caches[index].values != nil)
        guard !isKept || previous != lowest else { return }
        let (start, end) = (place(notBelow: previous), place(notBelow: lowest))
        caches[index].lowest = lowest
        guard isKept, start <= end, end - start < 1 + (entries.count - end) / 8 else {
            caches[index].values = entries[end...].map(\.value).sorted()
            return
        }
        for entry in entries[start..<end] {
            guard let place = caches[index].values.map({ OrderedValues.place(of: entry.value, in: $0) }) else {
                continue
            }
            caches[index].values?.remove(at: place)
        }
    }

    mutating func drop(below lowest: Int64) {
        guard head < entries.count, entries[head].tile < lowest else { return }
        for index in caches.indices where caches[index].values != nil && caches[index].lowest < lowest {
            move(index, to: lowest)
        }
        head = place(notBelow: lowest)
        guard head > 16, head > entries.count / 2 else { return }
        entries.removeFirst(head)
        head = 0
    }

    mutating func removeAll() {
        entries.removeAll(keepingCapacity: true)
        head = 0
        for index in caches.indices { caches[index] = Cache() }
    }

    func write(to writer: inout StateWriter, from lowest: Int64) {
        let first = place(notBelow: lowest)
        writer.count(entries.count - first)
        for entry in entries[first...] {
            writer.signed(entry.tile)
            writer.double(entry.value)
        }
    }

    init(from reader: inout StateReader, windows: Int, limit: Int) throws(AggregationFailure) {
        self.init(windows: windows)
        let count = try reader.count()
        guard count <= limit else { throw .badState("it holds more values than the plan allows") }
        for _ in 0..<count {
            let entry = Entry(tile: try reader.tile(), value: try reader.double())
            guard !entry.value.isNaN else { throw .badState("one of its values is not a number") }
            if let last = entries.last, (entry.tile, entry.value) < (last.tile, last.value) {
                throw .badState("its values are out of order")
            }
            entries.append(entry)
        }
    }
}
