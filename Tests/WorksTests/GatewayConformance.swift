import Basics
import Foundation
import HTTP
import Security
import Serving
import Telemetry
import TestSupport
import Testing
import Works

/// The stock clients of gRPC and HTTP against a server with keys and limits: `scripts/setup-wheels serving` installs them.
@Suite(.timeLimit(.minutes(2))) struct GatewayConformance {
    private static let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path

    @Test func theStockClientsAreCountedAndKnown() async throws {
        let folder = try TemporaryFolder()
        try folder.write("2", to: "models/double.onnx")
        let (_, secret) = try KeyFile.create(
            KeyFile.Request(
                principal: try PrincipalID("service:shop"), role: .viewer, resources: ["endpoint/double"]),
            in: folder("keys.json"), time: SystemTime(), random: SystemRandom())
        var repository = RepositoryOptions(folder: folder("models"))
        repository.load = { Multiplier(factor: Double(try String(contentsOfFile: $0, encoding: .utf8)) ?? 0) }
        var options = ModelServerOptions(repository)
        options.port = 0
        options.grpcPort = 0
        options.logSink = .none()
        options.security.access = .on
        options.gateway.keysPath = folder("keys.json")
        options.gateway.limits = [try RateLimit("principal=0.0001/12")]
        options.gateway.accessLog = GatewayOptions.AccessLogOptions(path: folder("access.log"))
        try await FolderServer.run(options) { address in
            let output = try await BlockingThread(name: "clients").run {
                let process = Process()
                process.executableURL = URL(fileURLWithPath: Self.here + "/../../.deps/serving/bin/python")
                process.arguments = [
                    Self.here + "/../Conformance/gateway_calls.py",
                    address.url.replacingOccurrences(of: "http://", with: ""),
                    address.grpc ?? "", secret.revealed, "12",
                ]
                let pipe = Pipe()
                process.standardOutput = pipe
                process.standardError = pipe
                try process.run()
                let text = String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
                process.waitUntilExit()
                return text
            }
            #expect(output.contains(" checks, 0 failed"), "\(output)")
        }
        let lines = try String(contentsOfFile: folder("access.log"), encoding: .utf8).split(separator: "\n").map {
            try JSON.decode(JSONValue.self, from: String($0))
        }
        let calls = lines.filter {
            $0["scheme"]?.string == "gRPC" && $0["path"]?.string?.hasSuffix("ModelInfer") == true
        }
        func count(_ status: Int64, _ principal: String?) -> Int {
            calls.filter { $0["status"]?.integer == status && $0["principal"]?.string == principal }.count
        }
        #expect(count(0, "service:shop") == 9 && count(8, "service:shop") == 4 && count(16, nil) == 4)
    }
}
