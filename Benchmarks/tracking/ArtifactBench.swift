import Basics
import Engines
import Foundation
import TestSupport

/// `artifacts [--megabytes N]`: a file up and down by `curl`, beside nginx with its WebDAV module.
///
/// nginx is found on PATH or by `MODELWORKS_NGINX`; without one there are only our own figures.
enum ArtifactBench {
    static func run(_ words: Words) throws {
        let size = Int(words.number("--megabytes", 1000)) * 1_000_000
        let folder = try TemporaryFolder()
        let source = folder("source.bin")
        try fill(source, size)
        let server = try TrackingServer.ours(folder)
        defer { server.stop() }
        server.forgetPeak()
        let before = server.residentBytes
        let url = "http://127.0.0.1:\(server.port)/api/2.0/mlflow-artifacts/artifacts/0/bench/artifacts/model.bin"
        let mine = try transfer(url, source, folder("ours.bin"))
        let peak = server.peakBytes
        let nginx = try Nginx(folder)
        let other = try nginx.map { try transfer("http://127.0.0.1:\($0.port)/model.bin", source, folder("other.bin")) }
        nginx?.stop()
        for (what, ours, peer) in [("up", mine.up, other?.up), ("down", mine.down, other?.down)] {
            TrackingRow(
                what: "artifact of \(size / 1_000_000) MB \(what), the peer is nginx", ours: ours, peer: peer,
                target: .within(1.3, of: "nginx")
            ).show()
        }
        TrackingRow(
            what: "memory that this took", ours: Double(max(0, peak - before)), target: .below(32e6, "32 MB"),
            format: Format.bytes
        ).show()
    }

    private static func transfer(_ url: String, _ source: String, _ target: String) throws -> (up: Double, down: Double)
    {
        let up = try timed(["curl", "-sS", "--fail-with-body", "-o", "/dev/null", "-T", source, url])
        let downs = try (0..<3).map { _ in try timed(["curl", "-sS", "--fail-with-body", "-o", "/dev/null", url]) }
        try command(["curl", "-sS", "--fail-with-body", "-o", target, url])
        try command(["cmp", source, target])
        try FileManager.default.removeItem(atPath: target)
        return (up, downs.min() ?? .nan)
    }

    private static func timed(_ words: [String]) throws -> Double {
        let begun = SystemTime.monotonicNanoseconds
        try command(words)
        return Double(SystemTime.monotonicNanoseconds - begun) / 1e9
    }

    static func command(_ words: [String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = words
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw EngineUnavailable("\(words.joined(separator: " ")) failed") }
    }

    /// Bytes without a pattern.
    private static func fill(_ path: String, _ size: Int) throws {
        try command(["sh", "-c", "head -c \(size) /dev/urandom > '\(path)' && sync '\(path)'"])
    }
}

/// An nginx of the measurement's own that takes and gives files.
private final class Nginx {
    let port: Int
    private let process = Process()

    init?(_ folder: TemporaryFolder) throws {
        let named = ProcessInfo.processInfo.environment["MODELWORKS_NGINX"]
        let places = [named, "/usr/sbin/nginx", "/usr/bin/nginx"].compactMap { $0 }
        guard let program = places.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
            return nil
        }
        port = try TrackingServer.freePort()
        let root = folder("nginx")
        try FileManager.default.createDirectory(atPath: "\(root)/files", withIntermediateDirectories: true)
        // The workers run as this user.
        try folder.write(
            """
            daemon off; pid \(root)/pid; error_log \(root)/error.log; user root;
            worker_processes 2;
            events {}
            http {
              access_log off; sendfile on; client_max_body_size 0;
              client_body_temp_path \(root)/body; proxy_temp_path \(root)/proxy; fastcgi_temp_path \(root)/fastcgi;
              uwsgi_temp_path \(root)/uwsgi; scgi_temp_path \(root)/scgi;
              server { listen 127.0.0.1:\(port); root \(root)/files; location / { dav_methods PUT; } }
            }
            """, to: "nginx/nginx.conf")
        process.executableURL = URL(filePath: program)
        process.arguments = ["-p", root, "-c", "\(root)/nginx.conf", "-e", "\(root)/error.log"]
        try process.run()
        let begun = SystemTime.monotonicNanoseconds
        while (try? Wire(port: port)) == nil {
            guard process.isRunning, SystemTime.monotonicNanoseconds - begun < 10_000_000_000 else {
                throw EngineUnavailable("nginx did not start")
            }
            usleep(1000)
        }
    }

    func stop() {
        guard process.isRunning else { return }
        process.terminate()
        process.waitUntilExit()
    }
}
