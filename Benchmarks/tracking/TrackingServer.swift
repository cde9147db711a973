import Basics
import Engines
import Foundation
import TestSupport

/// A tracking server beside the measurement: ours or MLflow's own, each with its defaults.
final class TrackingServer {
    let name: String
    let port: Int
    /// How long it took from its start to its first answer, in seconds.
    let startSeconds: Double
    private let process: Process

    /// `modelworks up` on a root of its own.
    static func ours(_ folder: TemporaryFolder) throws -> TrackingServer {
        let binary = ProcessInfo.processInfo.environment["MODELWORKS_BINARY"] ?? ".build/release/modelworks"
        let port = try freePort()
        return try TrackingServer(
            "modelworks", port: port,
            [binary, "up", "--root", folder("root"), "--http-port", "\(port)", "--log-level", "error"],
            folder: folder.path)
    }

    /// `mlflow server` on SQLite; nil where it is not installed.
    static func mlflow(_ folder: TemporaryFolder) throws -> TrackingServer? {
        guard let tools = mlflowTools else { return nil }
        let port = try freePort()
        return try TrackingServer(
            "mlflow", port: port,
            [
                "\(tools)/mlflow", "server", "--host", "127.0.0.1", "--port", "\(port)", "--backend-store-uri",
                "sqlite:///\(folder("mlflow.db"))", "--artifacts-destination", folder("mlflow-artifacts"),
            ], folder: folder.path)
    }

    /// The folder of MLflow's programs: `MODELWORKS_MLFLOW` or `.deps/mlflow`.
    static var mlflowTools: String? {
        let root = ProcessInfo.processInfo.environment["MODELWORKS_MLFLOW"] ?? ".deps/mlflow"
        let tools = URL(filePath: root).appending(path: "bin").path
        return FileManager.default.fileExists(atPath: "\(tools)/mlflow") ? tools : nil
    }

    /// Runs one of the scripts beside this file with MLflow's Python.
    static func runPeerScript(_ name: String, _ arguments: [String]) throws {
        guard let tools = mlflowTools else { return }
        let process = Process()
        process.executableURL = URL(filePath: "\(tools)/python")
        process.arguments =
            [URL(filePath: #filePath).deletingLastPathComponent().appending(path: name).path] + arguments
        process.environment = quiet
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw EngineUnavailable("\(name) failed") }
    }

    private static var quiet: [String: String] {
        ProcessInfo.processInfo.environment.merging(
            [
                "MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet", "PYTHONWARNINGS": "ignore",
            ]) { $1 }
    }

    private init(_ name: String, port: Int, _ words: [String], folder: String) throws {
        self.name = name
        self.port = port
        process = Process()
        process.executableURL = URL(filePath: words[0])
        process.arguments = Array(words.dropFirst())
        process.environment = Self.quiet
        let log = "\(folder)/\(name).log"
        _ = FileManager.default.createFile(atPath: log, contents: nil)
        let output = FileHandle(forWritingAtPath: log)
        process.standardOutput = output
        process.standardError = output
        let begun = SystemTime.monotonicNanoseconds
        try process.run()
        while (try? Wire(port: port).get("/health")) == nil {
            guard process.isRunning, SystemTime.monotonicNanoseconds - begun < 120_000_000_000 else {
                let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
                throw EngineUnavailable("\(name) did not start: \(text.suffix(2000))")
            }
            usleep(1000)
        }
        startSeconds = Double(SystemTime.monotonicNanoseconds - begun) / 1e9
    }

    deinit { stop() }

    /// Ends it and its children.
    func stop() {
        guard process.isRunning else { return }
        let family = self.family
        process.terminate()
        process.waitUntilExit()
        for pid in family.dropFirst() where kill(pid, SIGTERM) == 0 {}
    }

    /// Bytes of resident memory of all its processes.
    var residentBytes: Int { family.reduce(0) { $0 + Self.kilobytes("VmRSS:", of: $1) * 1024 } }

    /// The most bytes of resident memory since the last ``forgetPeak()``.
    var peakBytes: Int { family.reduce(0) { $0 + Self.kilobytes("VmHWM:", of: $1) * 1024 } }

    func forgetPeak() {
        for pid in family { try? "5".write(toFile: "/proc/\(pid)/clear_refs", atomically: false, encoding: .utf8) }
    }

    /// Its process and those below it.
    private var family: [pid_t] {
        var children: [pid_t: [pid_t]] = [:]
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let number = pid_t(name),
                let text = try? String(contentsOfFile: "/proc/\(name)/stat", encoding: .utf8),
                let end = text.lastIndex(of: ")")
            else { continue }
            let words = text[end...].split(separator: " ")
            if words.count > 2, let parent = pid_t(words[2]) { children[parent, default: []].append(number) }
        }
        var found = [process.processIdentifier]
        var next = 0
        while next < found.count {
            found += children[found[next]] ?? []
            next += 1
        }
        return found
    }

    private static func kilobytes(_ field: String, of pid: pid_t) -> Int {
        let text = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix(field) }
        return line?.split(separator: " ").dropFirst().first.flatMap { Int($0.trimmingCharacters(in: .whitespaces)) }
            ?? line.flatMap { Int($0.filter(\.isNumber)) } ?? 0
    }

    static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, size) == 0 ? getsockname(descriptor, pointer, &size) : -1
            }
        }
        guard status == 0 else { throw EngineUnavailable("no free port") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
