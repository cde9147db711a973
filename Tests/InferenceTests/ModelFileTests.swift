import Basics
import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite struct ModelFileTests {
    /// Bit for bit, against onnxruntime, XGBoost and LightGBM under Python.
    @Test func answersAreThoseOfTheNativeLibraries() throws {
        for known in try ModelAnswers.cases {
            let model = try ModelAnswers.load(known.file)
            let inputs = try known.inputs.map { try $0.tensor }
            #expect(model.inputs.map(\.name) == known.inputs.map(\.name), "\(known.file)")
            #expect(model.outputs.map(\.name) == known.outputs.map(\.name), "\(known.file)")
            for (spec, input) in zip(model.inputs, inputs) { try spec.check(input) }
            let answers = try model.run(inputs, wanted: Array(model.outputs.indices))
            for (expected, (answer, spec)) in zip(known.outputs, zip(answers, model.outputs)) {
                let right = try expected.tensor
                #expect(answer.isSame(as: right), "\(known.file), output \(expected.name)")
                #expect(answer.type == spec.datatype && answer.shape.count == spec.shape.count, "\(known.file)")
            }
        }
        #expect(try ModelAnswers.cases.count == 24)
    }

    @Test func wantedOutputsComeInTheirOrder() throws {
        let known = try #require(try ModelAnswers.cases.first { $0.file == "pipeline.onnx" })
        let model = try ModelAnswers.load(known.file)
        let inputs = try known.inputs.map { try $0.tensor }
        let turned = try model.run(inputs, wanted: [1, 0])
        let expected = try known.outputs.map { try $0.tensor }
        #expect(turned[0].isSame(as: expected[1]) && turned[1].isSame(as: expected[0]))
        #expect(try model.run(inputs, wanted: []).isEmpty)
        #expect(model.outputs[1].labels == ["early", "late", "on time"])
        #expect(model.outputs[1].shape == [-1, 3])
        #expect(try ModelAnswers.load("classes.onnx").outputs[1].labels == ["-3", "2", "10"])
    }

    @Test func rowsAreOnlyPutTogetherWhereTheyDoNotTouch() throws {
        for file in ["mlp", "pipeline", "classes", "binary", "beside"] {
            let path = file == "beside" ? file : file + ".onnx"
            #expect(try ModelAnswers.load(path).stacksRows, "\(file)")
        }
        for file in ["centred", "fixed", "scalar", "nonzero", "product", "types", "passing"] {
            #expect(try !ModelAnswers.load(file + ".onnx").stacksRows, "\(file)")
        }
    }

    @Test func answersOutliveTheModelAndTheRequest() throws {
        func ask() throws -> [Tensor] {
            let model = try ModelAnswers.load("passing.onnx")
            let input = try Tensor(.fp32, shape: [1, 2], values: [Float(1), 2])
            return try model.run([input], wanted: [0, 1, 2])
        }
        for _ in 0..<50 {
            let answers = try ask()
            #expect(answers.map { $0.values(as: Float.self) } == [[1, 2], [3, 6], [4, 5]])
        }
    }

    @Test func wrongInputsAreTheCallersFaultAndTold() throws {
        let product = try ModelAnswers.load("product.onnx")
        let wide = try Tensor(.fp32, shape: [2, 3], values: [Float](repeating: 1, count: 6))
        let error = #expect(throws: InferenceError.self) { try product.run([wide, wide], wanted: [0]) }
        #expect(error?.code == .invalidArgument && error?.message.contains("MatMul") == true)
        let types = try ModelAnswers.load("types.onnx")
        var inputs = try types.inputs.map { spec in
            spec.datatype == .bytes
                ? try Tensor(shape: [0], strings: [])
                : try Tensor(type: spec.datatype, shape: [0], storage: TensorStorage(count: 0) { _ in })
        }
        #expect(try types.run(inputs, wanted: [0, 12]).map(\.shape) == [[0], [0]])
        let flag = try #require(types.inputs.firstIndex { $0.datatype == .bool })
        inputs[flag] = try Tensor(.bool, shape: [1], values: [UInt8(2)])
        #expect(throws: InferenceError.self) { try types.run(inputs, wanted: [0]) }
        let mlp = try ModelAnswers.load("mlp.onnx")
        #expect(throws: InferenceError.self) {
            try mlp.inputs[0].check(try Tensor(.fp32, shape: [1, 3], values: [Float](repeating: 0, count: 3)))
        }
        #expect(throws: InferenceError.self) { try mlp.run([], wanted: [0]) }
    }

    /// A tensor that was cut from a request begins anywhere.
    @Test func tensorsMayBeginAtAnyByte() throws {
        let known = try #require(try ModelAnswers.cases.first { $0.file == "mlp.onnx" })
        let input = try known.inputs[0].tensor
        let moved = TensorStorage(count: input.byteCount + 1) { memory in
            input.withBytes { UnsafeMutableRawBufferPointer(rebasing: memory.dropFirst()).copyMemory(from: $0) }
            memory[0] = 0
        }
        let odd = try Tensor(type: .fp32, shape: input.shape, storage: moved, range: 1..<(input.byteCount + 1))
        let answer = try ModelAnswers.load("mlp.onnx").run([odd], wanted: [0])
        let right = try known.outputs[0].tensor
        #expect(answer[0].isSame(as: right))
    }

    @Test func hostileFilesAreRefusedWithTheReason() throws {
        let reasons = [
            "parent": "no file beside it", "absolute": "no file beside it", "memory": "no file beside it",
            "beyond": "no file beside it", "missing": "not beside it", "custom": "Launch", "rankless": "no shape",
            "sequence": "sequence of tensors", "past_end": "ONNX Runtime says",
        ]
        for (name, reason) in reasons {
            let error = #expect(throws: InferenceError.self, "\(name)") {
                try ModelAnswers.load("hostile/\(name).onnx")
            }
            #expect(
                error?.code == .invalidArgument && error?.message.contains(reason) == true,
                "\(name): \(error?.message ?? "")")
        }
        let linked = try TemporaryFolder()
        try FileManager.default.copyItem(
            atPath: ModelAnswers.folder + "/beside/model.onnx", toPath: linked.path + "/model.onnx")
        try FileManager.default.createSymbolicLink(
            atPath: linked.path + "/weights.bin", withDestinationPath: ModelAnswers.folder + "/beside/weights.bin")
        #expect(throws: InferenceError.self) { try ModelFolder.load(at: linked.path) }
        for (bytes, reason) in [
            ([], "empty"), (Array("no model".utf8), "can not be loaded"),
            ([8, 9, 0, 0] + Array("ORTM".utf8), "own format"),
        ] {
            let error = #expect(throws: InferenceError.self) { try ONNXModel(file: bytes) }
            #expect(error?.message.contains(reason) == true)
        }
    }

    @Test func foldersAndFilesAreLoadedByWhatTheyAre() throws {
        #expect(try ModelAnswers.load("beside").platform == "onnxruntime_onnx")
        #expect(try ModelAnswers.load("lightgbm/binary.txt").platform == "lightgbm")
        #expect(try ModelAnswers.load("xgboost/dart.ubj").platform == "xgboost")
        let dump = #expect(throws: InferenceError.self) { try ModelAnswers.load("lightgbm/dump.json") }
        #expect(dump?.message.contains("LightGBM's dump") == true)
        let several = #expect(throws: InferenceError.self) { try ModelAnswers.load("lightgbm") }
        #expect(several?.message.contains("several") == true)
        #expect(throws: InferenceError.self) { try ModelAnswers.load("nothing.onnx") }
        #expect(throws: InferenceError.self) { try ModelAnswers.load("make_fixtures.py") }
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder.path + "/data", withIntermediateDirectories: true)
        for (flavor, file) in [
            ("onnx", "mlp.onnx"), ("lightgbm", "lightgbm/classes.txt"), ("xgboost", "xgboost/binary.json"),
        ] {
            let name = (file as NSString).lastPathComponent
            try? FileManager.default.removeItem(atPath: "\(folder.path)/data/\(name)")
            try FileManager.default.copyItem(
                atPath: "\(ModelAnswers.folder)/\(file)", toPath: "\(folder.path)/data/\(name)")
            let text = "flavors:\n  \(flavor):\n    data: data/\(name)\n  python_function:\n    loader_module: x\n"
            try Data(text.utf8).write(to: URL(fileURLWithPath: folder.path + "/MLmodel"))
            #expect(try !ModelFolder.load(at: folder.path).inputs.isEmpty)
        }
        try Data("flavors:\n  onnx:\n    data: ../mlp.onnx\n".utf8).write(
            to: URL(fileURLWithPath: folder.path + "/MLmodel"))
        #expect(throws: InferenceError.self) { try ModelFolder.load(at: folder.path) }
    }
}

