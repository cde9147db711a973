import Inference
import Statistics

/// What a model answered to each example: a class, or one number.
struct EdgeAnswers: Sendable {
    private(set) var classes: [String?]
    private(set) var numbers: [Double]
    private var isOfClasses = true

    init(count: Int) {
        classes = Array(repeating: nil, count: count)
        numbers = Array(repeating: .nan, count: count)
    }

    /// The output that tells most of a model: the class where a classifier names it, else the last of real numbers.
    static func output(of model: any TensorModel) -> Int {
        let named = model.outputs.firstIndex { !$0.datatype.isReal && $0.shape.dropFirst().allSatisfy { $0 == 1 } }
        return named ?? model.outputs.lastIndex { $0.datatype.isReal } ?? 0
    }

    /// - Parameters:
    ///   - labels: the classes that the columns of the answer stand for; their numbers where the model does not tell.
    ///   - places: which examples the rows are.
    /// - Throws: ``ScoringFailure/changedModel(_:)``.
    mutating func take(_ answer: Tensor, labels: [String]?, at places: [Int64]) throws {
        let width = answer.shape.dropFirst().reduce(1, *)
        guard answer.shape.first == places.count, width > 0, answer.count == places.count * width else {
            throw ScoringFailure.changedModel("\(places.count) rows were answered by the shape \(answer.shape)")
        }
        let values = answer.doubles
        let texts = answer.strings
        for (row, place) in places.enumerated() {
            guard let index = Int(exactly: place), classes.indices.contains(index) else { continue }
            if let texts, texts.indices.contains(row * width) {
                classes[index] = String(decoding: texts[row * width], as: UTF8.self)
            } else if let values, width > 1 {
                let scores = values[row * width..<(row + 1) * width]
                let best = scores.indices.max { scores[$0] < scores[$1] } ?? scores.startIndex
                let column = best - scores.startIndex
                classes[index] = labels.flatMap { $0.indices.contains(column) ? $0[column] : nil } ?? "\(column)"
            } else if let values, answer.type.isReal {
                numbers[index] = values[row]
                isOfClasses = false
            } else if let values {
                classes[index] = "\(values[row])"
            }
        }
    }

    /// How good the answers of a model and of one made from it are, and what was lost.
    /// - Parameter labels: what the answers should have been; nil to compare with the original's.
    /// - Throws: ``ScoringFailure/export(_:remedy:)`` where the labels tell nothing of the answers.
    static func compared(
        _ original: EdgeAnswers, _ made: EdgeAnswers, labels: [String?]?
    ) throws -> (measure: EdgeJudgement.Measure, original: Double, made: Double, loss: Double, count: Int) {
        guard let labels else {
            if original.isOfClasses {
                let share = agreement(original.classes, made.classes)
                return (.agreement, 1, share, 1 - share, original.classes.count)
            }
            let difference = rootMeanSquare(zip(original.numbers, made.numbers).map { $0 - $1 })
            let mean = original.numbers.reduce(0, +) / Double(max(1, original.numbers.count))
            let spread = rootMeanSquare(original.numbers.map { $0 - mean })
            let share = difference == 0 ? 0 : difference / spread
            return (.deviation, 0, share, share, original.numbers.count)
        }
        let known = labels.indices.filter { labels[$0] != nil }
        let wanted = known.map { labels[$0] }
        guard !known.isEmpty else {
            throw ScoringFailure.export("the label is null in every row", remedy: "Name another column with --label")
        }
        if original.isOfClasses {
            let before = agreement(wanted, known.map { original.classes[$0] })
            let after = agreement(wanted, known.map { made.classes[$0] })
            guard before > 0 else {
                let answer = original.classes.first.flatMap { $0 } ?? ""
                let label = wanted.first.flatMap { $0 } ?? ""
                throw ScoringFailure.export(
                    "no answer is ever the label: the model says '\(answer)' where the column has '\(label)'",
                    remedy: "Name the label's column with --label, or the output it belongs to with --output")
            }
            return (.accuracy, before, after, before - after, known.count)
        }
        let (first, second) = (known.map { original.numbers[$0] }, known.map { made.numbers[$0] })
        let truth = wanted.map { normal($0).flatMap(Double.init) ?? .nan }
        if truth.allSatisfy({ $0 == 0 || $0 == 1 }),
            let before = RankingQuality(scores: first, labels: truth.map { $0 == 1 }),
            let after = RankingQuality(scores: second, labels: truth.map { $0 == 1 })
        {
            return (.auc, before.auc, after.auc, before.auc - after.auc, known.count)
        }
        let before = rootMeanSquare(zip(first, truth).map { $0 - $1 })
        let after = rootMeanSquare(zip(second, truth).map { $0 - $1 })
        guard before.isFinite else {
            throw ScoringFailure.export(
                "answers or labels are no numbers, and can not be compared",
                remedy: "Name the label's column with --label, or the output it belongs to with --output")
        }
        return (.rmse, before, after, after == before ? 0 : after / before - 1, known.count)
    }

    private static func agreement(_ one: [String?], _ other: [String?]) -> Double {
        let same = zip(one, other).count { normal($0) == normal($1) }
        return Double(same) / Double(max(1, one.count))
    }

    /// A class as it is compared: 1, 1.0 and true are one.
    private static func normal(_ text: String?) -> String? {
        switch text {
        case "true": "1.0"
        case "false": "0.0"
        default: text.map { text in Double(text).map { "\($0)" } ?? text }
        }
    }

    private static func rootMeanSquare(_ values: [Double]) -> Double {
        (values.reduce(0) { $0 + $1 * $1 } / Double(max(1, values.count))).squareRoot()
    }
}
