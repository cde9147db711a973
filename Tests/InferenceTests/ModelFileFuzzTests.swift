import Basics
import Engines
import Foundation
import TestSupport
import Testing

@testable import Inference

/// Damaged files, in a process of their own: each is refused with an error or loaded, and what is loaded is asked. A process
/// that ends on one is begun again behind it.
@Suite(.serialized) struct ModelFileFuzzTests {
    private static let files = [
        "mlp.onnx", "classes.onnx", "product.onnx", "pipeline.onnx", "xgboost/binary.json", "xgboost/classes.ubj",
        "xgboost/dart.ubj", "xgboost/categories.json", "xgboost/linear.json", "lightgbm/binary.txt",
        "lightgbm/classes.txt",
    ]
    /// Files that end their process beyond which nothing is learnt.
    private static let crashesMax = 20

    @Test(arguments: files) func damagedFilesAreRefusedOrServed(_ file: String) throws {
        func number(_ name: String, _ standard: UInt64) -> UInt64 {
            ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) } ?? standard
        }
        let program = try KafkaServer.program("fuzz-models", "MODELWORKS_FUZZ_MODELS")
        let (seed, rounds) = (number("MODELWORKS_SEED", 1), number("MODELWORKS_FUZZ_ROUNDS", 60))
        let seconds = number("MODELWORKS_FUZZ_SECONDS", 0) / UInt64(Self.files.count)
        let folder = try TemporaryFolder()
        let end = SystemTime.monotonicNanoseconds + seconds * 1_000_000_000
        var first: UInt64 = 0
        var crashes: [String] = []
        while crashes.count < Self.crashesMax {
            let left =
                end > SystemTime.monotonicNanoseconds ? (end - SystemTime.monotonicNanoseconds) / 1_000_000_000 : 0
            let output = "\(folder.path)/\(crashes.count)"
            let process = Process()
            process.executableURL = URL(fileURLWithPath: program)
            process.arguments = ["\(ModelAnswers.folder)/\(file)"] + [seed, first, rounds, left].map(String.init)
            try Data().write(to: URL(fileURLWithPath: output))
            process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
            process.standardError = FileHandle.nullDevice
            let ended = DispatchSemaphore(value: 0)
            process.terminationHandler = { _ in ended.signal() }
            try process.run()
            ended.wait()
            let said = String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self)
            let last = String(said.split(separator: "\n").last ?? "")
            guard process.terminationReason == .uncaughtSignal || process.terminationStatus != 0 else {
                #expect(last.hasPrefix("loaded"), "\(last)")
                print("model fuzz: \(file), seed \(seed), crashes \(crashes.count), from round \(first): \(last)")
                break
            }
            crashes.append(
                "round \(last): \(process.terminationReason == .exit ? "code" : "signal") \(process.terminationStatus)")
            first = (UInt64(last) ?? rounds) + 1
        }
        // XGBoost's predictor believes a file's counts of trees: one damaged file in some thousands ends the process, which is
        // what a server has models tried in another process for.
        if file.hasPrefix("xgboost/") {
            if !crashes.isEmpty { print("model fuzz: \(file), seed \(seed), ended its process: \(crashes)") }
        } else {
            #expect(crashes.isEmpty, "\(file), seed \(seed)")
        }
    }
}
