import Basics
import Foundation
import Testing

@testable import Inference

@Suite struct TrainingTests {
    @Test func equalSeedsGiveEqualText() throws {
        var parameters = Samples.parameters()
        parameters.baggingFraction = 0.7
        parameters.featureFraction = 0.7
        let data = try Samples.data(rows: 3000)
        let first = try LightGBMTrainer().train(data, parameters: parameters)
        let second = try LightGBMTrainer().train(data, parameters: parameters)
        #expect(first.modelText == second.modelText)
        parameters.seed = 43
        #expect(try LightGBMTrainer().train(data, parameters: parameters).modelText != first.modelText)
    }

    @Test func layoutsAndPrecisionsOfTheSameNumbersGiveTheSameTrees() throws {
        let data = try Samples.data(rows: 500)
        guard case .float64(let values) = data.matrix.values else { return }
        let columns = data.matrix.names.count
        let rounded = values.map { Float($0) }
        let turned = (0..<columns).flatMap { column in (0..<500).map { rounded[$0 * columns + column] } }
        func train(_ values: FeatureMatrix.Values, _ layout: FeatureMatrix.Layout) throws -> [UInt8] {
            let matrix = try FeatureMatrix(names: data.matrix.names, rowCount: 500, values: values, layout: layout)
            return try LightGBMTrainer().train(
                try LabeledData(matrix: matrix, labels: data.labels), parameters: Samples.parameters()
            ).modelText
        }
        let wide = try train(.float64(rounded.map(Double.init)), .rowMajor)
        #expect(try train(.float32(rounded), .rowMajor) == wide)
        #expect(try train(.float32(turned), .columnMajor) == wide)
    }

    @Test func historyImportanceAndProgressAreGiven() throws {
        var parameters = Samples.parameters()
        parameters.recordsTrainingMetrics = true
        var seen: [Int] = []
        let result = try LightGBMTrainer().train(
            try Samples.data(rows: 2000), validation: try Samples.data(rows: 1000, seed: 2), parameters: parameters
        ) { iteration, metrics in
            seen.append(iteration)
            return metrics["validation/auc"] != nil && metrics["training/binary_logloss"] != nil
        }
        #expect(seen == Array(1...20) && result.iterations == 20)
        #expect(
            result.history.keys.sorted() == [
                "training/auc", "training/binary_logloss", "validation/auc", "validation/binary_logloss",
            ])
        #expect(result.history.values.allSatisfy { $0.count == 20 })
        #expect(try #require(result.history["validation/auc"]?.last) > 0.85)
        #expect(result.gainImportance.firstIndex(of: try #require(result.gainImportance.max())) == 0)
        #expect(result.warnings.isEmpty)
    }

    @Test func earlyStoppingKeepsTheBestIteration() throws {
        var parameters = Samples.parameters(iterations: 400)
        parameters.learningRate = 0.5
        parameters.earlyStoppingRounds = 5
        let result = try LightGBMTrainer().train(
            try Samples.data(rows: 600), validation: try Samples.data(rows: 600, seed: 2), parameters: parameters)
        let auc = try #require(result.history["validation/auc"])
        #expect(result.iterationsRun == result.iterations + 5)
        #expect(auc.firstIndex(of: try #require(auc.max())) == result.iterations - 1)
        #expect(try LightGBMModel(text: result.modelText).treeCount == result.iterations)
    }

    @Test func theCallerCanStop() throws {
        let result = try LightGBMTrainer().train(
            try Samples.data(rows: 600), parameters: Samples.parameters(), progress: { iteration, _ in iteration < 3 })
        #expect(result.iterations == 3)
    }

    @Test func wrongParametersAreNamed() throws {
        let data = try Samples.data(rows: 100)
        func refusal(_ change: (inout LightGBMParameters) -> Void) -> String? {
            var parameters = Samples.parameters()
            change(&parameters)
            do {
                _ = try LightGBMTrainer().train(data, parameters: parameters)
                return nil
            } catch { return "\(error)" }
        }
        #expect(refusal { $0.leaves = 1 }?.contains("leaves") == true)
        #expect(refusal { $0.learningRate = .nan }?.contains("learningRate") == true)
        #expect(refusal { $0.extra = ["no_such_thing": "1"] }?.contains("no_such_thing") == true)
        #expect(refusal { $0.extra = ["output_model": "/tmp/x"] }?.contains("output_model") == true)
        #expect(refusal { $0.extra = ["min_gain_to_split": "0 data=/etc/passwd"] } != nil)
        #expect(refusal { $0.categoricalFeatures = [6] }?.contains("6") == true)
        #expect(refusal { $0.earlyStoppingRounds = 3 }?.contains("validation") == true)
        #expect(refusal { $0.objective = "no_such_objective" }?.contains("no_such_objective") == true)
        #expect(refusal { $0.extra = ["min_gain_to_split": "0.01"] } == nil)
    }

    @Test func dataThatDoesNotFitIsRefused() throws {
        func matrix(_ names: [String], _ rows: Int, _ values: [Double]) throws {
            _ = try FeatureMatrix(names: names, rowCount: rows, values: .float64(values), layout: .rowMajor)
        }
        #expect(throws: InferenceError.self) { try matrix(["a"], 2, [1]) }
        #expect(throws: InferenceError.self) { try matrix(["a", "a"], 1, [1, 2]) }
        #expect(throws: InferenceError.self) { try matrix(["a b"], 1, [1]) }
        #expect(throws: InferenceError.self) { try matrix([], 0, []) }
        let good = try FeatureMatrix(names: ["a"], rowCount: 2, values: .float32([1, 2]), layout: .columnMajor)
        #expect(throws: InferenceError.self) { try LabeledData(matrix: good, labels: [1]) }
        #expect(throws: InferenceError.self) { try LabeledData(matrix: good, labels: [1, .nan]) }
        #expect(throws: InferenceError.self) { try LabeledData(matrix: good, labels: [1, 0], weights: [1, -1]) }
        let odd = try LabeledData(matrix: good, labels: [1, 2])
        #expect(throws: InferenceError.self) { try LightGBMTrainer().train(odd, parameters: LightGBMParameters()) }
    }
}

