import Basics

/// A table of numbers to train on: one column per feature, NaN where a value is missing.
public struct FeatureMatrix: Sendable {
    /// The numbers, in the precision they came in; single precision halves the memory.
    public enum Values: Sendable {
        case float64([Double])
        case float32([Float])

        var count: Int {
            switch self {
            case .float64(let values): values.count
            case .float32(let values): values.count
            }
        }
    }

    /// How the numbers lie in memory.
    public enum Layout: Sendable {
        /// Row after row.
        case rowMajor
        /// Column after column.
        case columnMajor
    }

    public let names: [String]
    public let rowCount: Int
    public let values: Values
    public let layout: Layout

    /// - Parameters:
    ///   - names: one per column, each once; free of blanks and of the characters `" , : [ ] { }`, which LightGBM's
    ///     model text can not hold.
    ///   - values: `names.count * rowCount` numbers.
    /// - Throws: `InferenceError` where counts or names do not fit.
    public init(names: [String], rowCount: Int, values: Values, layout: Layout) throws {
        guard !names.isEmpty, rowCount > 0 else {
            throw InferenceError.shape("the feature matrix has no rows or no columns")
        }
        guard Int32(exactly: rowCount) != nil, Int32(exactly: names.count) != nil else {
            throw InferenceError.shape("the feature matrix has more than \(Int32.max) rows or columns")
        }
        guard values.count == names.count * rowCount else {
            throw InferenceError.shape(
                "the feature matrix has \(values.count) values where \(rowCount) rows of \(names.count) features need "
                    + "\(names.count * rowCount)")
        }
        var seen: Set<String> = []
        for name in names {
            guard !name.isEmpty, !name.unicodeScalars.contains(where: FeatureMatrix.forbidden) else {
                throw InferenceError(
                    .invalidArgument, "the feature name '\(name)' can not be kept in a LightGBM model",
                    remedy: "Use letters, digits, _ - . / and no blanks")
            }
            guard seen.insert(name).inserted else {
                throw InferenceError(
                    .invalidArgument, "two features are both named '\(name)'", remedy: "Give each feature its own name")
            }
        }
        self.names = names
        self.rowCount = rowCount
        self.values = values
        self.layout = layout
    }

    private static func forbidden(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x21 || scalar.value == 0x7F || scalar.properties.isWhitespace
            || "\",:[]{}\\".unicodeScalars.contains(scalar)
    }
}

/// Rows with their answers.
public struct LabeledData: Sendable {
    public let matrix: FeatureMatrix
    /// One finite number per row: 0 or 1 for binary classification, 0 ..< classes for multiclass.
    public let labels: [Float]
    /// One finite number of 0 or more per row, or nil for equal weights.
    public let weights: [Float]?

    /// - Throws: `InferenceError` where counts do not fit or a label or weight is not finite.
    public init(matrix: FeatureMatrix, labels: [Float], weights: [Float]? = nil) throws {
        guard labels.count == matrix.rowCount else {
            throw InferenceError.shape("there are \(labels.count) labels for \(matrix.rowCount) rows")
        }
        if let row = labels.firstIndex(where: { !$0.isFinite }) {
            throw InferenceError.shape("the label of row \(row) is not a finite number")
        }
        if let weights {
            guard weights.count == matrix.rowCount else {
                throw InferenceError.shape("there are \(weights.count) weights for \(matrix.rowCount) rows")
            }
            if let row = weights.firstIndex(where: { !$0.isFinite || $0 < 0 }) {
                throw InferenceError.shape("the weight of row \(row) is not a finite number of 0 or more")
            }
        }
        self.matrix = matrix
        self.labels = labels
        self.weights = weights
    }
}
