import Basics

/// An accumulator of fixed size: some words of a tile. All zero is the accumulator of no value.
struct WordAccumulator: Sendable {
    enum Kind: Sendable {
        /// How many events, or values that are not null.
        case count
        /// The sum of whole numbers in 128 bits, low word first.
        case wholeSum
        /// The sum of fractions and what rounding lost of it (Neumaier 1974).
        case sum
        /// How many values, their mean in two words, the sum of squared deviations in two words.
        case moments
        /// How many values have their newest tile here, and how many more the tile could not hold.
        case distinct
        /// How many values the tile could not hold.
        case mark

        var width: Int {
            switch self {
            case .count, .mark: 1
            case .wholeSum, .sum, .distinct: 2
            case .moments: 5
            }
        }

        /// Whether the word at a place within is a whole number, not a binary64.
        func isWhole(_ place: Int) -> Bool {
            switch self {
            case .count, .mark, .distinct, .wholeSum: true
            case .sum: false
            case .moments: place == 0
            }
        }
    }

    let kind: Kind
    /// Of the first word, in a tile.
    let offset: Int
    /// Nil: the events themselves.
    let column: Int?

    /// Takes in the value of one event. `distinct` and `mark` are kept by what holds their values.
    func insert(_ value: ScalarValue, into words: inout MutableSpan<UInt64>, at row: Int) {
        let place = row + offset
        switch kind {
        case .count:
            if column == nil || !value.isMissing { words[place] &+= 1 }
        case .wholeSum:
            if let whole = value.wholeNumber { Words.add(Int128(whole), to: &words, at: place) }
        case .sum:
            if let number = value.number { Words.add(number, 0, to: &words, at: place) }
        case .moments:
            if let number = value.number { Words.addMoment(number, to: &words, at: place) }
        case .distinct, .mark: break
        }
    }

    /// Takes in what another tile, a later one, accumulated.
    func merge(_ other: Span<UInt64>, at otherRow: Int, into words: inout MutableSpan<UInt64>, at row: Int) {
        let (place, source) = (row + offset, otherRow + offset)
        switch kind {
        case .count, .mark: words[place] &+= other[source]
        case .distinct:
            words[place] &+= other[source]
            words[place + 1] &+= other[source + 1]
        case .wholeSum: Words.add(Words.whole(other[source], other[source + 1]), to: &words, at: place)
        case .sum:
            Words.add(
                Double(bitPattern: other[source]), Double(bitPattern: other[source + 1]), to: &words, at: place)
        case .moments: Words.mergeMoments(other, source, into: &words, at: place)
        }
    }
}

extension ScalarValue {
    /// Null, or NaN, which stands for it.
    var isMissing: Bool {
        switch self {
        case .null: true
        case .double(let value): value.isNaN
        default: false
        }
    }
}
