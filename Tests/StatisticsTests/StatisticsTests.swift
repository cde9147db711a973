import Foundation
import Testing

@testable import Statistics

/// The recurrence of Tests/Oracles/Statistics/vectors.py.
func uniform(_ seed: UInt64, _ count: Int) -> [Double] {
    var state = seed
    return (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Double(state >> 11) / Double(UInt64(1) << 53)
    }
}

func isClose(_ a: Double?, _ b: Double, _ relative: Double = 1e-10, floor: Double = 1e-300) -> Bool {
    guard let a else { return false }
    return abs(a - b) <= max(relative * abs(b), floor)
}

@Suite struct DistributionTests {
    @Test func kolmogorovAtFiniteSizeAgreesWithSciPy() {
        for row in OracleVectors.oneSampleKolmogorov {
            let tail = OneSampleKolmogorov.upperTail(row.n, row.d)
            // Above 140 values both sides use a series that is good to some 3e-6, and sum it differently.
            let floor = row.n > 140 ? 5e-6 : 1e-12
            #expect(
                abs(tail - row.tail) <= 1e-7 * row.tail + floor, "n \(row.n), d \(row.d): \(tail) is not \(row.tail)")
        }
    }

    @Test func chiSquareTailAgreesWithSciPy() {
        for row in OracleVectors.chiSquareTail {
            #expect(isClose(Distribution.chiSquareUpperTail(row.x, degrees: row.degrees), row.tail, 1e-9, floor: 1e-14))
        }
        #expect(Distribution.chiSquareUpperTail(-1, degrees: 2) == nil)
        #expect(Distribution.chiSquareUpperTail(.nan, degrees: 2) == nil)
        #expect(Distribution.chiSquareUpperTail(.infinity, degrees: 2) == 0)
    }

    @Test func normalQuantileAgreesWithSciPy() {
        for row in OracleVectors.normalQuantile {
            #expect(isClose(Distribution.normalQuantile(row.probability), row.z, 1e-10, floor: 1e-12))
        }
        #expect(Distribution.normalQuantile(0) == nil && Distribution.normalQuantile(1) == nil)
    }
}

@Suite struct TwoSampleTests {
    @Test func kolmogorovSmirnovAgreesWithSciPy() throws {
        for row in OracleVectors.twoSample {
            let a = uniform(1, row.n).map { ($0 * row.scale).rounded(.down) }
            let b = uniform(2, row.m).map { (($0 + row.shift) * row.scale).rounded(.down) }
            let exact = try #require(KolmogorovSmirnov(a, b))
            let asymptotic = try #require(KolmogorovSmirnov(a, b, method: .asymptotic))
            #expect(isClose(exact.statistic, row.d, 1e-14))
            #expect(isClose(exact.pValue, row.exact, 1e-9), "\(exact.pValue) is not \(row.exact)")
            #expect(
                isClose(asymptotic.pValue, row.asymptotic, 1e-7, floor: 5e-6),
                "\(asymptotic.pValue) is not \(row.asymptotic)")
            #expect(isClose(Wasserstein.distance(a, b), row.wasserstein, 1e-10))
        }
    }

    @Test func equalSamplesHaveNoDistance() throws {
        let same = try #require(KolmogorovSmirnov([1, 1, 2], [1, 1, 2]))
        #expect(same.statistic == 0 && same.pValue == 1)
        #expect(Wasserstein.distance([3, 1], [1, 3]) == 0)
        let apart = try #require(KolmogorovSmirnov([1, 2, 3], [4, 5, 6]))
        // All 20 orderings of 3 and 3 are as likely; two of them part the samples wholly.
        #expect(apart.statistic == 1 && isClose(apart.pValue, 0.1))
    }

    @Test func nothingIsMadeOfNothing() {
        #expect(KolmogorovSmirnov([], [1]) == nil)
        #expect(KolmogorovSmirnov([.nan], [1]) == nil)
        #expect(Wasserstein.distance([.infinity], [1]) == nil)
        #expect(KolmogorovSmirnov.asymptoticTail(statistic: 0.5, 0, 10) == 1)
    }
}

@Suite struct DivergenceTests {
    @Test func binnedDistancesAgreeWithSciPy() throws {
        for row in OracleVectors.binned {
            #expect(isClose(Divergence.populationStability(row.reference, row.current), row.psi))
            #expect(isClose(Divergence.jensenShannonDistance(row.reference, row.current), row.js))
            #expect(isClose(Divergence.kullbackLeibler(row.reference, row.current), row.kl))
            let chi = try #require(ChiSquare(row.reference, row.current))
            #expect(isClose(chi.statistic, row.chi) && isClose(chi.pValue, row.chiTail, 1e-9))
        }
    }

    @Test func equalAndDisjointAreTheEnds() {
        #expect(Divergence.populationStability([1, 2, 0], [10, 20, 0]) == 0)
        #expect(Divergence.jensenShannon([1, 2], [10, 20]) == 0)
        #expect(Divergence.jensenShannon([5, 0], [0, 9]) == 1)
        #expect(Divergence.hellinger([5, 0], [0, 9]) == 1)
        #expect(Divergence.largestShift([5, 5], [0, 9]) == 0.5)
    }

