import Foundation
import Inference
import Testing

@testable import Scoring

/// The figures that decide about 8-bit numbers, worked out by hand.
@Suite struct EdgeAnswersTests {
    private func answers(_ type: TensorType, width: Int?, _ values: [Float], labels: [String]? = nil) throws
        -> EdgeAnswers
    {
        let rows = values.count / (width ?? 1)
        var answers = EdgeAnswers(count: rows)
        let shape = width.map { [rows, $0] } ?? [rows]
        let tensor: Tensor =
            switch type {
            case .int64: try Tensor(.int64, shape: shape, values: values.map { Int64($0) })
            case .bytes: try Tensor(shape: shape, strings: values.map { Array("k\(Int($0))".utf8) })
            default: try Tensor(.fp32, shape: shape, values: values)
            }
        // The second half first: places say where a row belongs.
        let half = rows / 2
        try answers.take(tensor.rows(half..<rows), labels: labels, at: (half..<rows).map(Int64.init))
        try answers.take(tensor.rows(0..<half), labels: labels, at: (0..<half).map(Int64.init))
        return answers
    }

    @Test func accuracyOfClasses() throws {
        let before = try answers(.int64, width: nil, [1, 0, 1, 1])
        let after = try answers(.int64, width: nil, [1, 1, 0, 1])
        let found = try EdgeAnswers.compared(before, after, labels: ["1", "0.0", "true", nil])
        #expect(found.measure == .accuracy && found.count == 3)
        #expect(found.original == 1 && abs(found.made - 1 / 3.0) < 1e-12 && abs(found.loss - 2 / 3.0) < 1e-12)
    }

    @Test func classesOfScoresAndTexts() throws {
        let scores = try answers(.fp32, width: 2, [0.9, 0.1, 0.2, 0.8, 0.4, 0.6], labels: ["no", "yes"])
        #expect(scores.classes == ["no", "yes", "yes"])
        #expect(try answers(.fp32, width: 3, [0, 1, 2, 5, 4, 3]).classes == ["2", "0"])
        #expect(try answers(.bytes, width: 1, [3, 4]).classes == ["k3", "k4"])
        let found = try EdgeAnswers.compared(scores, scores, labels: ["no", "yes", "no"])
        #expect(found.loss == 0 && abs(found.original - 2 / 3.0) < 1e-12)
    }

    @Test func areaUnderTheCurve() throws {
        let before = try answers(.fp32, width: 1, [0.1, 0.4, 0.35, 0.8])
        let after = try answers(.fp32, width: 1, [0.1, 0.4, 0.5, 0.3])
        let found = try EdgeAnswers.compared(before, after, labels: ["0", "0", "1", "1"])
        // Of four pairs three are in order; then two, for 0.3 lies above 0.1 alone and 0.5 above both: three again.
        #expect(found.measure == .auc && found.original == 0.75 && found.made == 0.75)
        let worse = try answers(.fp32, width: 1, [0.9, 0.4, 0.5, 0.3])
        #expect(try EdgeAnswers.compared(before, worse, labels: ["0", "0", "1", "1"]).loss == 0.5)
    }

    @Test func errorOfNumbers() throws {
        let before = try answers(.fp32, width: nil, [2, 4, 6, 8])
        let after = try answers(.fp32, width: nil, [1, 4, 6, 9])
        // Errors 1, 1, 1, 1 and then 0, 1, 1, 2: roots of 1 and of 6/4.
        let found = try EdgeAnswers.compared(before, after, labels: ["1", "3", "5", "7"])
        #expect(found.measure == .rmse && found.original == 1)
        #expect(abs(found.made - 1.5.squareRoot()) < 1e-12 && abs(found.loss - (1.5.squareRoot() - 1)) < 1e-12)
    }

    @Test func withoutLabels() throws {
        let before = try answers(.fp32, width: nil, [2, 4, 6, 8])
        let after = try answers(.fp32, width: nil, [2, 4, 6, 9])
        // A difference of 1/2 in standard deviations of the root of 5.
        let found = try EdgeAnswers.compared(before, after, labels: nil)
        #expect(found.measure == .deviation && abs(found.loss - 0.5 / 5.0.squareRoot()) < 1e-12)
        #expect(try EdgeAnswers.compared(before, before, labels: nil).loss == 0)
        let constant = try answers(.fp32, width: nil, [1, 1])
        let moved = try answers(.fp32, width: nil, [1, 1.5])
        #expect(try EdgeAnswers.compared(constant, moved, labels: nil).loss == .infinity)
        let (one, other) = (
            try answers(.int64, width: nil, [0, 1, 2, 3]), try answers(.int64, width: nil, [0, 1, 2, 2])
        )
        let share = try EdgeAnswers.compared(one, other, labels: nil)
        #expect(share.measure == .agreement && share.loss == 0.25)
    }

    @Test func labelsThatTellNothing() throws {
        let classes = try answers(.int64, width: nil, [0, 1])
        #expect(throws: ScoringFailure.self) { try EdgeAnswers.compared(classes, classes, labels: ["a", "b"]) }
        #expect(throws: ScoringFailure.self) { try EdgeAnswers.compared(classes, classes, labels: [nil, nil]) }
        let numbers = try answers(.fp32, width: nil, [0, 1])
        #expect(throws: ScoringFailure.self) { try EdgeAnswers.compared(numbers, numbers, labels: ["a", "1"]) }
    }
}
