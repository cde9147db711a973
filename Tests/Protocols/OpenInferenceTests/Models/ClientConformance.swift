import Basics
import Foundation
import Inference
import Testing

/// The environment with the stock clients of Triton and KServe.
enum ServingClients {
    /// Its interpreter; nil where it was not set up.
    static let python: String? = {
        let folder = ProcessInfo.processInfo.environment["MODELWORKS_SERVING"] ?? ".deps/serving"
        let path = "\(folder)/bin/python"
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }()

    static let scripts = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "../../../Conformance", directoryHint: .isDirectory
    ).standardizedFileURL.path

    /// Runs a script off the cooperative pool.
    static func run(_ script: String, _ arguments: [String]) async throws -> (text: String, isGood: Bool) {
        try await BlockingThread(name: "clients").run {
            let process = Process()
            process.executableURL = URL(filePath: python ?? "")
            process.arguments = ["\(scripts)/\(script)"] + arguments
            let output = Pipe()
            process.standardOutput = output
            process.standardError = output
            try process.run()
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            return (text, process.terminationStatus == 0)
        }
    }
}

@Suite(.serialized, .enabled(if: ServingClients.python != nil, "the stock clients are not set up"))
struct ClientConformance {
    @Test(arguments: ["triton_clients.py", "kserve_clients.py"])
    func theStockClientsSendAndGetEverything(script: String) async throws {
        let models: [String: any TensorModel] = [
            "echo": EchoModel.ofEveryType, "sum": SumModel(), "text": EchoModel.of(.bytes),
        ]
        try await ModelServer.serving(models) { server in
            let (text, isGood) = try await ServingClients.run(
                script, ["127.0.0.1:\(server.port)", "127.0.0.1:\(server.callPort)"])
            #expect(isGood, "\(text)")
            #expect(text.contains(" checks, 0 failed"))
        }
    }
}
