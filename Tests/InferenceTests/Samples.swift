import Basics
import Foundation

@testable import Inference

/// Made-up data that trees can learn something from, the same on every machine.
enum Samples {
    static func data(rows: Int, columns: Int = 6, seed: UInt64 = 1, classes: Int = 2) throws -> LabeledData {
        let random = SeededRandom(seed: seed)
        var values: [Double] = []
        var labels: [Float] = []
        values.reserveCapacity(rows * columns)
        for _ in 0..<rows {
            var row = (0..<columns).map { _ in Double(random.next() >> 11) / 9_007_199_254_740_992 }
            let noise = Double(random.next() >> 11) / 9_007_199_254_740_992
            row[2] = (row[2] * 12).rounded(.down)
            let score = row[0] + 0.5 * row[1] + (Int(row[2]).isMultiple(of: 3) ? 0.4 : 0) + 0.3 * noise
            labels.append(Float(min(classes - 1, Int(score / 2.2 * Double(classes)))))
            if noise < 0.1 { row[1] = .nan }
            values += row
        }
        let matrix = try FeatureMatrix(
            names: (0..<columns).map { "feature_\($0)" }, rowCount: rows, values: .float64(values), layout: .rowMajor)
        return try LabeledData(matrix: matrix, labels: labels)
    }

    static func parameters(iterations: Int = 20) -> LightGBMParameters {
        var parameters = LightGBMParameters()
        parameters.iterations = iterations
        parameters.leaves = 7
        parameters.categoricalFeatures = [2]
        return parameters
    }

    static func booster(iterations: Int = 20) throws -> TrainedBooster {
        try LightGBMTrainer().train(try data(rows: 800), parameters: parameters(iterations: iterations))
    }

    static func rows(_ count: Int, columns: Int = 6, seed: UInt64 = 77) throws -> [[Double]] {
        guard case .float64(let values) = try data(rows: count, columns: columns, seed: seed).matrix.values else {
            return []
        }
        return (0..<count).map { Array(values[($0 * columns)..<(($0 + 1) * columns)]) }
    }
}
