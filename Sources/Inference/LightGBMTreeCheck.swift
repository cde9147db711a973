/// Checks one tree of a LightGBM model text: every array has its length, every number is one, and the nodes form a tree.
struct LightGBMTreeCheck {
    let index: Int
    let featureCount: Int

    // Beyond this the library's recursion for SHAP values would eat the stack.
    private static let deepest = 2048

    func check(_ block: ArraySlice<UInt8>) throws {
        let fields = try fields(of: block)
        let leaves = try integer(fields, "num_leaves", 1...131_072)
        let categories = try integer(fields, "num_cat", 0...131_072)
        guard fields["is_linear"] == "0" else { throw wrong("is a linear tree, which is not supported") }
        guard let shrinkage = fields["shrinkage"], Double(shrinkage) != nil else { throw wrong("has no shrinkage") }
        let nodes = leaves - 1
        if leaves == 1 {
            guard categories == 0 else { throw wrong("has categories but no split") }
            _ = try numbers(fields, "leaf_value", 1)
            return
        }
        for key in ["split_gain", "internal_value", "internal_weight", "internal_count"] {
            _ = try numbers(fields, key, nodes)
        }
        for key in ["leaf_value", "leaf_weight", "leaf_count"] { _ = try numbers(fields, key, leaves) }
        let features = try integers(fields, "split_feature", nodes)
        guard features.allSatisfy({ (0..<featureCount).contains($0) }) else {
            throw wrong("splits on a feature that is not there")
        }
        let thresholds = try numbers(fields, "threshold", nodes)
        let decisions = try integers(fields, "decision_type", nodes)
        // Bit 0 is "categorical", bit 1 "missing goes left", bits 2 and 3 how missing is told (0, 1 or 2).
        guard decisions.allSatisfy({ (0...11).contains($0) }) else { throw wrong("has an unknown kind of decision") }
        for (threshold, decision) in zip(thresholds, decisions) where decision & 1 == 1 {
            guard let set = Int(exactly: threshold), (0..<categories).contains(set) else {
                throw wrong("splits on a set of categories that is not there")
            }
        }
        if categories > 0 { try checkCategories(fields, categories) }
        try checkShape(
            left: try integers(fields, "left_child", nodes), right: try integers(fields, "right_child", nodes),
            leaves: leaves)
    }

    private func checkCategories(_ fields: [String: String], _ count: Int) throws {
        let boundaries = try integers(fields, "cat_boundaries", count + 1)
        let words = (fields["cat_threshold"] ?? "").split(separator: " ")
        guard boundaries.first == 0, boundaries.last == words.count,
            zip(boundaries, boundaries.dropFirst()).allSatisfy({ $0 < $1 }),
            words.allSatisfy({ UInt32($0) != nil })
        else { throw wrong("has sets of categories that do not fit each other") }
    }

    /// Every node and leaf has to be reached exactly once from node 0; negative children are leaves, as `-1 - leaf`.
    private func checkShape(left: [Int], right: [Int], leaves: Int) throws {
        let nodes = leaves - 1
        var seenNodes = [Bool](repeating: false, count: nodes)
        var seenLeaves = [Bool](repeating: false, count: leaves)
        var waiting = [(node: 0, depth: 1)]
        seenNodes[0] = true
        var reached = 1
        while let (node, depth) = waiting.popLast() {
            guard depth <= LightGBMTreeCheck.deepest else {
                throw wrong("is deeper than \(LightGBMTreeCheck.deepest) levels")
            }
            for child in [left[node], right[node]] {
                if child >= 0 {
                    guard child < nodes, !seenNodes[child] else { throw wrong("has nodes that form no tree") }
                    seenNodes[child] = true
                    waiting.append((child, depth + 1))
                } else {
                    let leaf = -1 - child
                    guard leaf < leaves, !seenLeaves[leaf] else { throw wrong("has leaves that form no tree") }
                    seenLeaves[leaf] = true
                }
                reached += 1
            }
        }
        guard reached == nodes + leaves else { throw wrong("has nodes that are never reached") }
    }

    private func fields(of block: ArraySlice<UInt8>) throws -> [String: String] {
        let lines = block.split(separator: 10)
        guard let first = lines.first, String(decoding: first, as: UTF8.self) == "Tree=\(index)" else {
            throw wrong("does not start with its number")
        }
        // The library cuts blocks by their sizes; a block that is cut in the middle of a line would shift all others.
        guard block.last == 10 else { throw wrong("has another size than 'tree_sizes' tells") }
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            let (key, value) = LightGBMModelText.split(line)
            guard LightGBMTreeCheck.keys.contains(key), fields.updateValue(value, forKey: key) == nil else {
                throw wrong("has an unknown or repeated line '\(key.prefix(40))'")
            }
        }
        return fields
    }

    private func integer(_ fields: [String: String], _ key: String, _ range: ClosedRange<Int>) throws -> Int {
        guard let text = fields[key], let value = Int(text), range.contains(value) else {
            throw wrong("has no '\(key)' of \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    private func integers(_ fields: [String: String], _ key: String, _ count: Int) throws -> [Int] {
        let values = (fields[key] ?? "").split(separator: " ").compactMap { Int32($0).map(Int.init) }
        guard values.count == count else { throw wrong("has not \(count) whole numbers in '\(key)'") }
        return values
    }

    private func numbers(_ fields: [String: String], _ key: String, _ count: Int) throws -> [Double] {
        let words = (fields[key] ?? "").split(separator: " ")
        let values = words.compactMap { Double($0) }.filter { !$0.isNaN }
        guard values.count == count, words.count == count else { throw wrong("has not \(count) numbers in '\(key)'") }
        return values
    }

    private func wrong(_ message: String) -> InferenceError {
        InferenceError.malformedModel("tree \(index) \(message)")
    }

    private static let keys: Set<String> = [
        "num_leaves", "num_cat", "split_feature", "split_gain", "threshold", "decision_type", "left_child",
        "right_child",
        "leaf_value", "leaf_weight", "leaf_count", "internal_value", "internal_weight", "internal_count",
        "cat_boundaries",
        "cat_threshold", "is_linear", "shrinkage",
    ]
}