@Suite struct ModelTests {
    @Test func allPathsGiveTheSameAnswer() throws {
        let model = try LightGBMModel(text: try Samples.booster().modelText, slots: 2)
        let rows = try Samples.rows(50)
        let batch = try model.predict(rows: rows.flatMap { $0 }, count: 50)
        for (row, expected) in zip(rows, batch) {
            #expect(try model.predict(row: row, slot: 1) == [expected])
            let raw = try model.contributions(row: row)[0].reduce(0, +)
            #expect(abs(1 / (1 + exp(-raw)) - expected) < 1e-9)
        }
        #expect(Set(batch).count > 10 && batch.allSatisfy { $0 > 0 && $0 < 1 })
    }

    @Test func severalClassesGiveSharesThatSumToOne() throws {
        var parameters = Samples.parameters()
        parameters.objective = "multiclass"
        parameters.metrics = ["multi_logloss"]
        parameters.classes = 3
        let booster = try LightGBMTrainer().train(try Samples.data(rows: 900, classes: 3), parameters: parameters)
        let model = try LightGBMModel(text: booster.modelText)
        let row = try Samples.rows(1)[0]
        let shares = try model.predict(row: row)
        #expect(model.outputCount == 3 && shares.count == 3 && abs(shares.reduce(0, +) - 1) < 1e-12)
        #expect(try model.contributions(row: row).map(\.count) == [7, 7, 7])
        #expect(try model.predict(rows: row + row, count: 2) == shares + shares)
    }

    @Test func wrongShapesAreRefused() throws {
        let model = try LightGBMModel(text: try Samples.booster().modelText)
        #expect(throws: InferenceError.self) { try model.predict(row: [1, 2]) }
        #expect(throws: InferenceError.self) { try model.predict(row: [1, 2, 3, 4, 5, 6], slot: 1) }
        #expect(throws: InferenceError.self) { try model.predict(rows: [1, 2], count: 1) }
        #expect(throws: InferenceError.self) { try model.predict(rows: [1, 2], count: .max) }
        #expect(throws: InferenceError.self) { try model.contributions(row: []) }
        #expect(try model.predict(rows: [], count: 0) == [])
    }

