import Basics
import Foundation
import TestSupport
import Testing

@testable import Inference

/// Models that are loaded by another process first. Here shells stand in for it.
@Suite(.timeLimit(.minutes(2))) struct ModelTrialTests {
    private func trial(_ script: String, seconds: Int = 60, memory: Int = 1 << 30) -> ModelTrial {
        ModelTrial(
            command: ["/bin/sh", "-c", script, "sh"],
            limits: ModelTrial.Limits(seconds: seconds, memoryBytes: memory))
    }

    @Test func tellsWhatTheOtherProcessSays() throws {
        let said = try trial("echo noise; echo '{\"path\":\"'$1'\"}'").run(at: "/tmp/a model.onnx")
        #expect(said["path"]?.string == "/tmp/a model.onnx")
        let refused = #expect(throws: InferenceError.self) {
            try trial("echo '{\"error\":\"it holds no graph\",\"code\":\"DATA_LOSS\"}'; exit 1").run(at: "m")
        }
        #expect(refused?.message == "it holds no graph" && refused?.code == .dataLoss)
        let silent = #expect(throws: InferenceError.self) { try trial("exit 3").run(at: "m") }
        #expect(silent?.code == .internal && silent?.message.contains("code 3") == true)
        // It says that all is well, and no more.
        #expect(throws: InferenceError.self) { try trial("exit 0").run(at: "m") }
        #expect(throws: InferenceError.self) { try ModelTrial(command: ["/nowhere/program"]).run(at: "m") }
    }

    @Test func whatEndsTheOtherProcessEndsNothingHere() throws {
        let crash = #expect(throws: InferenceError.self) { try trial("kill -SEGV $$").run(at: "m.onnx") }
        #expect(crash?.code == .invalidArgument && crash?.message.contains("signal 11") == true)
        let began = SystemTime.monotonicNanoseconds
        let hang = #expect(throws: InferenceError.self) {
            try trial("trap '' TERM; exec sleep 600", seconds: 1).run(at: "m.onnx")
        }
        #expect(hang?.code == .deadlineExceeded && hang?.message.contains("longer than 1 s") == true)
        #expect(SystemTime.monotonicNanoseconds - began < 60_000_000_000)
        for words in ["std::bad_alloc", "Failed to allocate memory for requested buffer of size 4"] {
            let large = #expect(throws: InferenceError.self) {
                try trial("echo '{\"error\":\"it says: \(words)\"}'; exit 1").run(at: "m.onnx")
            }
            #expect(large?.code == .resourceExhausted && large?.message.contains("1073741824 bytes") == true)
        }
    }

    @Test func onlySoManyAreTriedAtOnce() async throws {
        let folder = try TemporaryFolder()
        // Each is alone as long as nobody else has made the folder.
        let script = "mkdir \(folder.path)/one || exit 9; sleep 0.02; rmdir \(folder.path)/one; echo '{}'"
        let trial = ModelTrial(command: ["/bin/sh", "-c", script, "sh"], atOnce: 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<4 {
                group.addTask { try await BlockingThread(name: "\(number)").run { _ = try trial.run(at: "m") } }
            }
            try await group.waitForAll()
        }
    }

    @Test func digestsTakeInTheWeightsBesideAModel() throws {
        let folder = try TemporaryFolder()
        let model = "\(folder.path)/model.onnx"
        let weights = "\(folder.path)/weights.bin"
        for name in ["model.onnx", "weights.bin"] {
            try FileManager.default.copyItem(
                atPath: "\(ModelAnswers.folder)/beside/\(name)", toPath: "\(folder.path)/\(name)")
        }
        let first = try ModelFolder.digest(at: model)
        #expect(try first == ModelFolder.digest(at: "\(ModelAnswers.folder)/beside/model.onnx"))
        let whole = try ModelFolder.digest(at: folder.path)
        var bytes = [UInt8](try #require(FileManager.default.contents(atPath: weights)))
        bytes[7] ^= 1
        try Data(bytes).write(to: URL(fileURLWithPath: weights))
        #expect(try ModelFolder.digest(at: model) != first)
        #expect(try ModelFolder.digest(at: folder.path) != whole)
        bytes[7] ^= 1
        try Data(bytes).write(to: URL(fileURLWithPath: weights))
        #expect(try ModelFolder.digest(at: model) == first)
        // What is not named in it is no part of it.
        try Data("other".utf8).write(to: URL(fileURLWithPath: "\(folder.path)/other.bin"))
        #expect(try ModelFolder.digest(at: model) == first)
        try FileManager.default.removeItem(atPath: weights)
        #expect(throws: InferenceError.self) { try ModelFolder.digest(at: model) }
        // One file's digest is that of its bytes.
        let mlp = try ModelAnswers.bytes("mlp.onnx")
        #expect(try ModelFolder.digest(at: "\(ModelAnswers.folder)/mlp.onnx") == Digest(of: mlp))
    }
}
