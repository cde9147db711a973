import Basics
import Foundation
import TestSupport

/// A Ray head of the tests' own on loopback, started once for all of them: it costs seconds and a few hundred megabytes.
public actor RayServer {
    private var started: Task<Running, any Error>?

    /// Where the head answers.
    public struct Running: Sendable {
        /// Of the dashboard.
        public let port: Int
        let process: EngineProcess
        let folder: TemporaryFolder
    }

    public init() {}

    /// The head, started at the first call.
    public func running() async throws -> Running {
        if let started { return try await started.value }
        let task = Task.detached { try RayServer.start() }
        started = task
        return try await task.value
    }

    /// The program of the virtual environment that set-up makes.
    private static func program() throws -> String {
        let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let engines =
            ProcessInfo.processInfo.environment["MODELWORKS_ENGINES"]
            ?? repository.appendingPathComponent(".deps/engines").path
        let program = "\(engines)/bin/ray"
        guard FileManager.default.isExecutableFile(atPath: program) else {
            throw EngineUnavailable("there is no '\(program)': run scripts/setup-engines")
        }
        return program
    }

    private static func start() throws -> Running {
        let folder = try TemporaryFolder()
        // Ray's sockets lie below its folder, and the path of a socket has at most 107 bytes.
        let short = "/tmp/mw-ray-\(getpid())"
        // The head is still writing there when the tests end, so the next run tidies up.
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/tmp")) ?? [] {
            guard name.hasPrefix("mw-ray-"), let owner = pid_t(name.dropFirst(7)), kill(owner, 0) != 0 else { continue }
            try? FileManager.default.removeItem(atPath: "/tmp/\(name)")
        }
        let ports = try (0..<5).map { _ in try freePort() }
        let words = [
            try program(), "start", "--head", "--block", "--node-ip-address=127.0.0.1", "--port=\(ports[0])",
            "--dashboard-host=127.0.0.1", "--dashboard-port=\(ports[1])", "--include-dashboard=true", "--num-cpus=2",
            "--ray-client-server-port=\(ports[2])", "--dashboard-agent-listen-port=\(ports[3])",
            "--dashboard-agent-grpc-port=\(ports[4])", "--min-worker-port=0", "--max-worker-port=0",
            "--object-store-memory=100000000", "--disable-usage-stats", "--temp-dir=\(short)",
        ]
        let process = try EngineProcess(
            "ray", words, environment: ["RAY_USAGE_STATS_ENABLED": "0", "RAY_JOB_STOP_WAIT_TIME_S": "1"],
            folder: folder.path, endSignal: "TERM")
        do {
            try waitUntil("the jobs interface of Ray", within: 90) {
                guard process.isRunning else { throw EngineUnavailable("ray ended: \(process.output.suffix(2000))") }
                return accepts(port: ports[1])
            }
        } catch {
            throw EngineUnavailable("\(error): \(process.output.suffix(2000))")
        }
        return Running(port: ports[1], process: process, folder: folder)
    }
}

/// Whether something listens on a port of the loopback interface.
public func accepts(port: Int) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return withUnsafePointer(to: &address) { address in
        address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
}
