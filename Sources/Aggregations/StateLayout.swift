import Basics

/// How a plan's accumulators are laid out: some as words in each tile, others beside the tiles. Features with the same
/// function of the same column share one, whatever their windows.
struct StateLayout: Sendable {
    /// How a feature's value comes out of its window.
    enum Result: Sendable {
        case count(word: Int)
        case wholeSum(word: Int, count: Int)
        case sum(word: Int, count: Int)
        case wholeMean(word: Int, count: Int)
        case mean(word: Int, count: Int)
        case deviation(word: Int)
        case distinct(word: Int)
        case extreme(Int)
        case textExtreme(Int)
        case newest(Int)
        case newestList(Int, count: Int)
        case percentile(Int, cache: Int, share: Double)
    }

    /// A window length with what is folded over it.
    struct Window: Sendable {
        let length: Int64
        var folds: [WordAccumulator] = []
        var features: [Int] = []
    }

    struct Extreme: Sendable, Hashable {
        let column: Int
        let largest: Bool
    }

    struct Newest: Sendable {
        let column: Int
        var capacity: Int
    }

    struct Distinct: Sendable {
        let column: Int
        /// The word with the number of values whose newest tile this is; the mark of a full tile is in the next word.
        let word: Int
    }

    struct Ordered: Sendable {
        let column: Int
        /// The word with the mark of a full tile.
        let word: Int
        /// The windows over which values are kept in order.
        var windows: [Int64] = []
    }

    /// Words per tile. The first counts the tile's events.
    private(set) var width = 1
    /// All accumulators in words, by offset.
    private(set) var words = [WordAccumulator(kind: .count, offset: 0, column: nil)]
    /// Ascending by length.
    private(set) var windows: [Window]
    private(set) var results: [Result] = []
    private(set) var types: [(element: ScalarType, isList: Bool)] = []
    private(set) var extremes: [Extreme] = []
    private(set) var textExtremes: [Extreme] = []
    private(set) var newest: [Newest] = []
    private(set) var distinct: [Distinct] = []
    private(set) var textDistinct: [Distinct] = []
    private(set) var ordered: [Ordered] = []
    private(set) var usedColumns: [Int] = []
    /// The number of levels of groups above the tiles.
    let groupLevels: Int

    /// How a stored tile holds a word.
    enum WordKind: Sendable {
        case whole
        case fraction
        /// Not at all, since it follows from what else is stored.
        case derived
    }

    /// One per word of a tile.
    var wordKinds: [WordKind] {
        words.flatMap { word in
            (0..<word.kind.width).map { place in
                word.kind == .distinct && place == 0 ? .derived : word.kind.isWhole(place) ? .whole : .fraction
            }
        }
    }

    var longestWindow: Int64 { windows.last?.length ?? 0 }

    init(columns: [WindowColumn], features: [WindowFeature], tile: Int64) throws(AggregationFailure) {
        windows = Set(features.map(\.window)).sorted().map { Window(length: $0) }
        var (levels, nodes) = (0, (features.map(\.window).max() ?? tile) / tile)
        while nodes >= 16 {
            levels += 1
            nodes >>= TileTree.groupBits
        }
        groupLevels = levels
        for (index, feature) in features.enumerated() {
            let column = columns.firstIndex { $0.name == feature.column }
            if let name = feature.column, column == nil {
                throw .plan("'\(feature.name)' reads the column '\(name)', which the events do not have")
            }
            if let column, !usedColumns.contains(column) { usedColumns.append(column) }
            let result = try add(feature, column, column.map { columns[$0].type })
            results.append(result)
            guard let window = windows.firstIndex(where: { $0.length == feature.window }) else { continue }
            windows[window].features.append(index)
            for word in folds(of: result) where !windows[window].folds.contains(where: { $0.offset == word }) {
                windows[window].folds += words.filter { $0.offset == word }
            }
        }
        usedColumns.sort()
    }

