import Foundation
import TestSupport

/// `start`: how soon a server answers, and the memory that it holds idle.
enum StartBench {
    static func run(_ words: Words) throws {
        let folders = try (0..<5).map { _ in try TemporaryFolder() }
        var starts: [Double] = []
        var memory: [Double] = []
        for folder in folders {
            let server = try TrackingServer.ours(folder)
            starts.append(server.startSeconds)
            Thread.sleep(forTimeInterval: 1)
            memory.append(Double(server.residentBytes))
            server.stop()
        }
        var peer: (seconds: Double, bytes: Double)?
        if words.withPeer, let first = folders.first, let server = try TrackingServer.mlflow(first) {
            Thread.sleep(forTimeInterval: 1)
            peer = (server.startSeconds, Double(server.residentBytes))
            server.stop()
        }
        TrackingRow(
            what: "start to the first answer", ours: starts.sorted()[starts.count / 2], peer: peer?.seconds,
            target: .below(0.3, "300 ms")
        ).show()
        TrackingRow(
            what: "idle memory", ours: memory.max() ?? .nan, peer: peer?.bytes, target: .below(60e6, "60 MB"),
            format: Format.bytes
        ).show()
    }
}
