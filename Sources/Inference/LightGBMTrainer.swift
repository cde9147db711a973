import CLightGBM

/// What training gives: the model and how it came to be.
public struct TrainedBooster: Sendable {
    /// The model in LightGBM's own text form; equal inputs and parameters give equal text.
    public let modelText: [UInt8]
    /// Trees per class that the text holds.
    public let iterations: Int
    /// Iterations that were run, including those that early stopping dropped.
    public let iterationsRun: Int
    public let featureNames: [String]
    /// Total gain of the splits on each feature, in the order of `featureNames`.
    public let gainImportance: [Double]
    /// Number of splits on each feature, in the order of `featureNames`.
    public let splitImportance: [Double]
    /// Values by name and iteration. Names are `training/auc`, `validation/auc`, ...
    public let history: [String: [Double]]
    /// What LightGBM warned of, a line each.
    public let warnings: [String]
}

/// Grows gradient-boosted trees with LightGBM, in this process and without Python.
public struct LightGBMTrainer: Sendable {
    public init() {}

    /// Caps the threads LightGBM uses in this process; all processors unless called. Call it once, before anything else
    /// of LightGBM: the library keeps one count for all trainings and predictions, and a change while a training runs can
    /// corrupt memory. Nothing else here ever sets the count.
    ///
    /// - Throws: `InferenceError` where `count` is not in 1 to 1024.
    public static func limitThreads(_ count: Int) throws {
        guard (1...1024).contains(count) else {
            throw InferenceError.parameter("threads", "has to be 1 to 1024, not \(count)")
        }
        try LightGBMCall.check("SetMaxThreads") { LGBM_SetMaxThreads(Int32(clamping: count)) }
    }

    /// Trains until the iterations are done, early stopping stops, or `progress` says so. Blocks: call it on a thread of
    /// its own.
    ///
    /// - Parameters:
    ///   - training: the rows to learn from.
    ///   - validation: rows that are only scored; needed for early stopping.
    ///   - progress: gets the 1-based iteration and its metrics by name; false ends training after that iteration.
    /// - Throws: `InferenceError` where data or parameters do not fit, or LightGBM fails.
    public func train(
        _ training: LabeledData, validation: LabeledData? = nil, parameters: LightGBMParameters,
        progress: (_ iteration: Int, _ metrics: [String: Double]) -> Bool = { _, _ in true }
    ) throws -> TrainedBooster {
        let names = training.matrix.names
        if let validation, validation.matrix.names != names {
            throw InferenceError.shape("the validation data has other features than the training data")
        }
        if parameters.earlyStoppingRounds != nil, validation == nil || parameters.metrics.isEmpty {
            throw InferenceError.parameter("earlyStoppingRounds", "needs validation data and a metric")
        }
        try checkLabels(training, parameters, "training")
        if let validation { try checkLabels(validation, parameters, "validation") }
        let line = try parameters.line(featureCount: names.count)

        _ = LightGBMCall.takeLog()
        let trainingSet = try LightGBMDataset(training, line: line, reference: nil)
        let validationSet = try validation.map { try LightGBMDataset($0, line: line, reference: trainingSet) }
        let booster = try LightGBMBooster(training: trainingSet, line: line)
        if let validationSet { try booster.addValidation(validationSet) }
        let warnings = LightGBMCall.takeLog()
        if let unknown = warnings.first(where: { $0.contains("Unknown parameter") }) {
            throw InferenceError.parameter(
                String(unknown.split(separator: " ").last ?? ""), "is not one that LightGBM knows")
        }

        var run = Run(metrics: try booster.metricNames(), parameters: parameters)
        while run.iteration < parameters.iterations {
            let exhausted = try booster.grow()
            var values: [(String, Double)] = []
            if parameters.recordsTrainingMetrics {
                values += zip(run.metricNames.map { "training/\($0)" }, try booster.evaluate(0))
            }
            var validationValues: [Double] = []
            if validationSet != nil {
                validationValues = try booster.evaluate(1)
                values += zip(run.metricNames.map { "validation/\($0)" }, validationValues)
            }
            let patienceIsOver = run.record(values, validation: validationValues)
            let goesOn = progress(run.iteration, Dictionary(values) { first, _ in first })
            if exhausted || patienceIsOver || !goesOn { break }
        }
        // The objects of the C library have to outlive every call on the booster, which points into them.
        return try withExtendedLifetime((trainingSet, validationSet)) {
            // A last iteration that found no split leaves no tree.
            let kept = min(run.keptIterations, try booster.iterationCount())
            return TrainedBooster(
                modelText: try booster.text(iterations: kept), iterations: kept, iterationsRun: run.iteration,
                featureNames: names,
                gainImportance: try booster.importance(
                    featureCount: names.count, iterations: kept, type: MW_LGBM_IMPORTANCE_GAIN),
                splitImportance: try booster.importance(
                    featureCount: names.count, iterations: kept, type: MW_LGBM_IMPORTANCE_SPLIT),
                history: run.history, warnings: warnings + LightGBMCall.takeLog())
        }
    }

    private func checkLabels(_ data: LabeledData, _ parameters: LightGBMParameters, _ which: String) throws {
        let classes: Float? =
            switch parameters.objective {
            case "binary": 2
            case "multiclass", "multiclassova", "softmax", "ova": Float(parameters.classes)
            default: nil
            }
        guard let classes else { return }
        if let row = data.labels.firstIndex(where: { $0 < 0 || $0 >= classes || $0 != $0.rounded() }) {
            throw InferenceError.shape(
                "the \(which) label of row \(row) is no class of 0 to \(Int(classes) - 1)")
        }
    }
}

/// What is remembered from one iteration to the next.
private struct Run {
    let metricNames: [String]
    let patience: Int?
    let largerIsBetter: Bool
    let watched: Int
    var iteration = 0
    var history: [String: [Double]] = [:]
    var best: Double?
    var bestIteration = 0

    init(metrics: [String], parameters: LightGBMParameters) {
        metricNames = metrics
        patience = parameters.earlyStoppingRounds
        // LightGBM reports metrics in an order of its own.
        watched = parameters.metrics.first.flatMap { metrics.firstIndex(of: $0) } ?? 0
        largerIsBetter = LightGBMParameters.isBetterWhenLarger(
            metrics.indices.contains(watched) ? metrics[watched] : "")
    }

    /// Keeps the values of one more iteration; true when patience is over.
    mutating func record(_ values: [(String, Double)], validation: [Double]) -> Bool {
        iteration += 1
        for (name, value) in values { history[name, default: []].append(value) }
        guard let patience, validation.indices.contains(watched) else { return false }
        let value = validation[watched]
        if best.map({ largerIsBetter ? value > $0 : value < $0 }) ?? !value.isNaN {
            best = value
            bestIteration = iteration
        }
        return iteration - bestIteration >= patience
    }

    var keptIterations: Int { patience != nil && bestIteration > 0 ? bestIteration : iteration }
}
