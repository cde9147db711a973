import Basics
import Foundation
import ObjectStorage
import TestSupport

/// A service that speaks S3's protocol: moto, in the virtual environment of the test engines. It checks no signatures.
///
/// It also stands for the XML API of Google Cloud Storage, which speaks the same protocol to clients with HMAC keys.
public final class S3Server: Sendable {
    public let port: Int
    public let version: String
    private let process: EngineProcess
    private let folder: TemporaryFolder

    /// One server for all tests of this process.
    public static func shared() async throws -> S3Server { try await Shared.instance.server() }

    /// Starts a server of the caller's own; blocks until it answers.
    /// - Parameter port: nil for a free one.
    public init(port: Int? = nil) throws {
        folder = try TemporaryFolder()
        let home = S3Server.engines
        let program = "\(home)/bin/moto_server"
        guard FileManager.default.isExecutableFile(atPath: program) else {
            throw EngineUnavailable("there is no '\(program)': run scripts/setup-engines")
        }
        let port = try port ?? freePort()
        self.port = port
        process = try EngineProcess(
            "moto", [program, "-H", "127.0.0.1", "-p", "\(port)"],
            environment: [
                "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "PYTHONDONTWRITEBYTECODE": "1",
            ],
            folder: folder.path)
        let process = process
        try waitUntil("moto answers on port \(port)") {
            guard process.isRunning else { throw EngineUnavailable("moto ended: \(process.output.suffix(2000))") }
            return (try? S3Server.exchange(port, "GET / HTTP/1.0\r\n\r\n").hasPrefix("HTTP/1.")) == true
        }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(home)/lib/python3.11/site-packages")) ?? []
        version =
            names.first { $0.hasPrefix("moto-") }?.split(separator: "-").dropFirst().first.map {
                $0.replacingOccurrences(of: ".dist", with: "")
            } ?? "of unknown version"
        announceEngine("s3", "moto \(version)")
    }

    public func end() { process.end() }

    public func signal(_ number: Int32) { process.signal(number) }

    public var endpoint: String { "http://127.0.0.1:\(port)" }

    /// The address of a new, empty bucket.
    /// - Parameters:
    ///   - settings: more settings of the address, such as `retries=0`.
    ///   - endpoint: what to speak to in place of the server itself.
    public func bucket(
        _ name: String = "b" + UUID().uuidString.lowercased(), settings: [String] = [], endpoint: String? = nil
    ) throws -> StoreURL {
        let answer = try S3Server.exchange(
            port, "PUT /\(name) HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n")
        guard answer.hasPrefix("HTTP/1.") && answer.dropFirst(9).hasPrefix("200") else {
            throw EngineUnavailable("moto made no bucket: \(answer)")
        }
        let items = ["endpoint=\(endpoint ?? self.endpoint)", "access_key_env=KEY", "secret_key_env=SECRET"] + settings
        return try StoreURL(
            "s3://\(name)/works?\(items.joined(separator: "&"))",
            secrets: SecretSource(environment: ["KEY": "AKIDTEST", "SECRET": "sesame/+open"]))
    }

    private static var engines: String {
        if let path = ProcessInfo.processInfo.environment["MODELWORKS_ENGINES"], !path.isEmpty { return path }
        var folder = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { folder.deleteLastPathComponent() }
        return folder.appendingPathComponent(".deps/engines").path
    }

    /// Sends a request to a port of loopback and reads the answer to its end, as text. For tests only: 5 s at most.
    public static func exchange(_ port: Int, _ request: String) throws -> String {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw EngineUnavailable("no socket") }
        defer { close(descriptor) }
        var patience = timeval(tv_sec: 5, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw EngineUnavailable("nothing listens on port \(port)") }
        let bytes = Array(request.utf8)
        guard send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw EngineUnavailable("port \(port) takes no request")
        }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            answer += buffer[..<count]
        }
        return String(decoding: answer, as: UTF8.self)
    }

    private actor Shared {
        static let instance = Shared()
        private var starting: Task<S3Server, any Error>?

        func server() async throws -> S3Server {
            if let starting { return try await starting.value }
            let task = Task { try await BlockingThread(name: "moto").run { try S3Server() } }
            starting = task
            return try await task.value
        }
    }
}
