import Basics
import Foundation
import TestSupport
import Testing

/// The example that distils a model, as a person would run it: `scripts/setup-wheels serving` installs its Python.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct DistillationSlowTests {
    private static let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path
    private static let python = here + "/../../.deps/serving/bin/python"

    private func run(gap: String) async throws -> (code: Int32, output: String, work: TemporaryFolder) {
        let (folder, program) = (try TemporaryFolder(), try Program.path())
        return try await BlockingThread(name: "example").run {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "\(Self.here)/../../Examples/distillation/run").standardized
            process.environment = ProcessInfo.processInfo.environment.merging([
                "MODELWORKS": program, "PYTHON": Self.python, "GAP": gap, "WORK": folder.path, "TMPDIR": folder.path,
            ]) { $1 }
            let log = folder("output")
            _ = FileManager.default.createFile(atPath: log, contents: nil)
            process.standardOutput = FileHandle(forWritingAtPath: log)
            try process.run()
            process.waitUntilExit()
            return (process.terminationStatus, Program.text(log), folder)
        }
    }

    @Test func aStudentThatSaysTheSameIsKeptAndMeasured() async throws {
        let ended = try await run(gap: "0.05")
        #expect(ended.code == 0, "\(ended.output)")
        #expect(FileManager.default.fileExists(atPath: ended.work("student.onnx")))
        let verdict = try #require(
            ended.output.split(separator: "\n").compactMap { try? JSON.decode(JSONValue.self, from: String($0)) }
                .first { $0["gap"] != nil })
        #expect(verdict["kept"]?.bool == true)
        #expect((verdict["gap"]?.double ?? 1) <= 0.05)
        #expect((verdict["studentBytes"]?.double ?? .infinity) * 50 < verdict["teacherBytes"]?.double ?? 0)
        #expect(ended.output.contains("distilled, student.onnx"))
    }

    @Test func aStudentWithTooLargeAGapFailsTheJobAndIsNotKept() async throws {
        let ended = try await run(gap: "0.0001")
        #expect(ended.code != 0)
        #expect(ended.output.contains("\"kept\": false"), "\(ended.output)")
        #expect(!FileManager.default.fileExists(atPath: ended.work("student.onnx")))
    }
}
