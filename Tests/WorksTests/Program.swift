import Basics
import Engines
import Foundation
import TestSupport

/// The built program, as a person would run it.
enum Program {
    struct Outcome: Sendable {
        var code: Int32
        var output: String
        var errors: String
        var seconds: Double

        var json: JSONValue { (try? JSON.decode(JSONValue.self, from: output)) ?? .null }
        /// Everything that it said.
        var all: String { output + errors }
    }

    struct Missing: Error {}

    /// The debug binary lies beside the test bundle.
    static func path() throws -> String {
        for argument in [CommandLine.arguments.first ?? "", Bundle.main.executablePath ?? ""] + CommandLine.arguments {
            let path = (argument as NSString).deletingLastPathComponent + "/modelworks"
            if FileManager.default.isExecutableFile(atPath: path) { return path }
        }
        throw Missing()
    }

    /// Starts a verb with an environment of these variables, PATH and HOME only.
    static func start(_ words: [String], _ variables: [String: String], folder: String) throws -> (Process, String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try path())
        process.arguments = words
        let own = ProcessInfo.processInfo.environment
        process.environment = ["PATH": own["PATH"] ?? "", "HOME": own["HOME"] ?? ""].merging(variables) { $1 }
        let name = "\(folder)/\(UUID().uuidString)"
        for (end, place) in [("out", \Process.standardOutput), ("err", \Process.standardError)] {
            _ = FileManager.default.createFile(atPath: "\(name).\(end)", contents: nil)
            process[keyPath: place] = FileHandle(forWritingAtPath: "\(name).\(end)")
        }
        process.standardInput = FileHandle.nullDevice
        try process.run()
        return (process, name)
    }

    /// Runs a verb to its end, on a thread of its own.
    static func run(_ words: [String], _ variables: [String: String] = [:], folder: String) async throws -> Outcome {
        try await BlockingThread(name: "program").run {
            let begun = SystemTime.monotonicNanoseconds
            let (process, name) = try start(words, variables, folder: folder)
            // What is to fail at start would else run for ever where it does not.
            try? waitUntil("'\(words.joined(separator: " "))' ends", within: 60) { !process.isRunning }
            if process.isRunning { kill(process.processIdentifier, SIGKILL) }
            process.waitUntilExit()
            return Outcome(
                code: process.terminationStatus, output: text("\(name).out"), errors: text("\(name).err"),
                seconds: Double(SystemTime.monotonicNanoseconds - begun) * 1e-9)
        }
    }

    static func text(_ path: String) -> String {
        String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
    }
}
