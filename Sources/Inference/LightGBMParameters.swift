/// How a LightGBM model is grown. Names and defaults are LightGBM's own; what is not here goes into `extra`.
public struct LightGBMParameters: Sendable, Codable, Equatable {
    /// `binary`, `multiclass`, `regression`, ...
    public var objective = "binary"
    /// Metrics computed on each iteration; the first one decides early stopping.
    public var metrics = ["auc", "binary_logloss"]
    /// Trees to grow at most.
    public var iterations = 200
    public var learningRate = 0.1
    public var leaves = 31
    /// -1 for no limit.
    public var maxDepth = -1
    public var minDataInLeaf = 20
    /// The share of features each tree sees, above 0 and up to 1.
    public var featureFraction = 1.0
    /// The share of rows each tree sees, above 0 and up to 1; below 1 rows are drawn anew for every tree.
    public var baggingFraction = 1.0
    public var lambdaL1 = 0.0
    public var lambdaL2 = 0.0
    public var maxBins = 255
    /// Only for multiclass objectives; 1 otherwise.
    public var classes = 1
    /// Columns whose values are categories: whole numbers of 0 or more.
    public var categoricalFeatures: [Int] = []
    /// Stop after so many iterations without a better value of the first metric on the validation data; nil for never.
    public var earlyStoppingRounds: Int?
    /// Metrics are computed on the training data too.
    public var recordsTrainingMetrics = false
    /// Decides every draw: equal seeds on equal data give equal model text.
    public var seed: Int32 = 42
    /// Any other LightGBM parameter. Names that are fields above, or that touch files, devices or the network, are
    /// refused, and so are names LightGBM does not know.
    public var extra: [String: String] = [:]

    public init() {}

