import Basics
import Documents

/// An XGBoost model file, JSON or UBJ, checked before the library sees it.
///
/// The library trusts what it reads: a child that is no node, or a loop of nodes, makes it read beyond its arrays or run
/// for ever. So all that it follows at prediction is checked here first.
struct XGBoostFile {
    let featureCount: Int
    /// Names of the features; empty where the file has none.
    let featureNames: [String]
    let objective: String
    /// `gbtree`, `dart` or `gblinear`.
    let booster: String
    let treeCount: Int

    private static let bytesMax = 2 << 30

    /// - Throws: ``InferenceError`` naming what is not as XGBoost 1.6 to 3 writes it.
    init(checking bytes: [UInt8]) throws {
        guard !bytes.isEmpty else { throw InferenceError.modelFile("XGBoost", "the file is empty") }
        guard bytes.count <= XGBoostFile.bytesMax else {
            throw InferenceError.modelFile("XGBoost", "it has more than \(XGBoostFile.bytesMax) bytes")
        }
        let document = try XGBoostFile.document(bytes)
        guard let learner = document["learner"] else {
            let isLightGBM = document["tree_info"] != nil
            throw InferenceError.modelFile(
                "XGBoost", isLightGBM ? "it is LightGBM's dump of a model" : "it has no 'learner'",
                remedy: isLightGBM
                    ? "Save the model by Booster.save_model, which writes the text form"
                    : "Save it by Booster.save_model")
        }
        let parameters = try XGBoostFile.member(learner, "learner_model_param")
        let features = try XGBoostFile.count(parameters, "num_feature", 1...10_000_000)
        featureCount = features
        featureNames = (learner["feature_names"]?.array ?? []).compactMap(\.string)
        guard featureNames.isEmpty || featureNames.count == featureCount else {
            throw InferenceError.modelFile("XGBoost", "it names \(featureNames.count) of \(featureCount) features")
        }
        objective = try XGBoostFile.member(learner, "objective")["name"]?.string ?? ""
        let classes = try XGBoostFile.count(parameters, "num_class", 0...100_000)
        let targets = parameters["num_target"] == nil ? 1 : try XGBoostFile.count(parameters, "num_target", 0...100_000)
        let groups = max(1, classes, targets)
        let gradient = try XGBoostFile.member(learner, "gradient_booster")
        booster = gradient["name"]?.string ?? ""
        switch booster {
        case "gbtree": treeCount = try XGBoostFile.check(forest: gradient, features, groups)
        case "dart":
            treeCount = try XGBoostFile.check(forest: XGBoostFile.member(gradient, "gbtree"), features, groups)
            guard gradient["weight_drop"]?.array?.count == treeCount else {
                throw InferenceError.modelFile("XGBoost", "'weight_drop' has not one number for each tree")
            }
        case "gblinear":
            treeCount = 0
            let weights = try XGBoostFile.member(gradient, "model")["weights"]?.array?.count
            guard weights == (features + 1) * groups else {
                throw InferenceError.modelFile("XGBoost", "its weights are not one for each feature and a bias")
            }
        default: throw InferenceError.modelFile("XGBoost", "its booster '\(booster.prefix(40))' is unknown")
        }
    }

    /// How the library itself tells the two forms apart: JSON goes on with a name or a blank.
    private static func document(_ bytes: [UInt8]) throws -> JSONValue {
        guard bytes.first == UInt8(ascii: "{") else {
            throw InferenceError.modelFile(
                "XGBoost", "it begins neither as JSON nor as UBJ",
                remedy: "Save it by XGBoost 1.6 or later as .json or .ubj; the older binary form is not read")
        }
        guard let second = bytes.dropFirst().first, [0x20, 0x09, 0x0A, 0x0D, 0x22].contains(second) else {
            return try bytes.withUnsafeBytes { try UniversalBinaryJSON.value($0) }
        }
        do {
            return try JSONTree.value(bytes)
        } catch {
            throw InferenceError.modelFile("XGBoost", "its JSON is malformed: \(error.message)")
        }
    }

    private static func check(forest: JSONValue, _ features: Int, _ groups: Int) throws -> Int {
        let model = try member(forest, "model")
        let trees = model["trees"]?.array ?? []
        let stated = try count(member(model, "gbtree_model_param"), "num_trees", 0...10_000_000)
        let info = model["tree_info"]?.array ?? []
        guard trees.count == stated, info.count == stated else {
            throw InferenceError.modelFile("XGBoost", "it tells of \(stated) trees and holds \(trees.count)")
        }
        guard info.allSatisfy({ $0.integer.map { (0..<Int64(groups)).contains($0) } ?? false }) else {
            throw InferenceError.modelFile("XGBoost", "a tree belongs to an output that the model does not have")
        }
        if let starts = model["iteration_indptr"]?.array?.map({ $0.integer ?? -1 }) {
            guard starts.first == 0, starts.last == Int64(stated),
                zip(starts, starts.dropFirst()).allSatisfy({ $0 <= $1 })
            else {
                throw InferenceError.modelFile("XGBoost", "its iterations do not hold its trees one after the other")
            }
        }
        if let categories = model["cats"]?["enc"]?.array, !categories.isEmpty {
            throw InferenceError.modelFile(
                "XGBoost", "it holds the names of categories, which tensors of numbers can not be matched with",
                remedy: "Train it on the categories' codes")
        }
        for (index, tree) in trees.enumerated() {
            try XGBoostTreeCheck(index: index, features: features, groups: groups).check(tree)
        }
        return stated
    }

    static func member(_ value: JSONValue, _ key: String) throws -> JSONValue {
        guard let member = value[key] else { throw InferenceError.modelFile("XGBoost", "it has no '\(key)'") }
        return member
    }

    /// The library keeps the numbers of its parameters as text.
    static func count(_ value: JSONValue, _ key: String, _ range: ClosedRange<Int>) throws -> Int {
        guard let text = value[key]?.string, let count = Int(text), range.contains(count) else {
            throw InferenceError.modelFile(
                "XGBoost", "'\(key)' is no whole number of \(range.lowerBound) to \(range.upperBound)")
        }
        return count
    }
}
