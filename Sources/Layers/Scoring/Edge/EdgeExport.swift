import Basics
import Foundation
import Inference

/// Writes a model with all it needs to score where there is no server: a folder to copy.
///
/// The folder is put together beside its place and scores its own example there, with the answer this program gives,
/// before it is moved: it is there whole or not at all.
public struct EdgeExport: Sendable {
    private let scored: ScoredModel
    private let files: ModelFiles
    private let reference: String
    private let options: EdgeOptions
    private let environment: [String: String]
    private let time: any TimeSource
    private let random: any RandomSource

    /// - Parameters:
    ///   - scored: the name, version and columns of the model.
    ///   - files: the same model as files.
    ///   - reference: how the caller named it.
    ///   - environment: holds what object stores are opened with.
    public init(
        _ scored: ScoredModel, files: ModelFiles, reference: String, _ options: EdgeOptions,
        environment: [String: String], time: any TimeSource, random: any RandomSource
    ) {
        self.scored = scored
        self.files = files
        self.reference = reference
        self.options = options
        self.environment = environment
        self.time = time
        self.random = random
    }

    /// Writes the folder.
    /// - Parameter progress: is told what is begun.
    /// - Returns: with no folder where the loss of quantisation is too large.
    /// - Throws: ``ScoringFailure``, `InferenceError`, `DatasetsFailure`, `ColumnarFailure`.
    public func write(to folder: String, progress: @Sendable (String) -> Void = { _ in }) async throws -> EdgeReport {
        guard options.quantization == nil || options.examples != nil else {
            throw ScoringFailure.badOptions(
                "without rows nothing tells what 8-bit numbers cost", remedy: "Give --examples DATA with --int8.")
        }
        try free(folder)
        let runner = try EdgeRunner(options.runner)
        let staging = try await onThread { try ScoringFolder("\(folder).partial", for: folder) }
        defer { try? FileManager.default.removeItem(atPath: staging.path) }
        progress("loading \(scored.name)")
        let model = try await onThread { try files.load() }
        let source = ScoredModel(scored, running: model)
        var examples: EdgeExamples?
        if let input = options.examples {
            examples = try await EdgeExamples(
                input, for: source, options.scoring, in: staging, environment: environment, time: time, random: random)
        }
        let row = try await examples?.first(1) ?? model.inputs.map { try $0.blank() }
        let staged = EdgeFolder(path: try staging.fresh("folder"))
        let places = inputs(source, examples)
        progress("laying out the folder")
        var manifest = manifest(files, model, places, EdgeMeasurement.none, nil)
        try await onThread { [manifest] in
            try staged.fill(files, runner: runner, request: Self.request(for: model, row))
            try staged.put(manifest)
            try check(staged, model, row)
        }
        if let method = options.quantization, let examples {
            let made = try await quantized(method, model, examples, staging, progress)
            let other = try await onThread { try Self.alike(try made.load(), to: model) }
            let judgement = try await judge(method, (files, model), (made, other), examples, staged, progress)
            manifest = self.manifest(made, other, places, judgement.int8.measured, judgement)
            guard judgement.isAccepted else { return report(nil, manifest, staged) }
            try await onThread { [manifest] in
                try staged.put(made)
                try staged.put(manifest)
                try check(staged, other, row)
            }
        } else {
            progress("measuring \(options.calls) calls")
            let measured = try await onThread {
                try EdgeRunner("\(staged.path)/\(EdgeRunner.name)").measure(calls: options.calls)
            }
            manifest = self.manifest(files, model, places, measured, nil)
        }
        try await onThread { [manifest] in
            try staged.put(manifest)
            try staged.putReadme(manifest)
        }
        let report = report(folder, manifest, staged)
        try await onThread { try move(staged, to: folder, over: staging) }
        return report
    }

