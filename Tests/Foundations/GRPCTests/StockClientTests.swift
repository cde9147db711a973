import Basics
import Foundation
import HTTP
import TestSupport
import Testing

/// grpcio of PyPI, in the virtual environment of the test engines.
enum StockClient {
    static let python: String? = {
        let path = ProcessInfo.processInfo.environment["MODELWORKS_ENGINES"] ?? ".deps/engines"
        let file = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        return FileManager.default.isExecutableFile(atPath: file + "/bin/python") ? file + "/bin/python" : nil
    }()

    /// Runs `Tests/Conformance/grpc_calls.py` off the cooperative pool.
    static func run(_ part: String, _ words: String...) async throws -> (text: String, isGood: Bool) {
        let script = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Conformance/grpc_calls.py").standardizedFileURL.path
        return try await BlockingThread(name: "grpcio").run {
            let process = Process()
            process.executableURL = URL(filePath: python ?? "")
            process.arguments = [script, part] + words
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

/// What the stock client of gRPC is answered.
@Suite(.serialized, .enabled(if: StockClient.python != nil, "the test engines are not set up"))
struct StockClientTests {
    @Test(arguments: [
        "unary", "statuses", "metadata", "sizes", "gzip", "deadlines", "cancels", "streams", "backpressure", "health",
        "many", "asyncio",
    ])
    func everyKindOfCallIsAnswered(_ part: String) async throws {
        let fixture = try CallFixture()
        let (text, isGood) = try await StockClient.run(part, "127.0.0.1:\(fixture.port)")
        #expect(isGood, "\(text)")
        await fixture.server.shutdown(drainSeconds: 5)
        #expect(fixture.server.connections == 0)
    }

    @Test func tlsIsSpokenOnBothPorts() async throws {
        let authority = try TestAuthority()
        let files = try authority.issue("server", subject: "/CN=localhost")
        let fixture = try CallFixture {
            $0.certificate = .init(chainPath: files.certificate, keyPath: files.key)
        }
        for port in [fixture.port, fixture.httpPort] {
            let (text, isGood) = try await StockClient.run("tls", "localhost:\(port)", authority.certificate)
            #expect(isGood, "\(text)")
        }
        await fixture.server.shutdown(drainSeconds: 5)
    }

    @Test func aDrainLosesNoCall() async throws {
        let fixture = try CallFixture()
        async let outcome = StockClient.run("drain", "127.0.0.1:\(fixture.port)")
        #expect(await eventually(seconds: 30) { fixture.count("/test.Echo/Later", "OK") > 100 })
        await fixture.server.shutdown(drainSeconds: 20)
        let (text, isGood) = try await outcome
        #expect(isGood, "\(text)")
    }
}
