import Basics
import Datasets
import Experiments
import Features
import Inference
import ObjectStorage
import Statistics
import Synchronization

/// A trained model that has not been registered yet.
public struct Candidate: Sendable, Codable, Equatable {
    public var training: String
    public var model: String
    public var run: String
    /// What is to be served.
    public var bundle: Digest
    /// What was judged on the held-out rows: the same, or, where the definition says refit, the model before it.
    public var judged: Digest
    public var metrics: [String: Double]
    public var verdicts: [GateVerdict]
    public var datasets: [String: Digest]
    public var features: Digest
    public var definition: Digest
    public var trainingSet: Digest
    public var environment: [String: String]
    /// What it was trained with; nil in records of older programs.
    public var parameters: [String: String]?
    public var seed: Int64
    /// Of the bundle; nil in records of older programs.
    public var signature: Digest?
    public var sample: Digest?
    /// What to know of the data it was trained on; nil where there is nothing.
    public var warnings: [String]?
    /// The held-out range, for comparing others on the same rows.
    public var holdoutFrom: Timestamp
    public var holdoutTo: Timestamp

    public var passed: Bool { verdicts.allSatisfy(\.passed) }
}

/// Trains models from point-in-time training sets, and keeps each as a run with a bundle.
///
/// Guarantees: the same data, definitions, parameters and seed give the same model text and so the same bundle digest;
/// rows whose label was not known by the end of the range are not learnt from; a run that fails is kept as failed.
public final class TrainingService: Sendable {
    private let features: FeatureStore
    let experiments: ExperimentStore
    let objects: any ObjectStore
    private let time: any TimeSource
    private let environment: [String: String]
    private let host: [String: String]
    private let definitions = Mutex<[String: TrainingDefinition]>([:])
    private let worker = BlockingThread(name: "training")
    private static let rowsMin = 200

    /// - Parameters:
    ///   - environment: versions of the program and its libraries, kept with each run and bundle.
    ///   - host: what the machine is, kept with each run.
    public init(
        features: FeatureStore, experiments: ExperimentStore, objects: any ObjectStore, time: any TimeSource,
        environment: [String: String], host: [String: String] = [:]
    ) {
        self.features = features
        self.experiments = experiments
        self.objects = objects
        self.time = time
        self.environment = environment
        self.host = host
    }

    /// Puts definitions in force.
    public func use(_ list: [TrainingDefinition]) {
        definitions.withLock { $0 = Dictionary(list.map { ($0.name, $0) }) { _, last in last } }
    }

    public var all: [TrainingDefinition] { definitions.withLock { $0.values.sorted { $0.name < $1.name } } }

    /// - Throws: ``TrainingFailure/unknown(_:known:)``.
    public func definition(_ name: String) throws -> TrainingDefinition {
        try definitions.withLock { definitions in
            guard let definition = definitions[name] else {
                throw TrainingFailure.unknown(name, known: Array(definitions.keys))
            }
            return definition
        }
    }

    /// The rows that a model which reads a service is trained on.
    ///
    /// - Throws: ``TrainingFailure/noTraining(model:service:)`` where no training makes such a model.
    public func population(model: String, service: String) throws -> Population {
        guard let definition = all.first(where: { $0.model == model && $0.service == service }) else {
            throw TrainingFailure.noTraining(model: model, service: service)
        }
        return definition.population
    }

    /// Trains as defined, or on another range.
    ///
    /// - Parameters:
    ///   - range: rows with a time in it; labels known by its end.
    ///   - code: the state of the code of the one who asks.
    ///   - tags: of the run, besides its own.
    ///   - progress: called after each boosting round with the round and the metric on the held-out rows.
    public func train(
        _ definition: TrainingDefinition, from: Timestamp? = nil, to: Timestamp? = nil, code: CodeState? = nil,
        tags: [String: String] = [:], by principal: String, progress: @escaping @Sendable (Int) -> Void = { _ in }
    ) async throws -> Candidate {
        let from = from ?? definition.from
        let to = to ?? definition.to
        let holdoutFrom = to.advanced(bySeconds: -definition.holdoutSeconds)
        guard from < holdoutFrom else { throw TrainingFailure.badRange(training: definition.name, from: from, to: to) }
        try await features.requireData(ofService: definition.service, definition.population)
        let run = try await experiments.start(
            experiment: definition.name, name: "\(definition.name) to \(to.day)",
            parameters: Self.parameters(of: definition, from, to),
            tags: tags.merging(try self.tags(definition, code)) { first, _ in first }, by: principal)
        do {
            let candidate = try await train(definition, from, holdoutFrom, to, run: run, progress: progress)
            try await keep(
                TrainingRecipe(
                    definition: definition, from: from, to: to, code: code, datasets: candidate.datasets,
                    features: candidate.features, trainingSet: candidate.trainingSet, environment: environment,
                    host: host), with: run)
            try await experiments.finish(run, as: .finished, by: principal)
            return candidate
        } catch {
            try await experiments.log([], tags: ["error": "\(error)"], to: run)
            try await experiments.finish(run, as: .failed, by: principal)
            throw error
        }
    }

