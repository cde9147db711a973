import Basics
import Foundation
import TestSupport
import Testing

/// The verbs about runs, with the built program on a root of its own: moving in, looking, cleaning up.
@Suite(.serialized) struct RunCommandTests {
    private struct Outcome {
        var code: Int32
        var output: String
        var errors: String
        var json: JSONValue { (try? JSON.decode(JSONValue.self, from: output)) ?? .null }
    }

    private struct NoProgram: Error {}

    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func process(_ words: [String]) throws -> (Process, output: Pipe, errors: Pipe) {
        let manager = FileManager.default
        let places = [CommandLine.arguments.first ?? "", Bundle.main.executablePath ?? ""] + CommandLine.arguments
        let program = places.map { ($0 as NSString).deletingLastPathComponent + "/modelworks" }
            .first { manager.isExecutableFile(atPath: $0) }
        guard let program else { throw NoProgram() }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = words
        process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
        var environment = ProcessInfo.processInfo.environment
        environment["MODELWORKS_ROOT"] = "\(folder.path)/root"
        environment["MODELWORKS_URL"] = nil
        process.environment = environment
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        try process.run()
        return (process, output, errors)
    }

    private func run(_ words: String...) throws -> Outcome {
        let (process, output, errors) = try self.process(words)
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let complaint = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return Outcome(code: process.terminationStatus, output: text, errors: complaint)
    }

    private func write(_ text: String, to name: String) throws {
        let path = folder(name)
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        _ = try folder.write(text, to: name)
    }

    private func id(_ number: Int) -> String { Digest(of: "run \(number)").hex.prefix(32).description }

    /// A file store as MLflow writes it, by hand.
    private func makeStore(_ name: String, created: Int = 1_700_000_000_000, runs: Int) throws {
        try write(
            """
            artifact_location: \(folder.path)/\(name)/7
            creation_time: \(created)
            experiment_id: '7'
            last_update_time: \(created)
            lifecycle_stage: active
            name: churn
            """, to: "\(name)/7/meta.yaml")
        for number in 0..<runs {
            let run = "\(name)/7/\(id(number))"
            try write(
                """
                artifact_uri: file://\(folder.path)/\(run)/artifacts
                end_time: \(created + 60_000)
                experiment_id: '7'
                lifecycle_stage: active
                run_id: \(id(number))
                run_name: run \(number)
                start_time: \(created + number)
                status: 3
                user_id: ann
                """, to: "\(run)/meta.yaml")
            try write("\(number)", to: "\(run)/params/depth")
            try write("tree", to: "\(run)/tags/mlflow.source.git.commit")
            try write(
                (0..<5).map { "\(created + $0) \(Double(number) + Double($0) / 10) \($0)" }.joined(separator: "\n"),
                to: "\(run)/metrics/auc")
            try write("weights \(number)", to: "\(run)/artifacts/model/weights.txt")
        }
    }

    @Test func movingInAndLooking() throws {
        try makeStore("mlruns", runs: 3)
        let rehearsal = try run("import", "mlflow", "--from", "./mlruns", "--dry-run", "--json")
        #expect(rehearsal.code == 0, "\(rehearsal.errors)\(rehearsal.output)")
        #expect(try run("runs", "list", "--json").json == [])
        for _ in 0..<2 {
            let moved = try run("import", "mlflow", "--from", "./mlruns", "--json")
            #expect(moved.code == 0, "\(moved.errors)\(moved.output)")
            let parts = (moved.json["parts"]?.array ?? []).map { ($0["name"]?.string ?? "", $0["here"]?.integer ?? -1) }
            #expect(parts.first { $0.0 == "runs" }?.1 == 3)
            #expect(parts.first { $0.0 == "artifacts" }?.1 == 3)
        }
        #expect(try run("runs", "--experiment", "churn", "--json").json.array?.count == 3)
        #expect(try run("runs", "show", id(1), "--json").json["parameters"]?["depth"] == "1")
        #expect(try run("runs", id(1), "--json").json["id"]?.string == id(1))
        let compared = try run("runs", "compare", id(0), id(1), id(2))
        #expect(compared.code == 0 && compared.output.contains("depth") && compared.output.contains("2.4"))
        let diff = try run("runs", "diff", id(0), id(2), "--json")
        let keys = (diff.json["differences"]?.array ?? []).map {
            "\($0["section"]?.string ?? "") \($0["key"]?.string ?? "")"
        }
        #expect(keys == ["parameters depth", "metrics auc", "artifacts model/weights.txt"])
        #expect(try run("runs", "diff", id(0), id(0), "--json").json["equal"] == true)
        #expect(try run("runs", "best", "churn", "--metric", "auc", "--json").json["id"]?.string == id(2))
        #expect(try run("runs", "best", "churn", "--metric", "auc", "--min", "--json").json["id"]?.string == id(0))
        let plot = try run("runs", "plot", id(1), "auc")
        #expect(
            plot.output.contains("5 points, steps 0 to 4") && plot.output.contains("▁") && plot.output.contains("█"))
        let lineage = try run("runs", "lineage", id(1))
        #expect(lineage.output.contains("git.commit") && lineage.output.contains("churn"))
        let again = try run("runs", "reproduce", id(1))
        #expect(again.code == 1 && again.errors.contains("was not trained here"))
        #expect(try run("runs", "environment", id(1)).code == 1)
        #expect(try run("runs", "best", "churn").code == 2)
        #expect(try run("runs", "nonsense").code == 2)
        #expect(try run("gc", "--json").json["removed"] == 0)
        #expect(try run("gc", "--older-than", "soon").code == 2)
    }

    @Test func whatIsInTheWayEndsWithOne() throws {
        try makeStore("mlruns", runs: 1)
        #expect(try run("import", "mlflow", "--from", "./mlruns").code == 0)
        try makeStore("others", created: 1_800_000_000_000, runs: 2)
        let other = try run("import", "mlflow", "--from", "./others")
        #expect(other.code == 1)
        #expect(other.output.contains("DIFFERS experiment 'churn'") && other.output.contains("--merge"))
        // One run has an id that is taken, the other comes in.
        let merged = try run("import", "mlflow", "--from", "./others", "--merge", "--json")
        #expect(merged.code == 1)
        #expect(merged.json["differences"]?.array?.map { $0["what"]?.string } == ["run \(id(0))"])
        #expect(try run("runs", "list", "--json").json.array?.count == 2)
        #expect(try run("import", "mlflow", "--from", "./nowhere").code == 1)
        #expect(try run("import", "mlflow").code == 2)
        #expect(try run("import", "wandb", "--from", "x").code == 2)
    }

    @Test func anImportThatIsKilledGoesOn() throws {
        try makeStore("mlruns", runs: 110)
        let (process, _, errors) = try self.process(["import", "mlflow", "--from", "./mlruns"])
        var told = ""
        // Its first line about the progress: some runs are here, others are not.
        while !told.contains("import"), process.isRunning {
            told += String(decoding: errors.fileHandleForReading.availableData, as: UTF8.self)
        }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        let count = try run("runs", "list", "--json").json.array?.count ?? 0
        #expect(count > 0)
        let report = try run("import", "mlflow", "--from", "./mlruns", "--json")
        #expect(report.code == 0, "\(report.errors)\(report.output)")
        let runs = (report.json["parts"]?.array ?? []).first { $0["name"] == "runs" }
        #expect(runs?["here"] == 110 && runs?["thereDigest"] == runs?["hereDigest"])
    }
}
