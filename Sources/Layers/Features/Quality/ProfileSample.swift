import Basics
import Columnar
import Datasets
import Statistics

/// What one pass over a history finds of one feature.
struct ProfileSample: Sendable {
    /// The sampled values. A feature that is no number, text or boolean is only there or not.
    enum Values: Sendable {
        /// NaN where there is none.
        case numbers([Double])
        case texts([String?])
    }

    var feature: Feature
    /// Rows with a value.
    var present: Int64
    var distinct: Int64?
    var mean: Double?
    var standardDeviation: Double?
    var minimum: Double?
    var maximum: Double?
    var values: Values
    /// Of the rows that are newer than a moment.
    var recent: Values
}

extension ProfileSample.Values {
    var count: Int {
        switch self {
        case .numbers(let values): values.count
        case .texts(let values): values.count
        }
    }

    private var missing: Int {
        switch self {
        case .numbers(let values): values.count(where: \.isNaN)
        case .texts(let values): values.count { $0 == nil }
        }
    }

    /// What is kept of them as a reference.
    var profile: ReferenceProfile.Column {
        switch self {
        case .numbers(let values): NumericProfile(values).map { .numeric($0) } ?? .empty(rows: values.count)
        case .texts(let values): CategoricalProfile(values).map { .categorical($0) } ?? .empty(rows: values.count)
        }
    }

    /// Population stability index against a reference, missing values a bin of their own. Nil for no values.
    func populationStability(from reference: ReferenceProfile.Column) -> Double? {
        switch (reference, self) {
        case (.numeric(let profile), .numbers(let values)): profile.populationStability(of: values)
        case (.categorical(let profile), .texts(let values)): profile.populationStability(of: values)
        case (.empty(let rows), _): Divergence.populationStability([0, rows], [count - missing, missing])
        default: nil
        }
    }

    /// Kolmogorov-Smirnov distance from a reference of numbers.
    func kolmogorovSmirnov(from reference: ReferenceProfile.Column) -> Double? {
        guard case .numeric(let profile) = reference, case .numbers(let values) = self else { return nil }
        return profile.kolmogorovSmirnov(of: values)?.statistic
    }
}

/// The one query that profiles a history.
struct ProfileQuery: Sendable {
    let view: FeatureView
    /// Of the history.
    let rows: Int64
    let path: String
    /// Rows after this are recent; nil where there is nothing to compare with.
    let since: Timestamp?

    private enum Kind { case number, text, presence }

    private static func kind(_ type: FeatureType) -> Kind {
        guard !type.isList else { return .presence }
        switch type.scalar {
        case .integer, .double, .float: return .number
        case .string, .boolean: return .text
        // Times only ever grow, so where they lie says nothing.
        case .timestamp: return .presence
        }
    }

    private static func value(_ feature: Feature) -> String {
        let name = SQLText.identifier(feature.name)
        switch kind(feature.type) {
        // The squares of larger numbers would leave the range of a double.
        case .number: return "CASE WHEN abs(CAST(\(name) AS DOUBLE)) < 1e140 THEN CAST(\(name) AS DOUBLE) END"
        case .text: return "left(CAST(\(name) AS VARCHAR), 200)"
        case .presence: return "CASE WHEN \(name) IS NOT NULL THEN 'present' END"
        }
    }

    private static func aggregates(_ feature: Feature, _ value: String) -> [String] {
        let lists = ["list(\(value)) FILTER (__sampled)", "list(\(value)) FILTER (__recent)"]
        switch kind(feature.type) {
        case .number:
            return ["count(\(value))", "avg(\(value))", "stddev_pop(\(value))", "min(\(value))", "max(\(value))"]
                + lists
        case .text: return ["count(\(value))", "count(DISTINCT \(value))"] + lists
        case .presence: return ["count(\(value))"] + lists
        }
    }

    private static func stride(_ rows: Int64) -> Int64 {
        max(1, rows / HistoryProfile.sampleMax + (rows % HistoryProfile.sampleMax == 0 ? 0 : 1))
    }

    /// On a thread that may block.
    func run(on connection: ColumnarConnection) throws -> [ProfileSample] {
        let context = "the profile of features/\(view.name)"
        let file = "read_parquet(\(SQLText.literal(path)), file_row_number = true)"
        var isRecent = "false"
        if let since {
            let newer = "\(SQLText.identifier(view.joinTime)) > \(SQLText.timestamp(since))"
            let count = try connection.query("SELECT count(*) AS n FROM \(file) WHERE \(newer)", context: context)
                .count("n")
            isRecent = "\(newer) AND file_row_number % \(Self.stride(count)) = 0"
        }
        let values = view.features.enumerated().map { "\(Self.value($1)) AS v\($0)" }
        let sql = """
            SELECT \(view.features.enumerated().flatMap { Self.aggregates($1, "v\($0)") }.joined(separator: ", "))
            FROM (SELECT \(values.joined(separator: ", ")), \(isRecent) AS __recent,
                         file_row_number % \(Self.stride(rows)) = 0 AS __sampled FROM \(file))
            """
        var samples: [ProfileSample] = []
        try connection.chunks(sql, context: context) { chunk in
            var columns = chunk.columns.makeIterator()
            for feature in view.features { samples.append(Self.sample(feature, &columns)) }
        }
        return samples
    }

    private static func sample(_ feature: Feature, _ columns: inout IndexingIterator<[ChunkColumn]>) -> ProfileSample {
        func integer(_ column: ChunkColumn?) -> Int64? {
            guard let column, !column.isNull(0) else { return nil }
            return column.values(as: Int64.self)?[0]
        }
        func double(_ column: ChunkColumn?) -> Double? {
            guard let column, !column.isNull(0), let value = column.values(as: Double.self)?[0] else { return nil }
            return value.isFinite ? value : nil
        }
        let kind = kind(feature.type)
        var sample = ProfileSample(
            feature: feature, present: integer(columns.next()) ?? 0, values: .texts([]), recent: .texts([]))
        switch kind {
        case .number:
            sample.mean = double(columns.next())
            sample.standardDeviation = double(columns.next())
            sample.minimum = double(columns.next())
            sample.maximum = double(columns.next())
        case .text: sample.distinct = integer(columns.next())
        case .presence: break
        }
        sample.values = values(columns.next(), kind)
        sample.recent = values(columns.next(), kind)
        return sample
    }

    private static func values(_ column: ChunkColumn?, _ kind: Kind) -> ProfileSample.Values {
        guard let column, !column.isNull(0), let elements = column.elements else {
            return kind == .number ? .numbers([]) : .texts([])
        }
        let range = column.range(at: 0)
        guard kind == .number else {
            return .texts(
                range.map { elements.isNull($0) ? nil : String(decoding: elements.text(at: $0), as: UTF8.self) })
        }
        guard let numbers = elements.values(as: Double.self) else { return .numbers([]) }
        return .numbers(range.map { elements.isNull($0) ? .nan : numbers[$0] })
    }
}