    /// What a run is told of before it begins.
    private func tags(_ definition: TrainingDefinition, _ code: CodeState?) throws -> [String: String] {
        var tags = code?.tags ?? [:]
        tags["owner"] = definition.owner
        tags["features.service"] = definition.service
        tags["features.digest"] = try features.catalogue.digest(ofService: definition.service).description
        for (name, value) in environment.merging(host, uniquingKeysWith: { first, _ in first }) {
            tags["environment.\(name)"] = value
        }
        return tags
    }

    /// Keeps what a run was made from: as a file, and the data as inputs that other protocols know.
    private func keep(_ recipe: TrainingRecipe, with run: String) async throws {
        try await experiments.attach(try JSON.canonical(recipe), as: TrainingRecipe.file, to: run)
        var inputs = recipe.datasets
        inputs["training set"] = recipe.trainingSet
        try await experiments.logInputs(
            inputs.sorted { $0.key < $1.key }.map { table, digest in
                DatasetInput(
                    // MLflow gives digests 36 characters; the source has all of it.
                    name: table, digest: String(digest.hex.prefix(36)), sourceType: "modelworks",
                    source: digest.description, schema: nil, profile: nil,
                    tags: [Pair(key: "mlflow.data.context", value: "training")])
            }, models: [], to: run)
    }

    private static func parameters(
        of definition: TrainingDefinition, _ from: Timestamp, _ to: Timestamp
    ) -> [String: String] {
        [
            "from": from.description, "to": to.description, "rounds": "\(definition.rounds)",
            "seed": "\(definition.seed)",
        ].merging(definition.parameters) { mine, _ in mine }
    }

    private func train(
        _ definition: TrainingDefinition, _ from: Timestamp, _ holdoutFrom: Timestamp, _ to: Timestamp, run: String,
        progress: @escaping @Sendable (Int) -> Void
    ) async throws -> Candidate {
        // What is later than the training's range would not be read.
        let warnings = try await features.staleViews(ofService: definition.service, at: min(to, time.now)).map(
            \.warning)
        if !warnings.isEmpty {
            try await experiments.log([], tags: ["warning": warnings.joined(separator: "; ")], to: run)
        }
        let labelled = try await features.trainingSet(
            definition.population, service: definition.service, from: from, to: to, knownBy: to, labelledOnly: true)
        if let odd = labelled.labels.first(where: { $0 != 0 && $0 != 1 }) {
            throw TrainingFailure.nonBinaryLabel(training: definition.name, value: odd)
        }
        let fit = labelled.rows((0..<labelled.rowCount).filter { labelled.times[$0] < holdoutFrom })
        let holdout = labelled.rows((0..<labelled.rowCount).filter { labelled.times[$0] >= holdoutFrom })
        guard fit.rowCount >= Self.rowsMin, holdout.rowCount > 0 else {
            throw TrainingFailure.tooFewRows(training: definition.name, rows: fit.rowCount, needed: Self.rowsMin)
        }
        let trained = try await worker.run { try Self.boost(fit, holdout, definition, progress: progress) }
        guard let evaluation = Evaluation(scores: trained.scores, labels: holdout.labels) else {
            throw TrainingFailure.oneClass(training: definition.name)
        }
        var metrics = evaluation.metrics(prefix: "holdout")
        metrics["auc"] = evaluation.auc
        metrics["fit_rows"] = Double(fit.rowCount)
        let now = time.now
        try await experiments.log(
            trained.history.map { MetricPoint(key: "holdout_auc", value: $0.value, step: $0.step, time: now) }
                + metrics.filter { $0.key != "holdout_auc" }.map {
                    MetricPoint(key: $0.key, value: $0.value, step: Int64(definition.rounds), time: now)
                }, to: run)

        let profile = ModelProfile(
            reference: ReferenceProfile(
                numeric: Dictionary(zip(labelled.inputNames, labelled.columns)) { first, _ in first },
                predictions: trained.scores), metrics: metrics)
        let sample = holdout.columns.map { $0.first ?? .nan }
        let judged = try await bundle(trained.modelText, profile, definition, sample: sample)
        var kept = judged
        var modelText = trained.modelText
        if definition.refit {
            modelText = try await worker.run {
                try LightGBMTrainer().train(try Self.data(labelled), parameters: try definition.lightGBM()).modelText
            }
            kept = try await bundle(modelText, profile, definition, sample: sample)
        }
        try await experiments.attach(modelText, as: "model/\(LightGBMRuntime.modelPath)", to: run)
        try await experiments.attach(kept.manifestBytes, as: "model/manifest.json", to: run)
        try await experiments.attach(try JSON.canonical(trained.importance), as: "feature_importance.json", to: run)
        let manifest = try BundleManifest(decoding: kept.manifestBytes)
        return Candidate(
            training: definition.name, model: definition.model, run: run, bundle: kept.digest, judged: judged.digest,
            metrics: metrics, verdicts: definition.gates.map { $0.verdict(on: metrics) },
            datasets: try await features.datasetVersions().mapValues(\.digest),
            features: try features.catalogue.digest(ofService: definition.service),
            definition: try definition.digest(), trainingSet: labelled.digest(), environment: environment,
            parameters: Self.parameters(of: definition, from, to), seed: definition.seed,
            signature: Digest(of: try JSON.canonical(manifest.signature)),
            sample: Digest(of: try JSON.canonical(manifest.sample)), warnings: warnings.isEmpty ? nil : warnings,
            holdoutFrom: holdoutFrom, holdoutTo: to)
    }

