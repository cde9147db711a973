import Basics

/// The tiles of one entity and, above them, groups of 8, 64, 512... tiles at fixed boundaries: group k of a level covers
/// the members 8k to 8k + 7 of the level below. A group's words are the fold of its members that hold events, in order.
///
/// All windows run from some tile to the newest. The fold from a tile on takes tiles up to the next boundary of a group,
/// then groups up to the next boundary of a group of groups, and so on, and at the highest level all that is left. So its
/// result depends on nothing but which tiles hold events and what is in them, and 2,880 tiles take some 20 steps.
struct TileTree: Sendable {
    /// Groups have 2 to this power members.
    static let groupBits: Int64 = 3
    private static let members: Int64 = 1 << groupBits

    private var levels: [TileLevel]
    /// The words of the last fold.
    private(set) var sum: [UInt64]
    private let accumulators: [WordAccumulator]
    private let width: Int

    init(_ layout: StateLayout) {
        levels = (0...layout.groupLevels).map { _ in TileLevel(width: layout.width) }
        sum = [UInt64](repeating: 0, count: layout.width)
        accumulators = layout.words
        width = layout.width
    }

    var isEmpty: Bool { levels[0].count == 0 }
    var count: Int { levels[0].count }
    /// The tiles that hold events, ascending.
    var tiles: ArraySlice<Int64> { levels[0].keys[levels[0].head...] }

    /// The words of one of `tiles`, by its index there.
    func row(at index: Int) -> ArraySlice<UInt64> {
        levels[0].words[((levels[0].head + index) * width)...].prefix(width)
    }

    func holds(_ tile: Int64) -> Bool { first(from: tile) == tile }

    /// The first tile with events that is not below a number.
    func first(from lowest: Int64) -> Int64? {
        let place = levels[0].place(notBelow: lowest)
        return place < levels[0].keys.count ? levels[0].keys[place] : nil
    }

    /// Takes an event's values into its tile. `refresh` must follow.
    mutating func insert(_ values: [ScalarValue], into tile: Int64) {
        let row = levels[0].makePlace(of: tile) * width
        var words = levels[0].words.mutableSpan
        for accumulator in accumulators {
            let value = accumulator.column.map { values[$0] } ?? .null
            accumulator.insert(value, into: &words, at: row)
        }
    }

    /// Adds to a counting word of a tile that is not dropped. `refresh` must follow.
    mutating func add(_ difference: Int, toWord word: Int, of tile: Int64) {
        let place = levels[0].place(notBelow: tile)
        guard place < levels[0].keys.count, levels[0].keys[place] == tile else { return }
        levels[0].words[place * width + word] &+= UInt64(truncatingIfNeeded: difference)
    }

    /// Folds the groups of a tile anew.
    mutating func refresh(_ tile: Int64) {
        var key = tile
        for level in 1..<max(1, levels.count) {
            key >>= TileTree.groupBits
            fold(
                level - 1, from: key << TileTree.groupBits, below: (key + 1) << TileTree.groupBits, accumulators,
                anew: true)
            let row = levels[level].makePlace(of: key) * width
            for word in 0..<width { levels[level].words[row + word] = sum[word] }
        }
    }

    /// Folds some accumulators from a tile with events on, into `sum`.
    mutating func fold(from first: Int64, _ accumulators: [WordAccumulator]) {
        var (level, key, isFirst) = (0, first, true)
        while true {
            while level < levels.count - 1, key & (TileTree.members - 1) == 0 {
                key >>= TileTree.groupBits
                level += 1
            }
            let isTop = level == levels.count - 1
            let next = isTop ? Int64.max : (key | (TileTree.members - 1)) + 1
            fold(level, from: key, below: next, accumulators, anew: isFirst)
            isFirst = false
            guard !isTop, let last = levels[level].last, last >= next else { return }
            key = next
        }
    }

    private mutating func fold(
        _ level: Int, from first: Int64, below next: Int64, _ accumulators: [WordAccumulator], anew: Bool
    ) {
        let (source, width) = (levels[level], width)
        var total = sum.mutableSpan
        if anew { for word in 0..<width { total[word] = 0 } }
        var place = source.place(notBelow: first)
        let words = source.words.span
        while place < source.keys.count, source.keys[place] < next {
            for accumulator in accumulators { accumulator.merge(words, at: place * width, into: &total, at: 0) }
            place += 1
        }
    }

    /// The total of a counting word over all tiles below a number.
    func count(ofWord word: Int, below lowest: Int64) -> Int {
        var total = 0
        for place in levels[0].head..<levels[0].keys.count {
            guard levels[0].keys[place] < lowest else { break }
            total &+= Int(truncatingIfNeeded: levels[0].words[place * width + word])
        }
        return total
    }

    /// Drops all tiles below a number, and the groups that hold no others.
    mutating func drop(below lowest: Int64) {
        var key = lowest
        for index in levels.indices {
            levels[index].drop(below: key)
            key >>= TileTree.groupBits
        }
    }

    /// Appends a tile with its words; tiles must come in ascending order, and `refreshAll` must follow.
    mutating func append(_ tile: Int64, _ words: [UInt64]) {
        let row = levels[0].makePlace(of: tile) * width
        for (index, word) in words.prefix(width).enumerated() { levels[0].words[row + index] = word }
    }

    /// Folds all groups anew.
    mutating func refreshAll() {
        for level in 1..<max(1, levels.count) {
            var done: Int64?
            for member in Array(levels[level - 1].keys[levels[level - 1].head...]) {
                let key = member >> TileTree.groupBits
                guard key != done else { continue }
                done = key
                fold(
                    level - 1, from: key << TileTree.groupBits, below: (key + 1) << TileTree.groupBits, accumulators,
                    anew: true)
                let row = levels[level].makePlace(of: key) * width
                for word in 0..<width { levels[level].words[row + word] = sum[word] }
            }
        }
    }

    mutating func removeAll() {
        for level in levels.indices { levels[level].removeAll() }
    }
}
