import Basics
import Engines
import Foundation
import ObjectStorage
import TestSupport
import Testing

/// How fast 64 MiB go to the test server and back, beside what `curl` does there with the same bytes.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["MODELWORKS_SOAK"] == "1"))
struct S3RateSoak {
    @Test func putAndGet() async throws {
        let folder = try TemporaryFolder()
        let server = try S3Server()
        let url = try server.bucket("rates")
        let bytes = (0..<(64 << 10)).flatMap { word in
            withUnsafeBytes(of: SplitMix.mix(UInt64(word))) { Array($0) }
                + [UInt8](repeating: UInt8(word & 255), count: 1016)
        }
        try AtomicFile.write(folder("source"), bytes)
        let address = "\(server.endpoint)/rates/plain"
        let signed = ["-sf", "--aws-sigv4", "aws:amz:us-east-1:s3", "-u", "AKIDTEST:sesame"]
        for _ in 0..<3 {
            let put = try await seconds { try run(signed + ["-T", folder("source"), address]) }
            let get = try await seconds { try run(signed + ["-o", folder("copy"), address]) }
            let store = try S3BlobStore(url, environment: [:])
            let name = Digest(of: bytes)
            let ourPut = try await seconds { try await store.put(.file(folder("source")), as: name, replacing: true) }
            try folder.write("", to: "copy2")
            let ourGet = try await seconds { try await store.get(name, into: folder("copy2")) }
            let ourRead = try await seconds { _ = try await store.get(name) }
            #expect(Digest(of: try AtomicFile.read(folder("copy2"))) == name)
            print(
                "rate: curl put \(rate(put)) get \(rate(get)) MiB/s; store put \(rate(ourPut)) get \(rate(ourGet))",
                "to file, \(rate(ourRead)) to memory")
        }
    }

    private func rate(_ seconds: Double) -> Int { Int(64 / seconds) }

    private func seconds(_ body: () async throws -> Void) async rethrows -> Double {
        let start = SystemTime.monotonicNanoseconds
        try await body()
        return Double(SystemTime.monotonicNanoseconds - start) * 1e-9
    }

    private func run(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/curl")
        process.arguments = arguments
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }
}
