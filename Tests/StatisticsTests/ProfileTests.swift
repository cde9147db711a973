import Foundation
import Testing

@testable import Statistics

@Suite struct ProfileTests {
    @Test func binsHoldEqualSharesAndEverythingFallsSomewhere() throws {
        let values = uniform(11, 10_000)
        let profile = try #require(NumericProfile(values))
        #expect(profile.bins.count == 10)
        #expect(profile.counts == [Int](repeating: 1000, count: 10))
        let counts = profile.currentCounts(of: [-5, 5, .nan, .infinity, 0.5])
        #expect(counts.reduce(0, +) == 5 && counts.last == 2)
        #expect(profile.populationStability(of: values) == 0)
        #expect(profile.populationStability(of: []) == nil)
    }

    @Test func aShiftAwayFromAConstantIsSeenOnBothSides() throws {
        let profile = try #require(NumericProfile([Double](repeating: 7, count: 100)))
        #expect(profile.populationStability(of: [Double](repeating: 7, count: 9)) == 0)
        for other in [6.9, 7.1] {
            #expect(try #require(profile.populationStability(of: [Double](repeating: other, count: 9))) > 1)
        }
    }

    @Test func aHeapAtTheMinimumHasItsOwnBin() throws {
        let profile = try #require(NumericProfile([Double](repeating: 0, count: 700) + uniform(12, 300)))
        #expect(try #require(profile.populationStability(of: [Double](repeating: -1, count: 70) + uniform(13, 30))) > 1)
    }

    @Test func missingValuesAreABinOfTheirOwn() throws {
        let profile = try #require(NumericProfile(uniform(14, 1000)))
        let half = uniform(15, 500) + [Double](repeating: .nan, count: 500)
        #expect(try #require(profile.populationStability(of: half)) > 1)
        #expect(NumericProfile([.nan, .infinity]) == nil && NumericProfile([]) == nil)
    }

    @Test func distanceFromTheSketchStaysWithinItsBound() throws {
        for (size, scale) in [(300, 1e9), (512, 1e9), (513, 1e9), (20_000, 1e9), (20_000, 30.0), (7777, 3.0)] {
            let reference = uniform(16, size).map { ($0 * scale).rounded(.down) }
            let current = uniform(17, 900).map { (pow($0, 1.2) * scale).rounded(.down) }
            let profile = try #require(NumericProfile(reference))
            let (statistic, pValue) = try #require(profile.kolmogorovSmirnov(of: current))
            let exact = try #require(KolmogorovSmirnov(reference, current, method: .asymptotic))
            let bound = size <= 512 ? 1e-12 : 1 / (2 * 511.0) + 1 / Double(size)
            #expect(abs(statistic - exact.statistic) <= bound, "\(size): \(statistic) is not \(exact.statistic)")
            #expect((0...1).contains(pValue))
        }
    }

    @Test func categoriesNeverSeenArePooled() throws {
        let profile = try #require(CategoricalProfile(["a", "b", "a", nil]))
        #expect(profile.categories == ["a", "b"] && profile.referenceCounts == [2, 1, 0, 1])
        #expect(profile.currentCounts(of: ["z", nil, "a", "y"]) == [1, 0, 2, 1])
        #expect(profile.populationStability(of: ["a", "b", "a", nil]) == 0)
        #expect(CategoricalProfile([nil]) == nil)
        let many = try #require(CategoricalProfile((0..<1000).map { "\($0 % 300)" }))
        #expect(many.categories.count == 128 && many.referenceCounts.reduce(0, +) == 1000)
    }

    @Test func profilesSurviveJSONToTheLastBit() throws {
        let profile = ReferenceProfile(
            numeric: ["x": uniform(18, 2000) + [.nan], "gone": [.nan, .nan]], categorical: ["c": ["a", "b", nil]],
            predictions: uniform(19, 2000))
        let text = try JSONEncoder().encode(profile)
        #expect(try JSONDecoder().decode(ReferenceProfile.self, from: text) == profile)
        #expect(profile.features["gone"] == .empty(rows: 2) && profile.rowCount == 2001)
        let damaged = String(decoding: text, as: UTF8.self).replacingOccurrences(
            of: "\"counts\":[", with: "\"counts\":[5,")
        #expect(throws: (any Error).self) { try JSONDecoder().decode(ReferenceProfile.self, from: Data(damaged.utf8)) }
    }
}