    /// Makes a bundle and stores it with its files.
    private func bundle(
        _ modelText: [UInt8], _ profile: ModelProfile, _ definition: TrainingDefinition, sample: [Double]
    ) async throws -> ModelBundle.Encoded {
        let service = try features.catalogue.service(definition.service)
        let files = [LightGBMRuntime.modelPath: modelText, ModelProfile.file: try JSON.canonical(profile)]
        let bundle = try ModelBundle.encode(
            kind: "lightgbm", files: files,
            signature: ModelSignature(
                inputs: service.inputNames.map { SignatureColumn(name: $0, datatype: .fp64, nullable: true) },
                outputs: [SignatureColumn(name: "score", datatype: .fp64)]),
            sampleRows: [sample],
            featureService: .init(
                name: service.name, digest: try features.catalogue.digest(ofService: service.name).description),
            metrics: profile.metrics, environment: environment, runtimes: .all)
        for bytes in files.values { _ = try await objects.put(bytes) }
        _ = try await objects.put(bundle.manifestBytes)
        return bundle
    }

    private struct Trained: Sendable {
        var modelText: [UInt8]
        /// Of the held-out rows.
        var scores: [Double]
        var history: [(step: Int64, value: Double)]
        var importance: [String: Double]
    }

    private static func boost(
        _ fit: TrainingSet, _ holdout: TrainingSet, _ definition: TrainingDefinition, progress: (Int) -> Void
    ) throws -> Trained {
        let booster = try LightGBMTrainer().train(
            try data(fit), validation: try data(holdout), parameters: try definition.lightGBM()
        ) { iteration, _ in
            progress(iteration)
            return true
        }
        let model = try LightGBMModel(text: booster.modelText)
        let history = (booster.history["validation/auc"] ?? []).enumerated()
            .map { (step: Int64($0.offset + 1), value: $0.element) }
        return Trained(
            modelText: booster.modelText, scores: try model.predict(columns: holdout.columns), history: history,
            importance: Dictionary(zip(booster.featureNames, booster.gainImportance)) { first, _ in first })
    }

    private static func data(_ set: TrainingSet) throws -> LabeledData {
        try LabeledData(
            matrix: FeatureMatrix(
                names: set.inputNames, rowCount: set.rowCount, values: .float64(set.columns.flatMap { $0 }),
                layout: .columnMajor), labels: set.labels.map { Float($0) })
    }

    /// The scores and labels of a bundle on the labelled rows of a range: for comparing versions on the same rows.
    public func score(
        _ model: any Model, on definition: TrainingDefinition, from: Timestamp, to: Timestamp
    ) async throws -> (scores: [Double], labels: [Double]) {
        let rows = try await features.trainingSet(
            definition.population, service: definition.service, from: from, to: to, knownBy: to, labelledOnly: true)
        let scores = try await worker.run { try model.predict(columns: rows.columns) }
        return (scores, rows.labels)
    }
}
