import Basics
import Foundation
import TestSupport
import Testing

/// Runs the built program as a person would: its exit codes are 0 (done), 1 (the work failed), 2 (wrong use).
@Suite(.serialized) struct CommandLineTests {
    private struct Outcome {
        var code: Int32
        var output: String
        var errors: String
        var json: JSONValue { (try? JSON.decode(JSONValue.self, from: output)) ?? .null }
    }

    private struct NoProgram: Error {}

    /// The debug binary lies beside the test bundle.
    private func program() throws -> String {
        let manager = FileManager.default
        for argument in [CommandLine.arguments.first ?? "", Bundle.main.executablePath ?? ""] + CommandLine.arguments {
            let path = (argument as NSString).deletingLastPathComponent + "/modelworks"
            if manager.isExecutableFile(atPath: path) { return path }
        }
        throw NoProgram()
    }

    private func run(_ words: String..., root: String? = nil) throws -> Outcome {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try program())
        process.arguments = words
        var environment = ProcessInfo.processInfo.environment
        environment["MODELWORKS_ROOT"] = root ?? "/nonexistent/root"
        environment["MODELWORKS_URL"] = nil
        process.environment = environment
        let output = Pipe()
        let errors = Pipe()
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        try process.run()
        // What the verbs here print fits a pipe, so one can be read after the other.
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let complaint = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return Outcome(code: process.terminationStatus, output: text, errors: complaint)
    }

    @Test func helpAndVersionAreDone() throws {
        for words in [["--help"], ["help"], ["train", "--help"], ["deploy", "--help"], ["version"], ["--version"]] {
            let outcome = try words.count == 1 ? run(words[0]) : run(words[0], words[1])
            #expect(outcome.code == 0, "\(words)")
            #expect(!outcome.output.isEmpty && outcome.errors.isEmpty, "\(words)")
        }
        #expect(try run("version", "--json").json["version"]?.string?.isEmpty == false)
    }

    @Test func wrongUseEndsWithTwo() throws {
        let nothing = try run()
        #expect(nothing.code == 2)
        #expect(nothing.output.contains("Usage: modelworks VERB"))
        let cases: [(words: [String], told: String)] = [
            (
                ["trian"],
                "modelworks: there is no verb 'trian'. Did you mean 'modelworks train'? See 'modelworks --help'.\n"
            ),
            (["train"], "modelworks: 'modelworks train' needs TRAINING. Usage: modelworks train TRAINING.\n"),
            (["up", "--port"], "modelworks: 'modelworks up' has no option '--port'. See 'modelworks up --help'.\n"),
            (["up", "--http-port=70000"], "modelworks: '--http-port' must be a whole number from 0 to 65535\n"),
            (["up", "--log-level=loud"], "modelworks: '--log-level' must be debug, info, warning or error\n"),
        ]
        for item in cases {
            let outcome = try item.words.count == 1 ? run(item.words[0]) : run(item.words[0], item.words[1])
            #expect(outcome.code == 2, "\(item.words)")
            #expect(outcome.errors == item.told)
            #expect(outcome.output.isEmpty)
        }
        let json = try run("train", "--json")
        #expect(json.code == 2)
        #expect(json.errors.isEmpty)
        #expect(
            json.json == [
                "code": "INVALID_ARGUMENT",
                "error": "'modelworks train' needs TRAINING. Usage: modelworks train TRAINING.",
            ])
    }

    @Test func workThatFailsEndsWithOne() throws {
        let folder = try TemporaryFolder()
        let root = "\(folder.path)/root"
        let none = try run("apply", "\(folder.path)/none", root: root)
        #expect(none.code == 1)
        #expect(
            none.errors
                == "modelworks: there is no directory \(folder.path)/none. Run 'modelworks init \(folder.path)/none'.\n"
        )
        try folder.write("name: x\nowner: me\nonwer: me\n", to: "f/works.yaml")
        let typo = try run("plan", "\(folder.path)/f", root: root)
        #expect(typo.code == 1)
        #expect(typo.errors == "modelworks: works.yaml:3:1: unknown key 'onwer' (did you mean 'owner'?)\n")
        let unknown = try run("train", "nothing", "--json", root: root)
        #expect(unknown.code == 1)
        #expect(
            unknown.json == [
                "code": "NOT_FOUND", "error": "there is no training 'nothing'. Define one under training/ and apply.",
            ])
        let away = try run("models", "--url", "http://127.0.0.1:1", root: root)
        #expect(away.code == 1)
        #expect(away.errors.contains("127.0.0.1:1"))
        let impossible = try run("models", root: "/proc/none")
        #expect(impossible.code == 1)
        #expect(impossible.errors.contains("the root /proc/none can not be used"))
    }

    @Test func aDirectoryIsMadePlannedAndApplied() throws {
        let folder = try TemporaryFolder()
        let root = "\(folder.path)/root"
        let directory = "\(folder.path)/churn"
        #expect(try run("init", directory, root: root).code == 0)
        let again = try run("init", directory, root: root)
        #expect(again.code == 1)
        #expect(again.errors.contains("exists already"))
        let plan = try run("plan", directory, root: root)
        #expect(plan.code == 0)
        #expect(plan.output == "+ factory churn\nRun 'modelworks apply' to make it so.\n")
        #expect(try run("apply", directory, root: root).output == "+ factory churn\nApplied.\n")
        #expect(try run("apply", directory, root: root).output == "Nothing to change.\n")
        #expect(try run("apply", directory, "--json", root: root).json == ["changes": [], "impacts": []])
        #expect(
            try run("journal", "verify", root: root).output
                == "The journal is whole: 1 entry, all anchored (checkpoint at 1).\n")
        let entries = try run("journal", "--json", root: root).json.array ?? []
        #expect(entries.map { $0["type"]?.string } == ["factory.applied"])
        #expect(try run("models", root: root).output == "No models yet.\n")
        #expect(try run("data", "eat", root: root).code == 2)
        #expect(try run("doctor", root: root).code == 0)
    }
}
