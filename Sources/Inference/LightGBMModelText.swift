/// LightGBM's model text, checked line by line before the library sees it.
///
/// The library trusts what it reads: a child index out of range or a loop of nodes makes it read beyond its arrays or
/// run for ever. So all that it follows at prediction is checked here first.
struct LightGBMModelText {
    let featureNames: [String]
    /// Outputs per row.
    let classCount: Int
    let treeCount: Int

    /// - Throws: `InferenceError` naming the line or tree that is not as LightGBM 4 writes it.
    init(checking bytes: [UInt8]) throws {
        // The library takes a C string, so a zero byte would hide what comes after it.
        guard !bytes.contains(0) else { throw InferenceError.malformedModel("it holds a zero byte") }
        let (header, body) = try LightGBMModelText.header(of: bytes[...])
        func integer(_ key: String, _ range: ClosedRange<Int>) throws -> Int {
            guard let text = header[key], let value = Int(text), range.contains(value) else {
                throw InferenceError.malformedModel(
                    "'\(key)' is no whole number of \(range.lowerBound) to \(range.upperBound)")
            }
            return value
        }
        guard header["version"] == "v4" || header["version"] == "v3" else {
            throw InferenceError.malformedModel("its version is neither v3 nor v4")
        }
        classCount = try integer("num_class", 1...10_000)
        guard try integer("num_tree_per_iteration", 1...10_000) == classCount else {
            throw InferenceError.malformedModel("it has other trees per iteration than classes")
        }
        let featureCount = try integer("max_feature_idx", 0...999_999) + 1
        _ = try integer("label_index", 0...999_999)
        try LightGBMModelText.checkObjective(header["objective"], classCount: classCount)
        featureNames = (header["feature_names"] ?? "").split(separator: " ").map(String.init)
        guard featureNames.count == featureCount else {
            throw InferenceError.malformedModel("it names \(featureNames.count) features and counts \(featureCount)")
        }
        guard (header["feature_infos"] ?? "").split(separator: " ").count == featureCount else {
            throw InferenceError.malformedModel("'feature_infos' does not describe \(featureCount) features")
        }
        let sizes = (header["tree_sizes"] ?? "").split(separator: " ").map { Int($0) ?? -1 }
        guard !sizes.contains(where: { $0 <= 0 }), !sizes.isEmpty, sizes.count.isMultiple(of: classCount) else {
            throw InferenceError.malformedModel("'tree_sizes' does not list whole iterations of trees")
        }
        treeCount = sizes.count
        var rest = body
        for (index, size) in sizes.enumerated() {
            guard rest.count >= size else {
                throw InferenceError.malformedModel("it ends within tree \(index)")
            }
            try LightGBMTreeCheck(index: index, featureCount: featureCount).check(rest.prefix(size))
            rest = rest.dropFirst(size)
        }
        guard rest.starts(with: Array("end of trees\n".utf8)) else {
            throw InferenceError.malformedModel("'end of trees' does not follow the last tree")
        }
    }

    /// The `key=value` lines before the blank line, and the bytes after it.
    private static func header(of bytes: ArraySlice<UInt8>) throws -> ([String: String], ArraySlice<UInt8>) {
        var rest = bytes
        var fields: [String: String] = [:]
        guard rest.starts(with: Array("tree\nversion=".utf8)) else {
            throw InferenceError.malformedModel("it does not start with 'tree' and its version")
        }
        rest = rest.dropFirst(5)
        while let end = rest.firstIndex(of: 10) {
            let line = rest[rest.startIndex..<end]
            rest = rest[(end + 1)...]
            if line.isEmpty { return (fields, rest) }
            let (key, value) = split(line)
            guard headerKeys.contains(key), fields.updateValue(value, forKey: key) == nil else {
                throw InferenceError.malformedModel("its header has an unknown or repeated line '\(key.prefix(40))'")
            }
        }
        throw InferenceError.malformedModel("it ends within the header")
    }

    /// A line at its first equals sign.
    static func split(_ line: ArraySlice<UInt8>) -> (String, String) {
        let sign = line.firstIndex(of: 61) ?? line.endIndex
        return (
            String(decoding: line[..<sign], as: UTF8.self), String(decoding: line[sign...].dropFirst(), as: UTF8.self)
        )
    }

    /// The library sizes its output by the header but fills it by the objective, so both have to agree.
    private static func checkObjective(_ text: String?, classCount: Int) throws {
        guard let text else { return }
        let words = text.split(separator: " ")
        guard let name = words.first.map(String.init) else {
            throw InferenceError.malformedModel("its objective is empty")
        }
        let classWords = words.dropFirst().filter { $0.hasPrefix("num_class:") }
        if ["multiclass", "multiclassova"].contains(name) {
            guard classWords.map({ Int($0.dropFirst(10)) }) == [classCount] else {
                throw InferenceError.malformedModel("its objective has another number of classes than its header")
            }
        } else {
            guard oneOutput.contains(name), classCount == 1, classWords.isEmpty else {
                throw InferenceError.malformedModel(
                    "its objective '\(name.prefix(40))' is unknown or not for several classes")
            }
        }
    }

    private static let oneOutput: Set<String> = [
        "binary", "regression", "regression_l1", "huber", "fair", "poisson", "quantile", "mape", "gamma", "tweedie",
        "cross_entropy", "cross_entropy_lambda", "lambdarank", "rank_xendcg",
    ]

    private static let headerKeys: Set<String> = [
        "version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx", "objective",
        "average_output",
        "feature_names", "monotone_constraints", "feature_infos", "tree_sizes",
    ]
}