@Suite struct RowsAndTensorsTests {
    @Test func forestsTakeEveryTypeOfNumber() throws {
        let model = try ModelAnswers.load("lightgbm/regression.txt")
        let row: [Int] = [1, 0, 1, 1, 0]
        let expected = try model.run([Tensor(.fp64, shape: [1, 5], values: row.map(Double.init))], wanted: [0])[0]
        for type in model.inputs[0].alsoAccepted {
            let tensor: Tensor =
                switch type.elementBytes {
                case _ where type == .fp32: try Tensor(type, shape: [1, 5], values: row.map(Float.init))
                case 1: try Tensor(type, shape: [1, 5], values: row.map(UInt8.init))
                case 2: try Tensor(type, shape: [1, 5], values: row.map(UInt16.init))
                case 4: try Tensor(type, shape: [1, 5], values: row.map(UInt32.init))
                default: try Tensor(type, shape: [1, 5], values: row.map(UInt64.init))
                }
            #expect(try model.run([tensor], wanted: [0])[0].isSame(as: expected), "\(type)")
        }
        #expect(throws: InferenceError.self) {
            try model.run([Tensor(shape: [1, 5], strings: [[], [], [], [], []])], wanted: [0])
        }
        #expect(try model.run([Tensor(.fp64, shape: [0, 5], values: [Double]())], wanted: [0])[0].shape == [0, 1])
    }

    @Test func modelsOfTensorsServeRows() throws {
        let known = try #require(try ModelAnswers.cases.first { $0.file == "classes.onnx" })
        let runtimes = ModelRuntimes.all
        #expect(runtimes.kinds == ["lightgbm", "onnx", "xgboost"])
        let files = ["model.onnx": try ModelAnswers.bytes("classes.onnx")]
        let model = try runtimes.runtime(for: "onnx").load(files: files, slots: 2)
        #expect(model.inputCount == 4 && model.outputCount == 3 && model.slotCount == 2)
        let values = try #require(try known.inputs[0].tensor.values(as: Float.self)).map(Double.init)
        let expected = try #require(try known.outputs[1].tensor.values(as: Float.self)).map(Double.init)
        #expect(try model.predict(rows: values, count: 4) == expected)
        #expect(try model.predict(row: Array(values[4..<8]), slot: 1) == Array(expected[3..<6]))
        #expect(throws: InferenceError.self) { try TensorsAsRows(try ModelAnswers.load("product.onnx")) }
        #expect(throws: InferenceError.self) { try TensorsAsRows(try ModelAnswers.load("pipeline.onnx")) }
        #expect(throws: InferenceError.self) { try TensorsAsRows(try ModelAnswers.load("classes.onnx"), output: "z") }
    }

    @Test func bundlesOfEveryKindReproduceTheirSample() throws {
        for (kind, path, file) in [
            ("onnx", "model.onnx", "mlp.onnx"), ("xgboost", "model.ubj", "xgboost/classes.ubj"),
            ("xgboost", "model.json", "xgboost/binary.json"), ("lightgbm", "model.txt", "lightgbm/binary.txt"),
        ] {
            let files = [path: try ModelAnswers.bytes(file)]
            let model = try ModelRuntimes.all.runtime(for: kind).load(files: files, slots: 1)
            func columns(_ count: Int, _ name: String) -> [SignatureColumn] {
                (0..<count).map { SignatureColumn(name: "\(name)\($0)", datatype: .fp64, nullable: true) }
            }
            let bundle = try ModelBundle.encode(
                kind: kind, files: files,
                signature: ModelSignature(
                    inputs: columns(model.inputCount, "x"), outputs: columns(model.outputCount, "y")),
                sampleRows: [[Double](repeating: 0.5, count: model.inputCount)], runtimes: .all)
            let byDigest = Dictionary(uniqueKeysWithValues: files.values.map { (Digest(of: $0), $0) })
            let loaded = try ModelBundle.load(manifest: bundle.manifestBytes, runtimes: .all) { byDigest[$0] ?? [] }
            #expect(loaded.model.inputCount == model.inputCount)
        }
    }

    @Test func contributionsAreXGBoostsOwn() throws {
        for known in try ModelAnswers.cases {
            guard let contributions = known.contributions else { continue }
            let model = try XGBoostModel(file: try ModelAnswers.bytes(known.file))
            #expect(model.featureNames == ["a", "b", "c", "d", "e"])
            let rows = try #require(try known.inputs[0].tensor.values(as: Float.self)).map(Double.init)
            let expected = try #require(try contributions.tensor.values(as: Float.self))
            let actual = try stride(from: 0, to: rows.count, by: 5).flatMap { start in
                try model.contributions(row: Array(rows[start..<start + 5])).flatMap { $0 }
            }
            #expect(actual.map { Float($0).bitPattern } == expected.map(\.bitPattern), "\(known.file)")
        }
    }

    @Test func manyThreadsAskOneModel() async throws {
        for file in ["mlp.onnx", "pipeline.onnx", "xgboost/classes.ubj", "xgboost/linear.json", "lightgbm/classes.txt"]
        {
            let known = try #require(try ModelAnswers.cases.first { $0.file == file })
            let model = try ModelAnswers.load(file)
            let inputs = try known.inputs.map { try $0.tensor }
            let expected = try known.outputs.map { try $0.tensor }
            let right = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        for _ in 0..<100 {
                            let answers = try model.run(inputs, wanted: Array(model.outputs.indices))
                            guard zip(answers, expected).allSatisfy({ $0.isSame(as: $1) }) else { return false }
                        }
                        return true
                    }
                }
                return try await group.reduce(true) { $0 && $1 }
            }
            #expect(right, "\(file)")
        }
    }
}
