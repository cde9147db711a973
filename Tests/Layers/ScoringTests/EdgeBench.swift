import Basics
import Foundation
import Inference
import Scoring
import TestSupport
import Testing

/// Exports models into a folder of its own, and runs what came of it as a device would.
struct EdgeBench {
    /// What a run of the program `score` left.
    struct Outcome {
        /// Below 0 where a signal ended it.
        let code: Int32
        let output: String
        let errors: String

        var lines: [JSONValue] {
            output.split(separator: "\n").map { (try? JSON.decode(JSONValue.self, from: String($0))) ?? .null }
        }
    }

    struct NoRunner: Error {}

    let folder: TemporaryFolder
    private let time = ManualTime(Timestamp(microseconds: 1_700_000_000_000_000))

    init() throws { folder = try TemporaryFolder() }

    /// The runner, which the build puts beside the test bundle.
    static func runner() throws -> String {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        for argument in [own] + CommandLine.arguments {
            let path = (argument as NSString).deletingLastPathComponent + "/modelworks-edge"
            if FileManager.default.isExecutableFile(atPath: path) { return path }
        }
        throw NoRunner()
    }

    /// The Python that quantises, where it is installed.
    static var python: String? {
        let root = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let path = "\(root)/.deps/serving/bin/python"
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }

    /// Exports a fixture of `Tests/InferenceTests` to the folder `edge`.
    @discardableResult
    func export(_ name: String, _ change: (inout EdgeOptions) throws -> Void = { _ in }) async throws -> EdgeReport {
        var options = EdgeOptions(runner: try Self.runner(), program: "modelworks test")
        options.calls = 50
        try change(&options)
        let path = ScoringBench.fixture(name)
        return try await EdgeExport(
            try ScoringBench.load(name), files: try ModelFiles(path: path), reference: name, options, environment: [:],
            time: time, random: SeededRandom(seed: 1)
        ).write(to: folder("edge"))
    }

    func manifest() throws -> EdgeManifest {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: folder("edge/manifest.json")))
        return try JSON.decode(EdgeManifest.self, from: bytes)
    }

    /// Runs the exported program with rows from a file; blocks.
    func score(_ input: some Sequence<UInt8>, _ words: String...) throws -> Outcome {
        try Data(input).write(to: URL(fileURLWithPath: folder("rows")))
        for name in ["out", "errors"] { _ = FileManager.default.createFile(atPath: folder(name), contents: nil) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: folder("edge/score"))
        process.arguments = words
        process.standardInput = FileHandle(forReadingAtPath: folder("rows"))
        process.standardOutput = FileHandle(forWritingAtPath: folder("out"))
        process.standardError = FileHandle(forWritingAtPath: folder("errors"))
        process.environment = [:]
        try process.run()
        process.waitUntilExit()
        func text(_ name: String) -> String {
            String(decoding: FileManager.default.contents(atPath: folder(name)) ?? Data(), as: UTF8.self)
        }
        let code = process.terminationStatus
        return Outcome(
            code: process.terminationReason == .exit ? code : -code, output: text("out"), errors: text("errors"))
    }

    func score(_ text: String, _ words: String...) throws -> Outcome {
        // Arguments of any number can not be handed on.
        switch words.count {
        case 0: try score(text.utf8)
        case 1: try score(text.utf8, words[0])
        default: try score(text.utf8, words[0], words[1])
        }
    }
}
