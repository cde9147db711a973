import Basics

/// The accumulators of one entity.
struct StateValues: Sendable {
    let plan: WindowPlan
    var tree: TileTree
    var extremes: [Extremes<NumberKey>]
    var textExtremes: [Extremes<TextKey>]
    var newest: [NewestValues]
    var distinct: [DistinctValues<NumberKey>]
    var textDistinct: [DistinctValues<TextKey>]
    var ordered: [OrderedValues]

    init(_ plan: WindowPlan) {
        self.plan = plan
        let layout = plan.layout
        tree = TileTree(layout)
        extremes = layout.extremes.map { Extremes(largest: $0.largest) }
        textExtremes = layout.textExtremes.map { Extremes(largest: $0.largest) }
        newest = layout.newest.map { NewestValues(capacity: $0.capacity) }
        distinct = layout.distinct.map { _ in DistinctValues() }
        textDistinct = layout.textDistinct.map { _ in DistinctValues() }
        ordered = layout.ordered.map { OrderedValues(windows: $0.windows.count) }
    }

    mutating func insert(_ event: WindowEvent, tile: Int64) {
        let (layout, columns) = (plan.layout, plan.columns)
        tree.insert(event.values, into: tile)
        for (index, extreme) in layout.extremes.enumerated() {
            let column = extreme.column
            guard let key = NumberKey(event.values[column], of: columns[column].type) else { continue }
            extremes[index].insert(key, tile: tile)
        }
        for (index, extreme) in layout.textExtremes.enumerated() {
            guard let key = TextKey(event.values[extreme.column], of: .string) else { continue }
            textExtremes[index].insert(key, tile: tile)
        }
        for (index, recent) in layout.newest.enumerated() {
            let column = recent.column
            newest[index].insert(event, event.values[column].kept(as: columns[column].type))
        }
        for (index, set) in layout.distinct.enumerated() {
            guard let key = NumberKey(event.values[set.column], of: columns[set.column].type) else { continue }
            note(distinct[index].insert(key, tile: tile, limit: plan.valueLimit), tile, word: set.word)
        }
        for (index, set) in layout.textDistinct.enumerated() {
            guard let key = TextKey(event.values[set.column], of: .string) else { continue }
            note(textDistinct[index].insert(key, tile: tile, limit: plan.valueLimit), tile, word: set.word)
        }
        for (index, list) in layout.ordered.enumerated() {
            guard let number = event.values[list.column].number else { continue }
            if !ordered[index].insert(number, tile: tile, limit: plan.valueLimit) {
                tree.add(1, toWord: list.word, of: tile)
            }
        }
        tree.refresh(tile)
    }

    private mutating func note<Key>(_ change: DistinctValues<Key>.Change, _ tile: Int64, word: Int) {
        switch change {
        case .none: break
        case .added: tree.add(1, toWord: word, of: tile)
        case .moved(let from):
            tree.add(-1, toWord: word, of: from)
            tree.refresh(from)
            tree.add(1, toWord: word, of: tile)
        case .full: tree.add(1, toWord: word + 1, of: tile)
        }
    }

    /// Drops the tiles below a number, which are in no window any more.
    mutating func drop(below lowest: Int64) {
        guard let first = tree.tiles.first, first < lowest else { return }
        for (index, set) in plan.layout.distinct.enumerated() {
            distinct[index].drop(below: lowest, count: tree.count(ofWord: set.word, below: lowest))
        }
        for (index, set) in plan.layout.textDistinct.enumerated() {
            textDistinct[index].drop(below: lowest, count: tree.count(ofWord: set.word, below: lowest))
        }
        for index in extremes.indices { extremes[index].drop(below: lowest) }
        for index in textExtremes.indices { textExtremes[index].drop(below: lowest) }
        for index in ordered.indices { ordered[index].drop(below: lowest) }
        tree.drop(below: lowest)
    }

    mutating func removeAll() {
        tree.removeAll()
        for index in extremes.indices { extremes[index].removeAll() }
        for index in textExtremes.indices { textExtremes[index].removeAll() }
        for index in newest.indices { newest[index].removeAll() }
        for index in distinct.indices { distinct[index].removeAll() }
        for index in textDistinct.indices { textDistinct[index].removeAll() }
        for index in ordered.indices { ordered[index].removeAll() }
    }

    /// Puts the values of a window's features into their places; whether one changed.
    ///
    /// - Parameter first: the window's first tile with events; nil where there is none.
    mutating func evaluate(
        _ window: StateLayout.Window, from first: Int64?, into values: inout [AggregateValue]
    ) -> Bool {
        if let first, !window.folds.isEmpty { tree.fold(from: first, window.folds) }
        var isChanged = false
        for feature in window.features {
            let result = plan.layout.results[feature]
            let type = plan.layout.types[feature].element
            let value = first.map { self.value(result, type, from: $0) } ?? StateValues.empty(result)
            if !value.isIdentical(to: values[feature]) {
                values[feature] = value
                isChanged = true
            }
        }
        return isChanged
    }

    private static func empty(_ result: StateLayout.Result) -> AggregateValue {
        switch result {
        case .count, .distinct: .scalar(.integer(0))
        case .newestList: .list([])
        default: .null
        }
    }

    private mutating func value(
        _ result: StateLayout.Result, _ type: ScalarType, from first: Int64
    ) -> AggregateValue {
        switch result {
        case .count(let word): return .scalar(.integer(count(word)))
        case .wholeSum(let word, let count):
            guard self.count(count) > 0 else { return .null }
            return .scalar(
                Int64(exactly: Words.whole(tree.sum[word], tree.sum[word + 1])).map { .integer($0) } ?? .null)
        case .sum(let word, let count):
            guard self.count(count) > 0 else { return .null }
            return StateValues.number(Words.sum(tree.sum.span, at: word))
        case .wholeMean(let word, let count):
            guard self.count(count) > 0 else { return .null }
            let sum = Double(Words.whole(tree.sum[word], tree.sum[word + 1]))
            return StateValues.number(sum / Double(self.count(count)))
        case .mean(let word, let count):
            guard self.count(count) > 0 else { return .null }
            return StateValues.number(Words.sum(tree.sum.span, at: word) / Double(self.count(count)))
        case .deviation(let word):
            let count = tree.sum[word]
            guard count >= 2, Double(bitPattern: tree.sum[word + 1]).isFinite else { return .null }
            return StateValues.number(
                (Words.squaredDeviations(tree.sum.span, at: word) / (Double(count) - 1)).squareRoot())
        case .distinct(let word): return tree.sum[word + 1] > 0 ? .null : .scalar(.integer(count(word)))
        case .extreme(let index): return .scalar(extremes[index].extreme(from: first)?.value(of: type) ?? .null)
        case .textExtreme(let index): return .scalar(textExtremes[index].extreme(from: first)?.value(of: type) ?? .null)
        case .newest(let index): return .scalar(newest[index].newest(after: first * plan.tile))
        case .newestList(let index, let count): return .list(newest[index].list(after: first * plan.tile, count: count))
        case .percentile(let index, let cache, let share):
            guard tree.sum[plan.layout.ordered[index].word] == 0 else { return .null }
            return ordered[index].percentile(share, from: first, cache: cache).map { StateValues.number($0) } ?? .null
        }
    }

    private func count(_ word: Int) -> Int64 { Int64(truncatingIfNeeded: tree.sum[word]) }

    /// What is not a number is null; minus zero is zero.
    private static func number(_ value: Double) -> AggregateValue {
        value.isNaN ? .null : .scalar(.double(value + 0))
    }
}
