import Basics
import Foundation

/// A program that is run to its end.
struct EdgeProgram: Sendable {
    let path: String

    struct Outcome: Sendable {
        let status: Int32
        let output: String

        /// The last lines, for messages.
        var end: String { output.split(separator: "\n").suffix(3).joined(separator: " ").prefix(600).description }
    }

    /// Blocks until it ends.
    /// - Throws: ``ScoringFailure/export(_:remedy:)`` where it can not be started.
    func run(_ arguments: [String]) throws -> Outcome {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path.contains("/") ? path : "/usr/bin/env")
        process.arguments = (path.contains("/") ? [] : [path]) + arguments
        let output = Pipe()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        do {
            try process.run()
        } catch {
            throw ScoringFailure.export(
                "\(path) can not be started: \(error.localizedDescription)",
                remedy: "Check the path and its permissions")
        }
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Outcome(status: process.terminationStatus, output: String(decoding: bytes, as: UTF8.self))
    }
}

/// The program that scores in an exported folder.
struct EdgeRunner: Sendable {
    /// What it is called beside `modelworks`, and what in an exported folder.
    static let product = "modelworks-edge"
    static let name = "score"

    let program: EdgeProgram

    /// - Throws: ``ScoringFailure/export(_:remedy:)`` where there is none.
    init(_ path: String) throws {
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw ScoringFailure.export(
                "the runner \(path) is not there",
                remedy: "Build it with `make build`, or install \(Self.product) beside modelworks")
        }
        program = EdgeProgram(path: path)
    }

    /// Files of the libraries that a runtime needs and a machine may lack: all but those of the C library, which belong
    /// to its loader.
    func libraries(_ runtime: String) throws -> [String] {
        let outcome = try program.run(["--libraries", runtime])
        guard outcome.status == 0 else {
            throw ScoringFailure.export(
                "the libraries of \(runtime) are not to be found: \(outcome.end)", remedy: "Run `make setup`")
        }
        let system = ["libc.", "libm.", "libdl.", "librt.", "libpthread.", "ld-linux", "linux-vdso"]
        return outcome.output.split(separator: "\n").map(String.init).filter { path in
            let name = (path as NSString).lastPathComponent
            return !system.contains { name.hasPrefix($0) }
        }
    }

    /// Measures calls with the folder's example.
    func measure(calls: Int) throws -> EdgeMeasurement {
        let outcome = try program.run(["--bench", "\(calls)"])
        guard outcome.status == 0 else { throw failed(outcome) }
        return try JSON.decode(EdgeMeasurement.self, from: outcome.output)
    }

    /// Scores the folder's example.
    /// - Returns: the outputs' elements, one after another.
    func answers(of file: String) throws -> [[JSONValue]] {
        let outcome = try program.run([file])
        guard outcome.status == 0 else { throw failed(outcome) }
        let document = try JSON.decode(JSONValue.self, from: outcome.output)
        return (document["outputs"]?.array ?? []).map { $0["data"]?.array ?? [] }
    }

    private func failed(_ outcome: EdgeProgram.Outcome) -> ScoringFailure {
        .export(
            "the exported folder does not score its example: code \(outcome.status): \(outcome.end)",
            remedy: "Check that the model answers in `modelworks up`, and export it again")
    }
}
