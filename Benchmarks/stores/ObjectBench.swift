import Basics
import Engines
import Foundation
import ObjectStorage
import TestSupport

/// Objects of 64 MB through the store, beside curl alone against the same service.
struct ObjectBench {
    let folder: TemporaryFolder
    private static let bytes = 64_000_000
    private static let rounds = 3

    func run() async throws -> [Figure] {
        let server = try S3Server()
        defer { server.end() }
        let url = try server.bucket()
        let plain = "\(server.endpoint)/\(url.host ?? "")/plain"
        let store = try await ObjectStores.open(url, cache: folder("cache"))
        var rates: [String: [Double]] = [:]
        func measure(_ name: String, _ body: () async throws -> Void) async throws {
            let begun = SystemTime.monotonicNanoseconds
            try await body()
            let seconds = Double(SystemTime.monotonicNanoseconds - begun) / 1e9
            rates[name, default: []].append(Double(Self.bytes) / 1e6 / seconds)
        }
        for round in 0..<Self.rounds {
            let file = folder("object")
            let content = Self.content(round)
            try Data(content).write(to: URL(fileURLWithPath: file))
            let name = Digest(of: content)
            try await measure("put") { _ = try await store.put(file: file) }
            try await measure("curl put") { try curl(["-T", file, plain]) }
            try await measure("get") {
                guard try await store.get(name).count == Self.bytes else {
                    throw EngineUnavailable("bytes are missing")
                }
            }
            try await measure("curl get") { try curl(["-o", "/dev/null", plain]) }
            try await measure("curl ranges") { try await ranges(plain) }
            try await measure("copy") { _ = try await store.localPath(name) }
            try await measure("curl copy") { try curl(["-o", folder("copy"), plain]) }
            try await store.delete(name)
        }
        await store.close()
        let middle = rates.mapValues(median)
        func figure(_ what: String, _ name: String) -> Figure {
            .share(what, middle[name] ?? 0, of: middle["curl \(name)"] ?? 0, unit: "MB/s", limit: nil)
        }
        // moto reads the whole object for every range that is asked for, which S3 does not.
        return [
            figure("S3 put of 64 MB, named and checked, to curl", "put"),
            figure("S3 get of 64 MB, checked, to curl", "get"),
            .share(
                "S3 get of 64 MB, checked, to curl -r in 4 ranges", middle["get"] ?? 0, of: middle["curl ranges"] ?? 0,
                unit: "MB/s", limit: nil),
            figure("S3 copy of 64 MB to a checked file, to curl", "copy"),
        ]
    }

    /// The same object in ranges: the first tells its length, the others arrive side by side.
    private func ranges(_ url: String) async throws {
        let range = 16 << 20
        try curl(["-o", "/dev/null", "-r", "0-\(range - 1)", url])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for start in stride(from: range, to: Self.bytes, by: range) {
                let words = ["-o", "/dev/null", "-r", "\(start)-\(start + range - 1)", url]
                group.addTask { try await BlockingThread(name: "curl").run { try curl(words) } }
            }
            try await group.waitForAll()
        }
    }

    private func curl(_ words: [String]) throws {
        let answer = try Command.run(
            "curl",
            [
                "-sS", "--fail", "--noproxy", "*", "--max-time", "120", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user",
                "AKIDTEST:sesame/+open", "-w", "%{http_code}",
            ] + words)
        guard answer == "200" || answer == "206" else { throw EngineUnavailable("curl got \(answer)") }
    }

    /// Bytes that do not compress, others each round.
    private static func content(_ round: Int) -> [UInt8] {
        let random = SeededRandom(seed: UInt64(round) &+ 1)
        var content: [UInt8] = []
        content.reserveCapacity(bytes)
        while content.count < bytes { withUnsafeBytes(of: random.next()) { content.append(contentsOf: $0) } }
        return content
    }
}
