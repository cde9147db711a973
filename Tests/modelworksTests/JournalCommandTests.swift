import Basics
import Foundation
import TestSupport
import Testing

/// The verbs of the journal, as a person would run them.
@Suite(.serialized) struct JournalCommandTests {
    private struct NoProgram: Error {}

    private func run(_ words: [String]) throws -> (code: Int32, output: String) {
        let place = CommandLine.arguments.map { ($0 as NSString).deletingLastPathComponent + "/modelworks" }
        guard let program = place.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
            throw NoProgram()
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = words
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }

    @Test func theJournalIsSignedVerifiedAndExported() throws {
        let folder = try TemporaryFolder()
        let root = ["--root", folder("root")]
        let anchor = folder("root/anchor/journal.jsonl")
        #expect(try run(["init", folder("factory")] + root).code == 0)
        #expect(try run(["apply", folder("factory")] + root).code == 0)
        #expect(
            try run(["journal", "checkpoint"] + root).output == "Signed up to entry 1 and anchored in '\(anchor)'.\n")

        let own = try run(["journal", "verify"] + root)
        #expect(own.code == 0)
        #expect(own.output == "The journal is whole: 1 entry, all anchored (checkpoint at 1).\n")
        let key = folder("root/keys/journal.ed25519.pub")
        for place in [anchor, "file://\(anchor)"] {
            #expect(try run(["journal", "verify", "--anchor", place, "--key", key] + root).code == 0)
        }

        try FileManager.default.createDirectory(atPath: folder("other"), withIntermediateDirectories: true)
        #expect(try run(["journal", "verify", "--root", folder("other")]).code == 0)
        let foreign = try run(["journal", "verify", "--anchor", anchor, "--key", key, "--root", folder("other")])
        #expect(foreign.code == 1)
        #expect(foreign.output.contains("a checkpoint tells of 1. The first missing entry is 1."))
        let unsigned = try run(
            ["journal", "verify", "--key", folder("other/keys/journal.ed25519.pub"), "--anchor", anchor] + root)
        #expect(unsigned.code == 1)
        #expect(unsigned.output.contains("was not signed by any known key"))

        let out = folder("events.jsonl")
        #expect(try run(["journal", "export", "--format", "cloudevents", "--out", out] + root).code == 0)
        let event = try JSON.decode(JSONValue.self, from: try String(contentsOfFile: out, encoding: .utf8))
        #expect(event["type"] == "modelworks.factory.applied" && event["id"] == "1")
        #expect(try run(["journal", "export"] + root).output.contains("\"type\":\"factory.applied\""))
        #expect(!FileManager.default.fileExists(atPath: "\(out).partial"))
    }

    @Test func wrongUseAndMissingFilesAreTold() throws {
        let folder = try TemporaryFolder()
        let root = ["--root", folder("root")]
        #expect(try run(["journal", "export", "--format", "xml"] + root).code == 2)
        #expect(try run(["journal", "export", "--json"] + root).code == 2)
        #expect(try run(["journal", "verify", "--anchor", "ftp://host/file"] + root).code == 2)
        let missing = try run(["journal", "verify", "--anchor", folder("none")] + root)
        #expect(missing.code == 1 && missing.output.contains("'\(folder("none"))' can not be used"))
        #expect(try run(["journal", "export", "--out", folder("no/such/file")] + root).code == 1)
    }
}
