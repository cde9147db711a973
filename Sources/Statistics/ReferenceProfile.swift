/// The data a model was trained on as it is remembered with the model, for drift to be measured against.
public struct ReferenceProfile: Sendable, Codable, Equatable {
    /// One column's profile.
    public enum Column: Sendable, Equatable {
        case numeric(NumericProfile)
        case categorical(CategoricalProfile)
        /// Every value of the reference was missing: nothing can be compared, but rows are still counted.
        case empty(rows: Int)
    }

    /// Profiles by feature name.
    public let features: [String: Column]
    /// The model's scores on the reference; nil where there were none.
    public let prediction: NumericProfile?
    /// Rows of the reference.
    public let rowCount: Int

    /// - Parameters:
    ///   - numeric: values by feature, NaN for missing.
    ///   - categorical: values by feature, nil for missing; a name that is in both counts as categorical.
    ///   - predictions: the model's scores on the same rows.
    ///   - bins: how many bins a numeric feature gets at most.
    public init(
        numeric: [String: [Double]], categorical: [String: [String?]] = [:], predictions: [Double] = [], bins: Int = 10
    ) {
        var features = numeric.mapValues { values in
            NumericProfile(values, bins: bins).map { Column.numeric($0) } ?? .empty(rows: values.count)
        }
        for (name, values) in categorical {
            features[name] = CategoricalProfile(values).map { Column.categorical($0) } ?? .empty(rows: values.count)
        }
        self.features = features
        prediction = NumericProfile(predictions, bins: bins)
        rowCount =
            (numeric.values.map(\.count) + categorical.values.map(\.count) + [predictions.count]).max() ?? 0
    }
}

extension ReferenceProfile.Column: Codable {
    private enum CodingKeys: String, CodingKey { case numeric, categorical, emptyRows }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        if let profile = try container.decodeIfPresent(NumericProfile.self, forKey: .numeric) {
            self = .numeric(profile)
        } else if let profile = try container.decodeIfPresent(CategoricalProfile.self, forKey: .categorical) {
            self = .categorical(profile)
        } else {
            self = .empty(rows: try container.decode(Int.self, forKey: .emptyRows))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .numeric(let profile): try container.encode(profile, forKey: .numeric)
        case .categorical(let profile): try container.encode(profile, forKey: .categorical)
        case .empty(let rows): try container.encode(rows, forKey: .emptyRows)
        }
    }
}