    @Test func manyThreadsGetTheAnswersOfOne() async throws {
        let model = try LightGBMModel(text: try Samples.booster().modelText, slots: 4)
        let rows = try Samples.rows(200)
        let expected = try rows.map { try model.predict(row: $0)[0] }
        let wrong = try await withThrowingTaskGroup(of: Int.self) { group in
            // Two tasks share each slot, so that the slot's own lock is put to the test too.
            for task in 0..<8 {
                group.addTask {
                    var wrong = 0
                    for _ in 0..<5 {
                        for (row, answer) in zip(rows, expected)
                        where try model.predict(row: row, slot: task % 4) != [answer] { wrong += 1 }
                    }
                    return wrong
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(wrong == 0)
    }
}

@Suite struct ConcurrencyTests {
    /// LightGBM warns when its thread count changes under a training; loads, batches and SHAP values may not do that.
    @Test func loadingAndAskingLeavesTrainingAlone() async throws {
        let text = try Samples.booster().modelText
        let rows = try Samples.rows(20)
        let data = try Samples.data(rows: 2000)
        let alone = try LightGBMTrainer().train(data, parameters: Samples.parameters(iterations: 60))
        async let asking: Void = {
            for _ in 0..<100 {
                let model = try LightGBMModel(text: text, slots: 2)
                _ = try model.predict(rows: rows.flatMap { $0 }, count: rows.count)
                _ = try model.contributions(row: rows[0])
            }
        }()
        let beside = try LightGBMTrainer().train(data, parameters: Samples.parameters(iterations: 60))
        try await asking
        #expect(beside.warnings.isEmpty && beside.modelText == alone.modelText)
    }
}

@Suite struct ModelTextTests {
    @Test func everyTruncationIsRefused() throws {
        let text = try Samples.booster(iterations: 3).modelText
        let marker = try #require(String(decoding: text, as: UTF8.self).range(of: "end of trees\n"))
        let needed = String(decoding: text, as: UTF8.self)[..<marker.upperBound].utf8.count
        for length in 0..<needed {
            #expect(throws: InferenceError.self) { try LightGBMModel(text: Array(text.prefix(length))) }
        }
    }

    @Test func changedBytesAreRefusedOrStillPredict() throws {
        let text = try Samples.booster(iterations: 3).modelText
        let random = SeededRandom(seed: 5)
        let row = try Samples.rows(1)[0]
        var refused = 0
        var loaded = 0
        for _ in 0..<4000 {
            var changed = text
            for _ in 0..<(1 + random.next() % 3) {
                let position = Int(random.next() % UInt64(changed.count))
                // Digits for digits get furthest past a parser.
                changed[position] =
                    random.next() % 2 == 0 ? UInt8(48 + random.next() % 10) : UInt8(truncatingIfNeeded: random.next())
            }
            do {
                let model = try LightGBMModel(text: changed)
                let input = Array((row + row + row).prefix(model.inputCount))
                _ = try model.predict(row: input)
                _ = try model.contributions(row: input)
                loaded += 1
            } catch is InferenceError {
                refused += 1
            }
        }
        #expect(refused > 500 && loaded > 500, "refused \(refused), loaded \(loaded)")
    }

    @Test func treesThatAreNoTreesAreRefused() throws {
        let text = String(decoding: try Samples.booster(iterations: 1).modelText, as: UTF8.self)
        func refusal(_ key: String, _ value: (String) -> String) throws -> String {
            let line = try #require(text.split(separator: "\n").first { $0.hasPrefix(key + "=") })
            let old = line.dropFirst(key.count + 1)
            var new = value(String(old))
            #expect(new.utf8.count <= old.utf8.count)
            new += String(repeating: " ", count: old.utf8.count - new.utf8.count)
            let changed = text.replacingOccurrences(of: line, with: "\(key)=\(new)")
            let error = #expect(throws: InferenceError.self) { try LightGBMModel(text: Array(changed.utf8)) }
            return error?.message ?? ""
        }
        func first(_ value: String) -> (String) -> String {
            { old in ([value] + old.split(separator: " ").dropFirst().map(String.init)).joined(separator: " ") }
        }
        #expect(try refusal("left_child", first("0")).contains("no tree"))
        #expect(try refusal("split_feature", first("9")).contains("feature"))
        #expect(try refusal("num_leaves", { _ in "8" }).contains("tree 0"))
        #expect(try refusal("num_class", { _ in "9" }).contains("classes"))
        #expect(try refusal("is_linear", { _ in "1" }).contains("linear"))
    }
}

@Suite struct BundleTests {
    static let runtimes = ModelRuntimes.all

    static func bundle() throws -> (ModelBundle.Encoded, [Digest: [UInt8]]) {
        let text = try Samples.booster().modelText
        let extra = Array("{\"rows\":800}".utf8)
        let files = ["model.txt": text, "reports/profile.json": extra]
        let encoded = try ModelBundle.encode(
            kind: "lightgbm", files: files,
            signature: ModelSignature(
                inputs: (0..<6).map { SignatureColumn(name: "feature_\($0)", datatype: .fp64, nullable: $0 == 1) },
                outputs: [SignatureColumn(name: "probability", datatype: .fp64)]),
            sampleRows: try Samples.rows(3) + [[Double](repeating: .nan, count: 6)],
            featureService: .init(name: "flights", digest: "sha256:00"), metrics: ["auc": 0.91],
            environment: ["lightgbm": "4.7.0"],
            runtimes: runtimes)
        return (encoded, Dictionary(files.values.map { (Digest(of: $0), $0) }) { first, _ in first })
    }

    static func load(_ manifest: [UInt8], _ store: [Digest: [UInt8]], expected: Digest? = nil) throws -> LoadedModel {
        try ModelBundle.load(manifest: manifest, expected: expected, slots: 2, runtimes: runtimes) { store[$0] ?? [] }
    }

    @Test func aBundleComesBackAndItsNameIsItsContent() throws {
        let (encoded, store) = try Self.bundle()
        #expect(try Self.bundle().0.digest == encoded.digest)
        let loaded = try Self.load(encoded.manifestBytes, store, expected: encoded.digest)
        #expect(loaded.manifest == encoded.manifest && loaded.digest == encoded.digest)
        #expect(loaded.files["reports/profile.json"]?.count == 12 && loaded.model.slotCount == 2)
        #expect(loaded.manifest.sample.inputs.last == [Double?](repeating: nil, count: 6))
    }

    @Test func changedFilesAndNamesAreFound() throws {
        let (encoded, store) = try Self.bundle()
        var damaged = store
        for (digest, bytes) in store { damaged[digest] = bytes + [10] }
        let error = #expect(throws: InferenceError.self) { try Self.load(encoded.manifestBytes, damaged) }
        #expect(error?.code == .dataLoss && error?.message.contains("model.txt") == true)
        let other = #expect(throws: InferenceError.self) {
            try Self.load(encoded.manifestBytes, store, expected: Digest(of: "another"))
        }
        #expect(other?.code == .dataLoss)
        #expect(throws: (any Error).self) { try Self.load(encoded.manifestBytes + [32], store) }
        #expect(throws: (any Error).self) { try Self.load(Array("{}".utf8), store) }
    }

    @Test func aSampleThatIsNotReproducedIsRefused() throws {
        let (encoded, store) = try Self.bundle()
        let good = encoded.manifest
        var outputs = good.sample.outputs
        outputs[1][0] += 1e-6
        let manifest = BundleManifest(
            kind: good.kind, signature: good.signature, sample: .init(inputs: good.sample.inputs, outputs: outputs),
            files: good.files)
        let error = #expect(throws: InferenceError.self) { try Self.load(try manifest.encoded(), store) }
        #expect(error?.message.contains("row 1, output 0 should be \(outputs[1][0])") == true)
        #expect(error?.message.contains("\(good.sample.outputs[1][0])") == true)
    }

    @Test func manifestsThatContradictThemselvesAreRefused() throws {
        let good = try Self.bundle().0.manifest
        func refused(
            kind: String = "lightgbm", metrics: [String: Double] = [:], sample: BundleManifest.Sample? = nil,
            files: [String: Digest]? = nil
        ) -> Bool {
            let manifest = BundleManifest(
                kind: kind, signature: good.signature, metrics: metrics, sample: sample ?? good.sample,
                files: files ?? good.files)
            return (try? manifest.encoded()) == nil
        }
        #expect(refused() == false)
        #expect(refused(kind: "") == true)
        #expect(refused(metrics: ["auc": .nan]) == true)
        #expect(refused(sample: .init(inputs: [], outputs: [])) == true)
        #expect(refused(sample: .init(inputs: [[1]], outputs: [[1]])) == true)
        for path in ["../model.txt", "/model.txt", "a//b", "", "a/./b"] {
            #expect(refused(files: [path: Digest(of: "x")]) == true, "\(path)")
        }
        #expect(throws: InferenceError.self) { try Self.runtimes.runtime(for: "pickle") }
    }
}