    private func onThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await BlockingThread(name: "edge").run(body)
    }

    // MARK: The folder's place

    /// - Throws: ``ScoringFailure/foreignOutput(_:)`` where something is there already.
    private func free(_ folder: String) throws {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder) else { return }
        let isEmpty =
            isFolder.boolValue && (try? FileManager.default.contentsOfDirectory(atPath: folder))?.isEmpty == true
        guard isEmpty || options.overwrite && isFolder.boolValue else {
            throw ScoringFailure.takenFolder(folder)
        }
    }

    private func move(_ staged: EdgeFolder, to folder: String, over staging: ScoringFolder) throws {
        let old = staging.inside("old")
        if FileManager.default.fileExists(atPath: folder), rename(folder, old) != 0 {
            throw ScoringFailure.file(path: folder, reason: String(cString: strerror(errno)))
        }
        guard rename(staged.path, folder) == 0 else {
            let reason = String(cString: strerror(errno))
            _ = rename(old, folder)
            throw ScoringFailure.file(path: folder, reason: reason)
        }
    }

    // MARK: The example

    private static func request(for model: any TensorModel, _ row: [Tensor]) -> JSONValue {
        [
            "inputs": .array(
                zip(model.inputs, row).map { spec, tensor in
                    [
                        "name": .string(spec.name), "datatype": .string(tensor.type.rawValue),
                        "shape": .array(tensor.shape.map { .integer(Int64($0)) }), "data": .array(tensor.json),
                    ]
                })
        ]
    }

    /// Has the runner answer the example as the model here does.
    private func check(_ folder: EdgeFolder, _ model: any TensorModel, _ row: [Tensor]) throws {
        let expected = try model.run(row, wanted: Array(model.outputs.indices)).map(\.json)
        let runner = try EdgeRunner("\(folder.path)/\(EdgeRunner.name)")
        let actual = try runner.answers(of: "\(folder.path)/\(EdgeFolder.example)")
        let agree =
            expected.count == actual.count
            && zip(expected, actual).allSatisfy { one, other in
                one.count == other.count && zip(one, other).allSatisfy(Self.agree)
            }
        guard agree else {
            throw ScoringFailure.export(
                "the exported folder answers its example otherwise than this program does",
                remedy: "Build modelworks and \(EdgeRunner.product) of the same release")
        }
    }

    private static func agree(_ one: JSONValue, _ other: JSONValue) -> Bool {
        guard let first = one.double, let second = other.double else { return one == other }
        return abs(first - second) <= 1e-6 * max(1, abs(first))
    }

    // MARK: 8-bit numbers

    private func quantized(
        _ method: EdgeQuantization, _ model: any TensorModel, _ examples: EdgeExamples, _ staging: ScoringFolder,
        _ progress: @Sendable (String) -> Void
    ) async throws -> ModelFiles {
        progress("quantising, \(method.rawValue)")
        let rows = method == EdgeQuantization.static ? try await examples.first(Self.calibrationRows) : []
        let quantizer = EdgeQuantizer(python: options.python, folder: try staging.fresh("int8"))
        return try await onThread { try quantizer.quantized(files, method, inputs: model.inputs, examples: rows) }
    }

    /// Rows that show in which ranges numbers lie.
    private static let calibrationRows = 256
    /// Each model is measured so often, in turn; the quietest time counts.
    private static let rounds = 3

    private static func alike(_ made: any TensorModel, to model: any TensorModel) throws -> any TensorModel {
        let same =
            made.inputs.map(\.name) == model.inputs.map(\.name)
            && made.outputs.map(\.name) == model.outputs.map(\.name)
            && made.outputs.map(\.datatype) == model.outputs.map(\.datatype)
        guard same else {
            throw ScoringFailure.export(
                "the quantised model has other inputs or outputs", remedy: "Export it without --int8")
        }
        return made
    }

    private func judge(
        _ method: EdgeQuantization, _ original: (files: ModelFiles, model: any TensorModel),
        _ made: (files: ModelFiles, model: any TensorModel), _ examples: EdgeExamples, _ staged: EdgeFolder,
        _ progress: @Sendable (String) -> Void
    ) async throws -> EdgeJudgement {
        let source = ScoredModel(scored, running: original.model)
        let asked =
            try options.output.flatMap { try OutputLayout.wanted(source, [$0]).first }
            ?? EdgeAnswers.output(of: original.model)
        progress("comparing answers to \(examples.rows.rowCount) examples")
        let answers = try await examples.answers(of: [original.model, made.model], output: asked)
        var labels: [String?]?
        if let name = options.label { labels = try await examples.labels(name) }
        let compared = try EdgeAnswers.compared(answers[0], answers[1], labels: labels)
        progress("measuring \(Self.rounds) times \(options.calls) calls of each")
        let runner = try EdgeRunner("\(staged.path)/\(EdgeRunner.name)")
        let sides = [original, made]
        let places = inputs(source, examples)
        let measured = try await onThread {
            var best: [EdgeMeasurement?] = [nil, nil]
            for _ in 0..<Self.rounds {
                for (index, side) in sides.enumerated() {
                    try staged.put(side.files)
                    try staged.put(manifest(side.files, side.model, places, .none, nil))
                    let found = try runner.measure(calls: options.calls)
                    if found.p50 < best[index]?.p50 ?? .infinity { best[index] = found }
                }
            }
            return best.map { $0 ?? .none }
        }
        return EdgeJudgement(
            method: method, measure: compared.measure, examples: compared.count, loss: compared.loss,
            maxLoss: options.maxLoss,
            fp32: .init(bytes: original.files.byteCount, quality: compared.original, measured: measured[0]),
            int8: .init(bytes: made.files.byteCount, quality: compared.made, measured: measured[1]))
    }

    // MARK: What is told

    private func inputs(_ source: ScoredModel, _ examples: EdgeExamples?) -> [[String]?] {
        source.model.inputs.enumerated().map { index, spec in
            let width = spec.shape.count == 2 ? spec.shape[1] : nil
            if let bound = examples?.binding.inputs[index], !bound.isList { return bound.readings.map(\.column.name) }
            let known = source.model.inputs.count == 1 ? options.scoring.features ?? source.columns?.map(\.name) : nil
            return known.flatMap { $0.count == width ? $0 : nil }
        }
    }

    private func manifest(
        _ files: ModelFiles, _ model: any TensorModel, _ columns: [[String]?], _ measured: EdgeMeasurement,
        _ judgement: EdgeJudgement?
    ) -> EdgeManifest {
        EdgeManifest(
            format: EdgeManifest.currentFormat, name: scored.name, version: scored.version, runtime: files.runtime,
            model: files.main,
            files: files.files.mapValues { .init(sha256: Digest(of: $0).hex, bytes: $0.count) },
            inputs: zip(model.inputs, columns).map {
                .init(name: $0.name, datatype: $0.datatype, shape: $0.shape, columns: $1, labels: nil)
            },
            outputs: model.outputs.map {
                .init(name: $0.name, datatype: $0.datatype, shape: $0.shape, columns: nil, labels: $0.labels)
            }, source: .init(reference: reference, digest: scored.digest),
            made: .init(at: time.now, by: options.program), measured: measured, quantization: judgement)
    }

    private func report(_ folder: String?, _ manifest: EdgeManifest, _ staged: EdgeFolder) -> EdgeReport {
        EdgeReport(
            folder: folder, manifest: manifest, bytes: staged.bytes(), modelBytes: staged.bytes(of: "model"),
            libraryBytes: staged.bytes(of: "lib"), runnerBytes: staged.bytes(of: EdgeRunner.name))
    }
}

extension EdgeMeasurement {
    /// Before anything was measured.
    fileprivate static let none = EdgeMeasurement(calls: 0, p50: 0, p99: 0, p999: 0, processor: 0, peakMemory: 0)
}