    @Test func unusableCountsGiveNothing() {
        for (a, b) in [([Int](), [Int]()), ([1], [1, 2]), ([0, 0], [1, 1]), ([-1, 2], [1, 1]), ([1, 1], [0, 0])] {
            #expect(Divergence.populationStability(a, b) == nil)
            #expect(Divergence.jensenShannon(a, b) == nil)
            #expect(Divergence.kullbackLeibler(a, b) == nil)
            #expect(Divergence.hellinger(a, b) == nil)
        }
        #expect(ChiSquare([5, 0], [9, 0]) == nil)
        #expect(Divergence.populationStability([.max, .max], [.max, 1]) != nil)
    }
}

@Suite struct QualityTests {
    @Test func rankingAndProbabilityAgreeWithScikitLearn() throws {
        for row in OracleVectors.ranking {
            let (u, noise, other) = (uniform(3, row.n), uniform(4, row.n), uniform(5, row.n))
            let labels = u.map { $0 > 0.6 }
            let a = zip(u, noise).map { (($0 * 0.5 + $1 * 0.5) * row.levels).rounded(.down) / row.levels }
            let b = zip(u, other).map { (($0 * 0.3 + $1 * 0.7) * row.levels).rounded(.down) / row.levels }
            let quality = try #require(RankingQuality(scores: a, labels: labels))
            #expect(isClose(quality.auc, row.auc, 1e-13))
            #expect(isClose(quality.variance, row.variance, 1e-10))
            let test = try #require(PairedRankingTest(first: a, second: b, labels: labels))
            #expect(isClose(test.difference, row.auc - row.otherAUC, 1e-9))
            #expect(isClose(test.standardError, row.differenceVariance.squareRoot(), 1e-10))
            #expect(isClose(ProbabilityMetrics.logLoss(probabilities: a, labels: labels), row.logLoss))
            #expect(isClose(ProbabilityMetrics.brier(probabilities: a, labels: labels), row.brier))
            let reliability = try #require(Reliability(probabilities: a, labels: labels))
            #expect(isClose(reliability.expectedError, row.ece))
            let confusion = try #require(Confusion(scores: a, labels: labels))
            #expect(isClose(confusion.accuracy, row.accuracy) && isClose(confusion.precision, row.precision))
            #expect(isClose(confusion.recall, row.recall) && isClose(confusion.f1, row.f1))
        }
    }

    @Test func tiesAndSingleClasses() throws {
        #expect(RankingQuality(scores: [1, 1, 1, 1], labels: [true, false, true, false])?.auc == 0.5)
        #expect(RankingQuality(scores: [1, 2], labels: [true, true]) == nil)
        #expect(RankingQuality(scores: [1, .nan], labels: [true, false]) == nil)
        #expect(RankingQuality(scores: [1], labels: [true, false]) == nil)
        let two = try #require(RankingQuality(scores: [2, 1], labels: [true, false]))
        #expect(two.auc == 1 && two.variance == nil && two.interval() == nil)
        let perfect = try #require(RankingQuality(scores: [4, 3, 2, 1], labels: [true, true, false, false]))
        #expect(perfect.interval() == 1...1)
        let scores = uniform(7, 50)
        let labels = uniform(8, 50).map { $0 > 0.5 }
        let same = try #require(PairedRankingTest(first: scores, second: scores.map { 2 * $0 }, labels: labels))
        #expect(same.difference == 0 && same.pValue == 1)
    }

    @Test func undefinedFiguresAreNil() throws {
        let none = try #require(Confusion(scores: [0.1, 0.2], labels: [false, false]))
        #expect(none.precision == nil && none.recall == nil && none.f1 == nil && none.accuracy == 1)
        #expect(Confusion(scores: [], labels: [])?.accuracy == nil)
        #expect(Confusion(scores: [.nan], labels: [true]) == nil)
        #expect(ProbabilityMetrics.logLoss(probabilities: [], labels: []) == nil)
        #expect(ProbabilityMetrics.brier(probabilities: [1.5], labels: [true]) == nil)
        #expect(Reliability(probabilities: [.nan], labels: [true]) == nil)
        #expect(Reliability(probabilities: [0, 1], labels: [false, true], binCount: 0) == nil)
        #expect(Reliability(probabilities: [0, 1], labels: [false, true])?.expectedError == 0)
    }

    @Test func wilsonAgreesWithSciPy() throws {
        for row in OracleVectors.wilson {
            let interval = try #require(Proportion.wilson(successes: row.successes, trials: row.trials))
            #expect(isClose(interval.lowerBound, row.lower, 1e-9, floor: 1e-12))
            #expect(isClose(interval.upperBound, row.upper, 1e-9))
        }
        #expect(Proportion.wilson(successes: 3, trials: 2) == nil && Proportion.wilson(successes: 0, trials: 0) == nil)
    }

    @Test func summaryAndQuantilesAgreeWithNumpy() throws {
        let values = uniform(9, 37).map { $0 * 100 }
        let summary = try #require(Summary(values + [.nan, .infinity]))
        #expect(isClose(summary.mean, OracleVectors.summary.mean, 1e-14) && summary.missing == 2)
        #expect(isClose(summary.standardDeviation, OracleVectors.summary.deviation, 1e-13))
        for row in OracleVectors.quantiles {
            #expect(isClose(Quantile.of(values, at: [row.probability])?.first, row.value, 1e-15))
        }
        #expect(Summary([]) == nil && Summary([.nan]) == nil)
        #expect(Quantile.of([], at: [0.5]) == nil && Quantile.of([1], at: [1.5]) == nil)
        #expect(Quantile.of(sorted: [-.infinity, .infinity], at: 0) == -.infinity)
    }
}
