import Basics
import Foundation
import HTTP
import TestSupport
import Testing

/// Files that are no model, or a hostile one, in the folder of a real server: it says why, and serves the others.
@Suite(.serialized) struct ModelFileFaults {
    private static let fixtures = {
        let package = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return "/\(package)/Tests/InferenceTests/Fixtures"
    }()
    private static let request =
        #"{"inputs":[{"name":"x","datatype":"FP32","shape":[1,12],"data":[1,2,3,4,5,6,7,8,9,10,11,12]}]}"#

    /// What each file is refused for.
    private static let hostile = [
        "endless": "takes longer than 15 s", "large": "bytes of memory", "custom": "Launch",
        "absolute": "no file beside it", "parent": "no file beside it", "past_end": "which is not beside it",
        "cut": "can not be loaded", "empty": "the file is empty", "huge": "bytes; at most",
    ]

    private static func put(_ name: String, into folder: String) throws {
        let place = "\(folder)/\(name).onnx"
        let whole = try Data(contentsOf: URL(fileURLWithPath: "\(fixtures)/mlp.onnx"))
        switch name {
        case "cut": try whole.prefix(whole.count / 2).write(to: URL(fileURLWithPath: place))
        case "empty": try Data().write(to: URL(fileURLWithPath: place))
        case "huge":
            // A hole: it takes no disk.
            try Data().write(to: URL(fileURLWithPath: place))
            #expect(truncate(place, 1 << 40) == 0)
        case "mlp": try whole.write(to: URL(fileURLWithPath: place))
        default:
            try FileManager.default.copyItem(atPath: "\(fixtures)/hostile/\(name).onnx", toPath: place)
        }
    }

    private struct Running {
        let child: ChildProcess
        let url: String

        init(models: String, logs: String, control: String) throws {
            let child = try ChildProcess(
                Modelworks.binary,
                [
                    "up", "--models", models, "--model-control", control, "--http-port", "0", "--grpc-port", "0",
                    "--json",
                    "--load-seconds", "15", "--load-memory", "512MiB",
                ], output: "\(logs)/out", errors: "\(logs)/errors")
            var url: String?
            try eventually("the server of models to be ready", within: 120) {
                if let code = child.exitCode {
                    throw Unmet("it ended with \(code): \(Modelworks.text("\(logs)/errors"))")
                }
                url =
                    Modelworks.text("\(logs)/out").split(separator: "\n").lazy.compactMap { line in
                        (try? JSON.decode(JSONValue.self, from: Array(line.utf8)))?["url"]?.string
                    }.first
                return url != nil
            }
            self.child = child
            self.url = url ?? ""
        }

        func reasons() throws -> [String: String] {
            let connection = try HTTPConnection(url: url)
            let index = try connection.send(.post, "/v2/repository/index", body: [])
            let entries = try JSON.decode([JSONValue].self, from: Array(index.text.utf8))
            return Dictionary(
                entries.map {
                    ($0["name"]?.string ?? "", "\($0["state"]?.string ?? ""): \($0["reason"]?.string ?? "")")
                },
                uniquingKeysWith: { $1 })
        }

        func answers() throws -> Bool {
            let connection = try HTTPConnection(url: url)
            return try connection.send(.post, "/v2/models/mlp/infer", body: Array(request.utf8)).status == .ok
        }
    }

    @Test("hostile files at the start are told, and the others served", .timeLimit(.minutes(4)))
    func atStart() async throws {
        try await onThread("model-files") {
            let folder = try TemporaryFolder()
            let models = folder("models")
            try FileManager.default.createDirectory(atPath: models, withIntermediateDirectories: true)
            for name in Self.hostile.keys.sorted() + ["mlp"] { try Self.put(name, into: models) }
            let server = try Running(models: models, logs: folder.path, control: "none")
            let reasons = try server.reasons()
            for (name, reason) in Self.hostile {
                #expect(reasons[name]?.hasPrefix("UNAVAILABLE") == true, "\(name): \(reasons[name] ?? "")")
                #expect(reasons[name]?.contains(reason) == true, "\(name): \(reasons[name] ?? "")")
            }
            #expect(reasons["mlp"]?.hasPrefix("READY") == true)
            #expect(try server.answers())
            #expect(try server.child.end(SIGTERM) == 0)
        }
    }

    @Test("a hostile file that comes while others serve disturbs none", .timeLimit(.minutes(4)))
    func whileServing() async throws {
        try await onThread("model-files") {
            let folder = try TemporaryFolder()
            let models = folder("models")
            try FileManager.default.createDirectory(atPath: models, withIntermediateDirectories: true)
            try Self.put("mlp", into: models)
            let server = try Running(models: models, logs: folder.path, control: "poll")
            for name in ["endless", "large"] { try Self.put(name, into: models) }
            var answered = 0
            try eventually("both to be refused", within: 120) {
                #expect(try server.answers())
                answered += 1
                let reasons = try server.reasons()
                return ["endless", "large"].allSatisfy { reasons[$0]?.hasPrefix("UNAVAILABLE") == true }
            }
            #expect(answered > 1)
            #expect(try server.child.end(SIGTERM) == 0)
        }
    }

    @Test("the command line tells what a file holds, and survives it", .timeLimit(.minutes(2)))
    func commandLine() async throws {
        try await onThread("model-files") {
            let folder = try TemporaryFolder()
            let good = try Modelworks.run(
                ["models", "check", "\(Self.fixtures)/mlp.onnx", "--json"], folder: folder.path)
            let document = try JSON.decode(JSONValue.self, from: Array(good.output.utf8))
            #expect(good.code == 0 && document["platform"]?.string == "onnxruntime_onnx")
            #expect(document["outputs"]?.array?.first?["name"]?.string == "probabilities")
            let text = try Modelworks.run(["models", "check", "\(Self.fixtures)/mlp.onnx"], folder: folder.path)
            #expect(text.output.contains("x FP32[-1, 12] -> probabilities FP32[-1, 3]"))
            let endless = try Modelworks.run(
                ["models", "check", "\(Self.fixtures)/hostile/endless.onnx", "--load-seconds", "2"], folder: folder.path
            )
            #expect(endless.code == 1 && endless.errors.contains("takes longer than 2 s. Raise --load-seconds"))
            let large = try Modelworks.run(
                ["models", "check", "\(Self.fixtures)/hostile/large.onnx", "--load-memory", "512MiB", "--json"],
                folder: folder.path)
            #expect(large.code == 1 && large.output.contains("RESOURCE_EXHAUSTED"), "\(large.output)")
            let none = try Modelworks.run(["models", "check", "\(folder.path)/none.onnx"], folder: folder.path)
            #expect(none.code == 1 && none.errors.contains("there is no model file"))
            #expect(try Modelworks.run(["models", "check"], folder: folder.path).code == 2)
            let doctor = try Modelworks.run(["doctor", "--root", folder("root")], folder: folder.path)
            #expect(doctor.output.contains("ok   models of ONNX Runtime: ONNX Runtime 1."), "\(doctor.output)")
            #expect(doctor.output.contains("ok   models of XGBoost: XGBoost 3.2."))
        }
    }
}
