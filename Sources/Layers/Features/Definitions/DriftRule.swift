import Basics
import Configuration

/// How far the values of a view's new history may lie from those of its reference, and what happens where they lie further.
public struct DriftRule: Sendable, Codable, Equatable {
    /// What is done with a history whose values have drifted.
    public enum Action: String, Sendable, Codable, CaseIterable {
        /// It is used; the journal and its profile tell.
        case flag
        /// It is kept and not used until somebody accepts it.
        case block
    }

    /// The greatest population stability index that counts as the same distribution.
    public var psi: Double
    public var action: Action
    /// Of fewer rows on either side nothing is said. Without any drift the index is about (bins - 1) (1/n + 1/m): with 10
    /// bins and 500 rows on either side 0.04.
    public var minRows: Int

    /// What holds for a view that says nothing.
    public static let standard = DriftRule(psi: 0.2, action: .flag, minRows: 500)
}

extension DriftRule {
    /// Reads `{psi: 0.2, action: block, min_rows: 500}`, each of which may be left out.
    init(_ node: YAMLNode) throws {
        let map = try node.mapping(allowing: ["psi", "action", "min_rows"])
        let standard = DriftRule.standard
        self.init(
            psi: try map.double("psi", default: standard.psi),
            action: try map.choice("action", default: standard.action),
            minRows: try map.int("min_rows", default: standard.minRows))
        guard psi > 0 else { throw ConfigurationFailure(node.place, "'psi' must be greater than 0") }
        guard minRows > 0 else { throw ConfigurationFailure(node.place, "'min_rows' must be greater than 0") }
    }
}
