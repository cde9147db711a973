import KeyValue

/// Which entities' values change next though nothing arrives: the ordered keys of the store where reading them in order is
/// cheap, else the same in memory, read once.
struct DueEntities: Sendable {
    private struct Item: Sendable {
        var moment: Int64
        var key: [UInt8]
    }

    private let target: StreamedView
    private let table: KeyValueTable
    private let isInMemory: Bool
    private var moments: [[UInt8]: Int64] = [:]
    /// A heap by moment; items that ``moments`` does not confirm are of the past.
    private var heap: [Item] = []
    /// The next moment as far as it is known; nil asks the store.
    private var next: Int64??

    init(_ target: StreamedView, _ table: KeyValueTable, isInMemory: Bool) {
        self.target = target
        self.table = table
        self.isInMemory = isInMemory
    }

    /// Reads what is due; only needed where it is kept in memory.
    mutating func load(_ reading: any KeyValueReading) throws {
        guard isInMemory else { return }
        for item in try scan(reading, through: .max, limit: .max) { push(item.moment, item.key) }
    }

    /// Takes note of what was written.
    mutating func moved(_ key: [UInt8], to moment: Int64?) {
        next = .none
        guard isInMemory else { return }
        moments[key] = nil
        if let moment { push(moment, key) }
    }

    /// The next moment at which an entity is due; nil for none.
    mutating func first(_ reading: any KeyValueReading) throws -> Int64? {
        if let next { return next }
        let found: Int64?
        if isInMemory {
            while let top = heap.first, moments[top.key] != top.moment { pop() }
            found = heap.first?.moment
        } else {
            found = try scan(reading, through: .max, limit: 1).first?.moment
        }
        next = .some(found)
        return found
    }

    /// Entities due by a moment, the first ones first.
    mutating func entities(_ reading: any KeyValueReading, through moment: Int64, limit: Int) throws -> [[UInt8]] {
        guard isInMemory else { return try scan(reading, through: moment, limit: limit).map(\.key) }
        var keys: [[UInt8]] = []
        var kept: [Item] = []
        while keys.count < limit, let top = heap.first, top.moment <= moment {
            pop()
            guard moments[top.key] == top.moment else { continue }
            keys.append(top.key)
            kept.append(top)
        }
        // They stay due until what follows from them has been written.
        for item in kept { push(item.moment, item.key) }
        return keys
    }

    private func scan(_ reading: any KeyValueReading, through moment: Int64, limit: Int) throws -> [Item] {
        var items: [Item] = []
        try target.duePrefix.withUnsafeBytes { prefix in
            try reading.forEach(prefix: prefix, in: table) { key, _ in
                guard let due = target.due(in: key) else { return true }
                guard due.moment <= moment else { return false }
                items.append(Item(moment: due.moment, key: due.key))
                return items.count < limit
            }
        }
        return items
    }

    private mutating func push(_ moment: Int64, _ key: [UInt8]) {
        moments[key] = moment
        heap.append(Item(moment: moment, key: key))
        var place = heap.count - 1
        while place > 0, heap[(place - 1) / 2].moment > heap[place].moment {
            heap.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    private mutating func pop() {
        guard let last = heap.popLast() else { return }
        guard !heap.isEmpty else { return }
        heap[0] = last
        var place = 0
        while true {
            var least = place
            for child in [2 * place + 1, 2 * place + 2]
            where child < heap.count && heap[child].moment < heap[least].moment { least = child }
            guard least != place else { return }
            heap.swapAt(place, least)
            place = least
        }
    }
}
