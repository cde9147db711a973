import CSimdJSON

/// A value of a document, in the parser's memory: members keep the order in which they came.
struct JSONNode {
    private let tree: mw_tree_view
    private let index: Int

    /// The root of a document.
    init(_ tree: mw_tree_view) {
        self.tree = tree
        index = 0
    }

    private init(_ tree: mw_tree_view, _ index: Int) {
        self.tree = tree
        self.index = index
    }

    private var node: mw_node { tree.nodes[index] }

    var value: mw_value { node.value }

    var isObject: Bool { value.kind == MW_VALUE_OBJECT }

    var isArray: Bool { value.kind == MW_VALUE_ARRAY }

    /// The text of a string; nil for any other value.
    var text: String? { value.kind == MW_VALUE_TEXT ? value.text.string : nil }

    /// The values below an object or array, in order.
    var children: [JSONNode] {
        var found: [JSONNode] = []
        var child = index + 1
        while child < node.end {
            found.append(JSONNode(tree, child))
            child = tree.nodes[child].end
        }
        return found
    }

    /// The name under which it stands in an object.
    var key: String { node.key.string }

    /// A member of an object; of repeated ones the last.
    func member(_ name: String) -> JSONNode? { isObject ? children.last { $0.node.key == name } : nil }
}

extension InferParser {
    /// Reads any document; what `use` is given points into the parser.
    /// - Throws: ``OpenInferenceFailure/malformed(_:where:limit:)``, and what `use` throws.
    func document<Result>(_ body: UnsafeRawBufferPointer, _ use: (JSONNode) throws -> Result) throws -> Result {
        try tree(body) { try use(JSONNode($0)) }
    }
}