    private mutating func add(
        _ feature: WindowFeature, _ column: Int?, _ type: ScalarType?
    ) throws(AggregationFailure) -> Result {
        guard let column, let type else {
            guard feature.function == .count else { throw .plan("'\(feature.name)' names no column") }
            types.append((.integer, false))
            return .count(word: 0)
        }
        let isNumber = type != .string && type != .timestamp
        let isWhole = type == .integer || type == .boolean
        func needsNumbers() throws(AggregationFailure) {
            guard isNumber else {
                throw .plan("'\(feature.name)' needs numbers, but its column is of type \(type.rawValue)")
            }
        }
        switch feature.function {
        case .count:
            types.append((.integer, false))
            return .count(word: word(.count, column))
        case .sum:
            try needsNumbers()
            types.append((isWhole ? .integer : .double, false))
            let (sum, count) = (word(isWhole ? .wholeSum : .sum, column), word(.count, column))
            return isWhole ? .wholeSum(word: sum, count: count) : .sum(word: sum, count: count)
        case .mean:
            try needsNumbers()
            types.append((.double, false))
            let (sum, count) = (word(isWhole ? .wholeSum : .sum, column), word(.count, column))
            return isWhole ? .wholeMean(word: sum, count: count) : .mean(word: sum, count: count)
        case .std:
            try needsNumbers()
            types.append((.double, false))
            return .deviation(word: word(.moments, column))
        case .min, .max:
            types.append((type, false))
            let wanted = Extreme(column: column, largest: feature.function == .max)
            return type == .string
                ? .textExtreme(Self.place(wanted, in: &textExtremes)) : .extreme(Self.place(wanted, in: &extremes))
        case .distinctCount:
            types.append((.integer, false))
            let word = word(.distinct, column)
            let known = type == .string ? textDistinct : distinct
            if !known.contains(where: { $0.column == column }) {
                let added = Distinct(column: column, word: word)
                if type == .string { textDistinct.append(added) } else { distinct.append(added) }
            }
            return .distinct(word: word)
        case .last:
            types.append((type, false))
            return .newest(newest(column, 1))
        case .lastN(let count):
            guard (1...WindowPlan.longestList).contains(count) else {
                throw .plan("'\(feature.name)' asks for \(count) values; 1 to \(WindowPlan.longestList) are possible")
            }
            types.append((type, true))
            return .newestList(newest(column, count), count: count)
        case .percentile(let share):
            try needsNumbers()
            guard (0...1).contains(share) else {
                throw .plan("'\(feature.name)' asks for a share of \(share); shares run from 0 to 1")
            }
            types.append((.double, false))
            let word = word(.mark, column)
            let place = ordered.firstIndex { $0.column == column } ?? ordered.count
            if place == ordered.count { ordered.append(Ordered(column: column, word: word)) }
            let cache = Self.place(feature.window, in: &ordered[place].windows)
            return .percentile(place, cache: cache, share: share)
        }
    }

    private mutating func word(_ kind: WordAccumulator.Kind, _ column: Int) -> Int {
        if let known = words.first(where: { $0.kind == kind && $0.column == column }) { return known.offset }
        let offset = width
        words.append(WordAccumulator(kind: kind, offset: offset, column: column))
        width += kind.width
        return offset
    }

    private mutating func newest(_ column: Int, _ capacity: Int) -> Int {
        let place = newest.firstIndex { $0.column == column } ?? newest.count
        if place == newest.count { newest.append(Newest(column: column, capacity: capacity)) }
        newest[place].capacity = max(newest[place].capacity, capacity)
        return place
    }

    private static func place<Element: Equatable>(_ element: Element, in list: inout [Element]) -> Int {
        if let known = list.firstIndex(of: element) { return known }
        list.append(element)
        return list.count - 1
    }

    private func folds(of result: Result) -> [Int] {
        switch result {
        case .count(let word), .deviation(let word), .distinct(let word): [word]
        case .wholeSum(let word, let count), .sum(let word, let count), .wholeMean(let word, let count),
            .mean(let word, let count):
            [word, count]
        case .percentile(let place, _, _): [ordered[place].word]
        case .extreme, .textExtreme, .newest, .newestList: []
        }
    }
}
