import Basics
import Engines
import Foundation
import TestSupport
import Testing

@testable import KeyValue

/// Addresses that can not work: each says at once what is wrong, and no password.
@Suite struct RedisAddressTests {
    private func open(_ text: String) async throws {
        let secrets = SecretSource(environment: ["RIGHT": RedisEngines.password, "WRONG": "open sesame"])
        let store = try await KeyValueStores.open(StoreURL(text, secrets: secrets), metrics: nil)
        try await store.close()
    }

    private func failure(_ text: String) async throws -> any Failure {
        let start = SystemTime.monotonicNanoseconds
        do {
            try await open(text)
        } catch let failure as any Failure {
            #expect(SystemTime.monotonicNanoseconds - start < 3_000_000_000, "\(text) took too long")
            #expect(
                !failure.description.contains("open sesame") && !failure.description.contains(RedisEngines.password))
            return failure
        }
        throw EngineUnavailable("\(text) was opened")
    }

    @Test func whatCanNotBeReadIsNamed() async throws {
        for text in [
            "redis:///0", "redis://h/x", "redis://h/-1", "redis+cluster://h/1", "redis://h?cert=a", "rediss://h?cert=a",
            "redis://h?seeds=a:1", "redis+cluster://h?seeds=a:b", "redis://h?namespace=a:b", "redis://h?pool=0",
            "redis://h?colour=red", "redis://u@h", "lmdb:", "lmdb://host/x", "memcached://h", "redis://h:0",
        ] {
            let failure = try await failure(text)
            #expect([.invalidArgument, .failedPrecondition].contains(failure.code), "\(text): \(failure)")
        }
    }

    @Test func wrongPasswords() async throws {
        let (server, certificates) = try await RedisEngines.shared.secure()
        let base =
            "rediss://127.0.0.1:\(server.port)?ca=\(certificates.authority)&cert=\(certificates.clientCertificate)"
            + "&client_key_file=\(certificates.clientKey)"
        #expect(try await failure(base).code == .permissionDenied)
        #expect(try await failure(base + "&password_env=WRONG").code == .permissionDenied)
        let plain = try await RedisEngines.shared.plain()
        #expect(
            try await failure("redis://someone@127.0.0.1:\(plain.port)?password_env=WRONG").code == .permissionDenied)
        try await open(base + "&password_env=RIGHT")
    }

    @Test func certificates() async throws {
        let (server, certificates) = try await RedisEngines.shared.secure()
        let plain = try await RedisEngines.shared.plain()
        let other = try TemporaryFolder()
        let strangers = try RedisCertificates(folder: other.path)
        let client =
            "cert=\(certificates.clientCertificate)&client_key_file=\(certificates.clientKey)&password_env=RIGHT"
        let trusted = "ca=\(certificates.authority)&\(client)"
        try await open("rediss://localhost:\(server.port)?\(trusted)")
        for text in [
            "rediss://127.0.0.1:\(server.port)?ca=\(strangers.authority)&\(client)",
            "rediss://127.0.0.1:\(server.port)?\(client)",
            "rediss://127.0.0.2:\(server.port)?\(trusted)",
            "rediss://127.0.0.1:\(server.port)?ca=\(certificates.authority)&password_env=RIGHT",
            "rediss://127.0.0.1:\(plain.port)?\(trusted)&connect_timeout_ms=500",
            "redis://127.0.0.1:\(server.port)?connect_timeout_ms=500",
        ] {
            let failure = try await failure(text)
            #expect([.unavailable, .deadlineExceeded].contains(failure.code), "\(text): \(failure)")
        }
        for text in [
            "rediss://127.0.0.1:\(server.port)?ca=\(other("none"))&\(client)",
            "rediss://127.0.0.1:\(server.port)?cert=\(certificates.clientCertificate)"
                + "&client_key_file=\(strangers.clientKey)",
        ] {
            #expect(try await failure(text).code == .failedPrecondition)
        }
    }

    @Test func serversThatAreNotThere() async throws {
        let port = try freePort()
        #expect(try await failure("redis://127.0.0.1:\(port)").code == .unavailable)
        #expect(try await failure("redis+cluster://127.0.0.1:\(port)?seeds=127.0.0.1:\(port)").code == .unavailable)
        #expect(try await failure("redis://no.such.host.invalid?connect_timeout_ms=1000").code != .internal)
        // An address of documentation, which nothing answers.
        let silent = try await failure("redis://192.0.2.1?connect_timeout_ms=300")
        #expect([.unavailable, .deadlineExceeded].contains(silent.code))
    }

    @Test func theWrongKindOfServer() async throws {
        let plain = try await RedisEngines.shared.plain()
        let cluster = try await RedisEngines.shared.cluster()
        let node = try #require(cluster.servers.first)
        #expect(try await failure("redis+cluster://127.0.0.1:\(plain.port)").code == .failedPrecondition)
        let lone = try await failure("redis://127.0.0.1:\(node.port)")
        #expect(lone.message.contains("redis+cluster://"))
        // One living seed is enough.
        try await open("redis+cluster://127.0.0.1:\(try freePort())?seeds=localhost:1,127.0.0.1:\(node.port)")
        #expect(try await failure("redis://127.0.0.1:\(plain.port)/99").code == .failedPrecondition)
    }

    @Test func slotsAreThoseOfTheSpecification() async throws {
        #expect(RedisSlots.slot(Array("123456789".utf8)) == 0x31C3)
        #expect(RedisSlots.slot(Array("foo".utf8)) == 12182)
        #expect(RedisSlots.slot(Array("{user1000}.following".utf8)) == RedisSlots.slot(Array("user1000".utf8)))
        #expect(RedisSlots.slot(Array("foo{{bar}}zap".utf8)) == RedisSlots.slot(Array("{bar".utf8)))
        let node = try #require(try await RedisEngines.shared.cluster().servers.first)
        let random = SeededRandom(seed: 7)
        for _ in 0..<60 {
            let key = String((0..<1 + random.next() % 9).map { _ in Array("{}ab")[Int(random.next() % 4)] })
            let expected = try node.command("CLUSTER", "KEYSLOT", key).trimmingCharacters(in: .whitespacesAndNewlines)
            #expect(expected == "\(RedisSlots.slot(Array(key.utf8)))", "\(key)")
        }
    }
}
