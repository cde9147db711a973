import Basics
import Engines
import Foundation
import TestSupport
import Testing

/// A server whose store is away ends soon with a message that names the store and says what to do.
@Suite struct StoreStartFaults {
    /// A store that is not there.
    struct Away: Sendable, CustomTestStringConvertible {
        var variable: String
        /// With PORT in place of the port.
        var address: String
        /// What the message must hold.
        var names: String
        /// What it must tell to do.
        var remedy: String
        /// Whether somebody takes connections there and says nothing, or nobody does.
        var isSilent: Bool
        var seconds: Double

        var testDescription: String { "\(variable), \(isSilent ? "silent" : "closed")" }
    }

    static let cases: [Away] = [false, true].flatMap { isSilent in
        [
            Away(
                variable: "MODELWORKS_SQL",
                address: "postgresql://works@127.0.0.1:PORT/works?connect_timeout=2&password_env=PASSWORD",
                names: "postgresql://works@127.0.0.1:PORT", remedy: "Check that the server runs",
                isSilent: isSilent, seconds: 8),
            Away(
                variable: "MODELWORKS_OBJECTS",
                address:
                    "s3://bucket/works?endpoint=http://127.0.0.1:PORT&access_key_env=KEY&secret_key_env=PASSWORD",
                names: "s3://bucket/works",
                remedy: isSilent ? "look at the server and the network" : "Check the address", isSilent: isSilent,
                seconds: 20),
            Away(
                variable: "MODELWORKS_ONLINE", address: "redis://127.0.0.1:PORT?password_env=PASSWORD",
                names: "redis://127.0.0.1:PORT", remedy: "Check", isSilent: isSilent, seconds: 10),
            Away(
                variable: "MODELWORKS_STREAMS",
                address: "kafka:?brokers=127.0.0.1:PORT&connect_timeout_ms=2000&timeout_ms=3000",
                names: "127.0.0.1:PORT", remedy: "Check", isSilent: isSilent, seconds: 6),
        ]
    }

    @Test("a store that is away is named at the start", .timeLimit(.minutes(2)), arguments: cases)
    func away(_ away: Away) async throws {
        try await onThread("store-away") {
            let folder = try TemporaryFolder()
            let silent = try away.isSilent ? SilentPort() : nil
            let port = "\(try silent?.port ?? freePort())"
            let started = SystemTime.monotonicNanoseconds
            let result = try Modelworks.run(
                ["up", "--root", "\(folder.path)/root", "--http-port", "0"], folder: folder.path,
                environment: [
                    away.variable: away.address.replacing("PORT", with: port), "PASSWORD": "not-to-be-seen",
                    "KEY": "AKIDTEST",
                ])
            let seconds = Double(SystemTime.monotonicNanoseconds - started) / 1e9
            print("store away: \(away.testDescription): \(seconds) s: \(result.errors)")
            #expect(result.code == 1)
            #expect(result.errors.contains(away.names.replacing("PORT", with: port)), "\(result.errors)")
            #expect(result.errors.contains(away.remedy), "\(result.errors)")
            #expect(!result.errors.contains("not-to-be-seen") && !result.output.contains("not-to-be-seen"))
            #expect(seconds < away.seconds, "it took \(seconds) s")
        }
    }
}

/// A port of loopback that takes connections and never says anything.
final class SilentPort {
    let port: Int
    private let descriptor: Int32

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw Unmet("no socket") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let status = withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, length) == 0 && listen(descriptor, 64) == 0
                    ? getsockname(descriptor, pointer, &length) : -1
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        guard status == 0 else { throw Unmet("no port") }
    }

    deinit { close(descriptor) }
}
