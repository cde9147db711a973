import Basics
import Inference

/// Makes a model that passes every check before traffic and fails in it: some leaves of one tree hold no number.
///
/// The sample that a bundle must reproduce keeps away from those leaves, as the one row that was looked at would in a
/// model broken by accident.
enum BrokenModel {
    /// - Parameters:
    ///   - text: a LightGBM model.
    ///   - row: the bundle's sample row; the leaf it reaches stays whole.
    /// - Returns: the model's text with every second other leaf of its first tree spoilt.
    static func spoil(_ text: [UInt8], keeping row: [Double]) throws -> [UInt8] {
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        guard let place = lines.firstIndex(where: { $0.hasPrefix("leaf_value=") }) else {
            throw CommandFailure(.internal, "the model has no tree to break")
        }
        let leaves = lines[place].dropFirst("leaf_value=".count).split(separator: " ").map(String.init)
        let whole = try LightGBMModel(text: text).predict(row: row)
        for parity in [0, 1] {
            let spoilt = leaves.enumerated().map { $0.offset % 2 == parity ? "nan" : $0.element }
            let candidate = try rebuilt(lines, at: place, leaves: spoilt)
            if let model = try? LightGBMModel(text: candidate), try model.predict(row: row) == whole { return candidate }
        }
        throw CommandFailure(.internal, "no part of the model could be broken without touching its sample")
    }

    /// The text with other leaves, and the sizes of trees in its head as they then are.
    private static func rebuilt(_ lines: [Substring], at place: Int, leaves: [String]) throws -> [UInt8] {
        var lines = lines.map(String.init)
        let old = lines[place].utf8.count
        lines[place] = "leaf_value=" + leaves.joined(separator: " ")
        let change = lines[place].utf8.count - old
        if let sizes = lines.firstIndex(where: { $0.hasPrefix("tree_sizes=") }) {
            var numbers = lines[sizes].dropFirst("tree_sizes=".count).split(separator: " ").compactMap { Int($0) }
            if let first = numbers.first { numbers[0] = first + change }
            lines[sizes] = "tree_sizes=" + numbers.map(String.init).joined(separator: " ")
        }
        return Array(lines.joined(separator: "\n").utf8)
    }
}