    // Keys left out of a document keep their defaults, so a training file names only what it changes.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func read<Value: Decodable>(_ key: CodingKeys, _ value: inout Value) throws {
            value = try container.decodeIfPresent(Value.self, forKey: key) ?? value
        }
        try read(.objective, &objective)
        try read(.metrics, &metrics)
        try read(.iterations, &iterations)
        try read(.learningRate, &learningRate)
        try read(.leaves, &leaves)
        try read(.maxDepth, &maxDepth)
        try read(.minDataInLeaf, &minDataInLeaf)
        try read(.featureFraction, &featureFraction)
        try read(.baggingFraction, &baggingFraction)
        try read(.lambdaL1, &lambdaL1)
        try read(.lambdaL2, &lambdaL2)
        try read(.maxBins, &maxBins)
        try read(.classes, &classes)
        try read(.categoricalFeatures, &categoricalFeatures)
        earlyStoppingRounds = try container.decodeIfPresent(Int.self, forKey: .earlyStoppingRounds)
        try read(.recordsTrainingMetrics, &recordsTrainingMetrics)
        try read(.seed, &seed)
        try read(.extra, &extra)
    }

    /// Whether a larger value of `metric` is better; LightGBM minimises all others.
    static func isBetterWhenLarger(_ metric: String) -> Bool {
        let base = metric.split(separator: "@").first.map(String.init) ?? metric
        return ["auc", "auc_mu", "average_precision", "ndcg", "map"].contains(base)
    }

    /// Everything as LightGBM's own parameter line, keys sorted so that equal parameters give equal text.
    ///
    /// - Throws: `InferenceError` naming the parameter that is out of range or not allowed.
    func line(featureCount: Int) throws -> String {
        try check(featureCount: featureCount)
        var all: [String: String] = [
            "objective": objective, "num_iterations": "\(iterations)", "learning_rate": "\(learningRate)",
            "num_leaves": "\(leaves)", "max_depth": "\(maxDepth)", "min_data_in_leaf": "\(minDataInLeaf)",
            "feature_fraction": "\(featureFraction)", "bagging_fraction": "\(baggingFraction)",
            "bagging_freq": baggingFraction < 1 ? "1" : "0", "lambda_l1": "\(lambdaL1)", "lambda_l2": "\(lambdaL2)",
            "max_bin": "\(maxBins)", "num_class": "\(classes)", "seed": "\(seed)",
            // Without these three the text of the model depends on timing.
            "deterministic": "true", "force_row_wise": "true", "device_type": "cpu",
            // Warnings are wanted, to tell unknown names; what is informative is not.
            "verbosity": "0",
        ]
        if !metrics.isEmpty { all["metric"] = metrics.joined(separator: ",") }
        if !categoricalFeatures.isEmpty {
            all["categorical_feature"] = categoricalFeatures.map(String.init).joined(separator: ",")
        }
        for (name, value) in extra { all[name] = value }
        return all.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
    }

    private func check(featureCount: Int) throws {
        func demand(_ holds: Bool, _ name: String, _ message: String) throws {
            guard holds else { throw InferenceError.parameter(name, message) }
        }
        try demand((1...100_000).contains(iterations), "iterations", "has to be 1 to 100000, not \(iterations)")
        try demand(learningRate > 0 && learningRate.isFinite, "learningRate", "has to be above 0, not \(learningRate)")
        try demand((2...131_072).contains(leaves), "leaves", "has to be 2 to 131072, not \(leaves)")
        try demand(
            (-1...1000).contains(maxDepth) && maxDepth != 0, "maxDepth", "has to be -1 or 1 to 1000, not \(maxDepth)")
        try demand(
            (0...1_000_000_000).contains(minDataInLeaf), "minDataInLeaf", "has to be 0 or more, not \(minDataInLeaf)")
        try demand(featureFraction > 0 && featureFraction <= 1, "featureFraction", "has to be above 0 and up to 1")
        try demand(baggingFraction > 0 && baggingFraction <= 1, "baggingFraction", "has to be above 0 and up to 1")
        try demand(lambdaL1 >= 0 && lambdaL1.isFinite, "lambdaL1", "has to be 0 or more, not \(lambdaL1)")
        try demand(lambdaL2 >= 0 && lambdaL2.isFinite, "lambdaL2", "has to be 0 or more, not \(lambdaL2)")
        try demand((2...65_535).contains(maxBins), "maxBins", "has to be 2 to 65535, not \(maxBins)")
        try demand((1...10_000).contains(classes), "classes", "has to be 1 to 10000, not \(classes)")
        try demand(seed >= 0, "seed", "has to be 0 or more, not \(seed)")
        try demand((earlyStoppingRounds ?? 1) > 0, "earlyStoppingRounds", "has to be 1 or more")
        for index in categoricalFeatures {
            try demand(
                (0..<featureCount).contains(index), "categoricalFeatures",
                "names column \(index) of a matrix with \(featureCount) columns")
        }
        for text in [objective] + metrics {
            try demand(LightGBMParameters.isPlain(text), "objective or metrics", "holds '\(text)', which is no name")
        }
        for (name, value) in extra.sorted(by: { $0.key < $1.key }) {
            try demand(
                LightGBMParameters.isPlain(name) && LightGBMParameters.isPlain(value), name, "holds a blank, '=' or '#'"
            )
            try demand(!LightGBMParameters.reserved.contains(name), name, "can not be set through extra")
        }
    }

    private static func isPlain(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x3D && $0 != 0x23 && $0 != 0x22 }
    }

    /// Fields above under all of LightGBM's names for them, and whatever reaches outside the process.
    private static let reserved: Set<String> = [
        "config", "config_file", "task", "task_type", "objective", "objective_type", "app", "application", "loss",
        "metric",
        "metrics", "metric_types", "boosting_type_file", "data", "train", "train_data", "train_data_file",
        "data_filename",
        "valid", "test", "valid_data", "valid_data_file", "test_data", "test_data_file", "valid_filenames",
        "num_iterations", "num_iteration", "n_iter", "num_tree", "num_trees", "num_round", "num_rounds", "nrounds",
        "num_boost_round", "n_estimators", "max_iter", "learning_rate", "shrinkage_rate", "eta", "num_leaves",
        "num_leaf",
        "max_leaves", "max_leaf", "max_leaf_nodes", "num_threads", "num_thread", "nthread", "nthreads", "n_jobs",
        "device_type", "device", "seed", "random_seed", "random_state", "deterministic", "force_col_wise",
        "force_row_wise", "max_depth", "min_data_in_leaf", "min_data_per_leaf", "min_data", "min_child_samples",
        "min_samples_leaf", "bagging_fraction", "sub_row", "subsample", "bagging", "feature_fraction", "sub_feature",
        "colsample_bytree", "lambda_l1", "reg_alpha", "l1_regularization", "lambda_l2", "reg_lambda", "lambda",
        "l2_regularization", "max_bin", "max_bins", "num_class", "num_classes", "categorical_feature", "cat_feature",
        "categorical_column", "cat_column", "categorical_features", "verbosity", "verbose", "input_model",
        "model_input",
        "model_in", "output_model", "model_output", "model_out", "saved_feature_importance_type", "snapshot_freq",
        "save_period", "forcedbins_filename", "forcedsplits_filename", "forced_splits", "fs", "forced_splits_file",
        "save_binary", "is_save_binary", "is_save_binary_file", "output_result", "predict_result", "prediction_result",
        "predict_name", "prediction_name", "pred_name", "name_pred", "convert_model", "convert_model_file",
        "convert_model_language", "initscore_filename", "num_machines", "num_machine", "local_listen_port",
        "local_port",
        "port", "time_out", "machine_list_filename", "machine_list_file", "machine_list", "mlist", "machines",
        "workers",
        "nodes", "tree_learner", "tree", "tree_type", "tree_learner_type", "gpu_platform_id", "gpu_device_id",
        "gpu_use_dp", "num_gpu", "parser_config_file", "position_column", "early_stopping_round",
        "early_stopping_rounds", "early_stopping", "n_iter_no_change", "linear_tree", "linear_trees", "header",
    ]
}
