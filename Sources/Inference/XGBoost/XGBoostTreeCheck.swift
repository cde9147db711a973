import Basics

/// One tree of an XGBoost model: its nodes have to form a tree, and every array has to reach as far as the nodes point.
struct XGBoostTreeCheck {
    let index: Int
    let features: Int
    let groups: Int

    /// - Throws: ``InferenceError`` naming the tree and what is wrong.
    func check(_ tree: JSONValue) throws {
        let parameters = try XGBoostFile.member(tree, "tree_param")
        let nodes = try XGBoostFile.count(parameters, "num_nodes", 1...Int(Int32.max))
        // Trees with a vector in each leaf are of another layout.
        if parameters["size_leaf_vector"] != nil, try XGBoostFile.count(parameters, "size_leaf_vector", 0...100_000) > 1
        {
            throw broken("has a vector in each leaf")
        }
        if parameters["num_feature"] != nil {
            try demand(
                try XGBoostFile.count(parameters, "num_feature", 0...10_000_000) <= features, "is of more features")
        }
        let left = try integers(tree, "left_children", nodes)
        let right = try integers(tree, "right_children", nodes)
        let parents = try integers(tree, "parents", nodes)
        let splits = try integers(tree, "split_indices", nodes)
        for key in ["split_conditions", "base_weights", "loss_changes", "sum_hessian"] {
            let values = tree[key]?.array
            try demand(
                values?.count == nodes && values?.allSatisfy { $0.double != nil } == true, "has no whole '\(key)'")
        }
        try demand(tree["default_left"]?.array?.count == nodes, "has no whole 'default_left'")
        let kinds = tree["split_type"] == nil ? nil : try integers(tree, "split_type", nodes)
        // Every node but the first hangs on a node of the tree, also one that was cut off: the library looks there.
        for (node, parent) in parents.enumerated().dropFirst() {
            try demand(parent >= 0 && parent < nodes, "has node \(node) below a node that is not there")
        }
        try walk(left, right, parents, splits, kinds: kinds)
        if let kinds, kinds.contains(1) { try checkCategories(tree, kinds) }
    }

    /// From the root every node is met at most once, and inner nodes ask for features that are there.
    private func walk(_ left: [Int], _ right: [Int], _ parents: [Int], _ splits: [Int], kinds: [Int]?) throws {
        var isMet = [Bool](repeating: false, count: left.count)
        var open = [0]
        while let node = open.popLast() {
            try demand(!isMet[node], "meets node \(node) twice")
            isMet[node] = true
            guard left[node] != -1 else {
                try demand(right[node] == -1, "has node \(node) with a right child alone")
                continue
            }
            try demand(splits[node] >= 0 && splits[node] < features, "splits by a feature that the model does not have")
            try demand(kinds.map { $0[node] == 0 || $0[node] == 1 } ?? true, "has a split of an unknown type")
            for child in [left[node], right[node]] {
                try demand(child > 0 && child < left.count, "has node \(node) above a node that is not there")
                try demand(parents[child] == node, "has node \(child) below two nodes")
                open.append(child)
            }
        }
    }

    /// `categories` holds each categorical node's categories one after the other.
    private func checkCategories(_ tree: JSONValue, _ kinds: [Int]) throws {
        let nodes = try integers(tree, "categories_nodes", nil)
        let starts = try integers(tree, "categories_segments", nodes.count)
        let sizes = try integers(tree, "categories_sizes", nodes.count)
        let categories = try integers(tree, "categories", nil)
        try demand(Set(nodes).count == nodes.count, "tells a node's categories twice")
        try demand(zip(nodes, nodes.dropFirst()).allSatisfy { $0 < $1 }, "tells its categories out of order")
        for (position, node) in nodes.enumerated() {
            try demand(kinds.indices.contains(node) && kinds[node] == 1, "has categories for a node without")
            try demand(
                starts[position] >= 0 && sizes[position] > 0 && starts[position] <= categories.count
                    && sizes[position] <= categories.count - starts[position], "has categories past their end")
        }
        try demand(
            kinds.indices.allSatisfy { kinds[$0] == 0 || nodes.contains($0) }, "has a node without its categories")
        try demand(categories.allSatisfy { (0..<(1 << 24)).contains($0) }, "has a category beyond 16,777,215")
    }

    private func integers(_ tree: JSONValue, _ key: String, _ count: Int?) throws -> [Int] {
        let values = (tree[key]?.array ?? []).compactMap { $0.integer.flatMap(Int.init(exactly:)) }
        try demand(
            values.count == tree[key]?.array?.count && (count == nil || values.count == count), "has no whole '\(key)'")
        return values
    }

    private func demand(_ holds: Bool, _ message: @autoclosure () -> String) throws {
        guard holds else { throw broken(message()) }
    }

    private func broken(_ message: String) -> InferenceError {
        .modelFile("XGBoost", "tree \(index) \(message)", remedy: "Save the model again by Booster.save_model")
    }
}
