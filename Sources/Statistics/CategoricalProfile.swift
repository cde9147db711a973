/// What is kept of a sample of categories so that later samples can be compared with it.
public struct CategoricalProfile: Sendable, Codable, Equatable {
    /// At most this many categories are kept by name; the rarest beyond it are pooled.
    public static let largestCategoryCount = 128

    /// The kept categories, most frequent first, ties in alphabetical order.
    public let categories: [String]
    /// Rows of the reference in each of `categories`.
    public let counts: [Int]
    /// Rows of the reference in categories too rare to be kept.
    public let others: Int
    /// Rows of the reference without a value.
    public let missing: Int

    /// Nil stands for a missing value. Nil where no row has a value.
    public init?(_ values: [String?]) {
        var byName: [String: Int] = [:]
        var missing = 0
        for value in values {
            if let value { byName[value, default: 0] += 1 } else { missing += 1 }
        }
        guard !byName.isEmpty else { return nil }
        let ordered = byName.sorted { $0.value != $1.value ? $0.value > $1.value : $0.key < $1.key }
        let kept = ordered.prefix(CategoricalProfile.largestCategoryCount)
        categories = kept.map(\.key)
        counts = kept.map(\.value)
        others = ordered.dropFirst(kept.count).reduce(0) { $0 + $1.value }
        self.missing = missing
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        categories = try container.decode([String].self, forKey: .categories)
        counts = try container.decode([Int].self, forKey: .counts)
        others = try container.decode(Int.self, forKey: .others)
        missing = try container.decode(Int.self, forKey: .missing)
        guard categories.count == counts.count, Set(categories).count == categories.count,
            (counts + [others, missing]).allSatisfy({ $0 >= 0 })
        else {
            throw DecodingError.dataCorrupted(
                DecodingError.Context(
                    codingPath: decoder.codingPath, debugDescription: "the categorical profile contradicts itself"))
        }
    }

    /// The counts of the reference: kept categories, all others together, missing.
    public var referenceCounts: [Int] { counts + [others, missing] }

    /// The counts of `values` in the same layout; categories the reference never had fall to the others.
    public func currentCounts(of values: [String?]) -> [Int] {
        let positions = Dictionary(zip(categories, categories.indices)) { first, _ in first }
        var result = [Int](repeating: 0, count: categories.count + 2)
        for value in values {
            guard let value else {
                result[categories.count + 1] += 1
                continue
            }
            result[positions[value] ?? categories.count] += 1
        }
        return result
    }

    /// Population stability index of `values` against the reference. Nil for no values.
    public func populationStability(of values: [String?]) -> Double? {
        Divergence.populationStability(referenceCounts, currentCounts(of: values))
    }

    /// Chi-square test of `values` against the reference. Nil where fewer than two of the bins have rows.
    public func chiSquare(of values: [String?]) -> ChiSquare? {
        ChiSquare(referenceCounts, currentCounts(of: values))
    }
}
