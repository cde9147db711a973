import Basics
import Statistics

extension FeatureProfile {
    private static let bins = 12
    private static let topMax = 10

    /// - Parameters:
    ///   - rows: of the history.
    ///   - reference: what the same feature was like in the history that this one is compared with.
    ///   - minRows: of fewer sampled rows no distance is told.
    init(_ sample: ProfileSample, rows: Int64, reference: ReferenceProfile.Column?, minRows: Int) {
        feature = sample.feature.name
        type = sample.feature.type
        missing = rows - sample.present
        missingShare = rows > 0 ? Double(missing) / Double(rows) : 0
        distinct = sample.distinct
        mean = sample.mean
        standardDeviation = sample.standardDeviation
        minimum = sample.minimum
        maximum = sample.maximum
        quantiles = []
        top = []
        switch sample.values {
        case .numbers(let values):
            quantiles = Quantile.of(values, at: Self.quantileLevels) ?? []
            histogram = Self.histogram(values, quantiles)
        case .texts(let values):
            guard sample.distinct != nil, let profile = CategoricalProfile(values) else { break }
            top = zip(profile.categories, profile.counts).prefix(Self.topMax).map {
                TopValue(value: $0, share: Double($1) / Double(values.count))
            }
        }
        if let reference {
            func index(_ values: ProfileSample.Values) -> Double? {
                values.count < minRows ? nil : values.populationStability(from: reference)
            }
            drift = Drift(
                psi: index(sample.values), recentPSI: index(sample.recent),
                ks: sample.values.count < minRows ? nil : sample.values.kolmogorovSmirnov(from: reference))
        }
    }

    /// From the first to the 99th percentile, so that a few outliers do not hide the rest.
    private static func histogram(_ values: [Double], _ quantiles: [Double]) -> Histogram? {
        guard let from = quantiles.first, let to = quantiles.last else { return nil }
        let width = (to - from) / Double(bins)
        let edges = (1..<bins).map { from + width * Double($0) }
        guard width > 0, let cut = NumericBins(edges: edges) else {
            return Histogram(from: from, to: to, counts: [values.count { !$0.isNaN }])
        }
        return Histogram(from: from, to: to, counts: cut.counts(of: values).bins)
    }
}
