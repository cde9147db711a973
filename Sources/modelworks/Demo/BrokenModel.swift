import Basics
import Inference

/// Makes a model that passes every check before traffic and fails in it: its scores overflow for some of the rows.
///
/// Half the leaves of its first tree and all of its second hold the largest numbers there are, and nothing squeezes
/// their sum into a probability any more. The sample that a bundle must reproduce keeps away from those leaves, as the
/// one row that was looked at would in a model broken by accident.
enum BrokenModel {
    private static let largest = "1.7e308"

    /// - Parameters:
    ///   - text: a LightGBM model of at least two trees.
    ///   - row: the bundle's sample row; its score stays a number.
    static func spoil(_ text: [UInt8], keeping row: [Double]) throws -> [UInt8] {
        var lines = String(decoding: text, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
            .map(String.init)
        for index in lines.indices where lines[index].hasPrefix("objective=") { lines[index] = "objective=regression" }
        let places = lines.indices.filter { lines[$0].hasPrefix("leaf_value=") }.prefix(2)
        guard places.count == 2 else { throw CommandFailure(.internal, "the model has too few trees to break") }
        for parity in [0, 1] {
            var broken = lines
            for (tree, place) in places.enumerated() {
                replaceLeaves(in: &broken, at: place, tree: tree) { tree == 1 || $0 % 2 == parity }
            }
            let candidate = Array(broken.joined(separator: "\n").utf8)
            if try LightGBMModel(text: candidate).predict(row: row).allSatisfy(\.isFinite) { return candidate }
        }
        throw CommandFailure(.internal, "no part of the model could be broken without touching its sample")
    }

    /// Spoils leaves of one tree, and corrects the size that the model's head tells of it.
    private static func replaceLeaves(in lines: inout [String], at place: Int, tree: Int, where spoils: (Int) -> Bool) {
        let leaves = lines[place].dropFirst("leaf_value=".count).split(separator: " ").map(String.init)
        let before = lines[place].utf8.count
        lines[place] =
            "leaf_value="
            + leaves.enumerated().map { spoils($0.offset) ? largest : $0.element }.joined(separator: " ")
        let change = lines[place].utf8.count - before
        guard let head = lines.firstIndex(where: { $0.hasPrefix("tree_sizes=") }) else { return }
        var sizes = lines[head].dropFirst("tree_sizes=".count).split(separator: " ").compactMap { Int($0) }
        guard sizes.indices.contains(tree) else { return }
        sizes[tree] += change
        lines[head] = "tree_sizes=" + sizes.map(String.init).joined(separator: " ")
    }
}
