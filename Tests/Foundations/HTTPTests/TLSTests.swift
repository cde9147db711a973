import Basics
import Foundation
import HTTP
import Telemetry
import TestSupport
import Testing

@Suite(.serialized) struct TLSTests {
    private static func server(
        _ files: (certificate: String, key: String), clients: String? = nil
    ) throws -> (server: HTTPServer, port: Int) {
        let router = Router()
        router.get("/who") { .text($0.clientSubject ?? "nobody") }
        router.inline(.post, "/who") { exchange in
            let text = exchange.clientSubject.map { String(decoding: $0, as: UTF8.self) } ?? "nobody"
            var answer = "\(text) \(exchange.body.count)"
            answer.withUTF8 { exchange.reply(.ok, contentType: "text/plain", UnsafeRawBufferPointer($0)) }
            return true
        }
        var configuration = HTTPServerConfiguration()
        configuration.certificate = .init(
            chainPath: files.certificate, keyPath: files.key, clientAuthorityPath: clients)
        let server = HTTPServer(
            configuration: configuration, router: router, log: .silent, metrics: MetricsRegistry())
        return (server, try server.start())
    }

    private static func ask(
        _ port: Int, _ method: HTTPMethod = .get, trust: HTTPTrust, identity: HTTPIdentity? = nil
    ) async throws -> String {
        let client = try HTTPClient(
            baseURL: "https://127.0.0.1:\(port)", connections: 1, timeout: 10, trust: trust, identity: identity)
        let body = [UInt8](repeating: 120, count: method == .post ? 100_000 : 0)
        return String(decoding: try await client.send(method, "/who", body: body).collect(), as: UTF8.self)
    }

    private static func message(_ body: () throws -> Void) -> String {
        do {
            try body()
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test func aServerIsKnownByItsAuthority() async throws {
        let authority = try TestAuthority()
        let (server, port) = try Self.server(try authority.issue("server", subject: "/CN=localhost"))
        let trust = HTTPTrust.authority(path: authority.certificate)
        #expect(try await Self.ask(port, trust: trust) == "nobody")
        #expect(try await Self.ask(port, .post, trust: trust) == "nobody 100000")
        await #expect(throws: HTTPFailure.self) { _ = try await Self.ask(port, trust: .system) }
        let other = try TestAuthority("Other CA")
        await #expect(throws: HTTPFailure.self) {
            _ = try await Self.ask(port, trust: .authority(path: other.certificate))
        }
        await server.shutdown(drainSeconds: 5)
        withExtendedLifetime((authority, other)) {}
    }

    @Test func clientsShowWhoTheyAre() async throws {
        let authority = try TestAuthority()
        let other = try TestAuthority("Other CA")
        let (server, port) = try Self.server(
            try authority.issue("server", subject: "/CN=localhost"), clients: authority.certificate)
        let trust = HTTPTrust.authority(path: authority.certificate)
        func identity(_ files: (certificate: String, key: String)) -> HTTPIdentity {
            HTTPIdentity(chainPath: files.certificate, keyPath: files.key)
        }
        let trainer = identity(try authority.issue("trainer", subject: "/O=Acme/CN=trainer"))
        #expect(try await Self.ask(port, trust: trust, identity: trainer) == "CN=trainer,O=Acme")
        #expect(try await Self.ask(port, .post, trust: trust, identity: trainer) == "CN=trainer,O=Acme 100000")
        await #expect(throws: HTTPFailure.self) { _ = try await Self.ask(port, trust: trust) }
        let stranger = identity(try other.issue("stranger", subject: "/O=Acme/CN=trainer"))
        await #expect(throws: HTTPFailure.self) { _ = try await Self.ask(port, trust: trust, identity: stranger) }
        let expired = identity(try authority.issue("late", subject: "/O=Acme/CN=trainer", days: -1))
        await #expect(throws: HTTPFailure.self) { _ = try await Self.ask(port, trust: trust, identity: expired) }
        await server.shutdown(drainSeconds: 5)
        withExtendedLifetime((authority, other)) {}
    }

    @Test func onlyTLS12AndLaterAreSpoken() async throws {
        let authority = try TestAuthority()
        let (server, port) = try Self.server(try authority.issue("server", subject: "/CN=localhost"))
        func protocols(_ version: String) throws -> Bool {
            try openssl(
                "s_client", "-connect", "127.0.0.1:\(port)", version, "-cipher", "ALL:@SECLEVEL=0", mayFail: true
            ).contains("BEGIN CERTIFICATE")
        }
        for version in ["-tls1", "-tls1_1"] { #expect(try !protocols(version), "\(version)") }
        for version in ["-tls1_2", "-tls1_3"] { #expect(try protocols(version), "\(version)") }
        await server.shutdown(drainSeconds: 5)
    }

    @Test func aNewCertificateIsUsedWithoutDroppingAnybody() async throws {
        let (first, second) = (try TestAuthority("First"), try TestAuthority("Second"))
        let files = try first.issue("server", subject: "/CN=localhost")
        let (server, port) = try Self.server(files)
        let (old, new) = (
            HTTPTrust.authority(path: first.certificate), HTTPTrust.authority(path: second.certificate)
        )
        let kept = try HTTPClient(baseURL: "https://127.0.0.1:\(port)", connections: 1, timeout: 10, trust: old)
        #expect(try await kept.get("/who").status == .ok)
        let connections = server.connections

        try "no certificate".write(toFile: files.certificate, atomically: true, encoding: .utf8)
        #expect(throws: HTTPFailure.self) { try server.reloadCertificate() }
        #expect(try await Self.ask(port, trust: old) == "nobody")

        let next = try second.issue("server", subject: "/CN=localhost")
        for (from, to) in [(next.certificate, files.certificate), (next.key, files.key)] {
            #expect(rename(from, to) == 0)
        }
        try server.reloadCertificate()
        #expect(try await Self.ask(port, trust: new) == "nobody")
        await #expect(throws: HTTPFailure.self) { _ = try await Self.ask(port, trust: old) }
        for _ in 0..<10 { #expect(try await kept.get("/who").status == .ok) }
        #expect(server.connections >= connections)
        await server.shutdown(drainSeconds: 5)
        withExtendedLifetime((first, second)) {}
    }

    @Test func unfitFilesAreToldApart() throws {
        let authority = try TestAuthority()
        let good = try authority.issue("good", subject: "/CN=localhost")
        let other = try authority.issue("other", subject: "/CN=localhost")
        let late = try authority.issue("late", subject: "/CN=localhost", days: -1)
        let open = try authority.issue("open", subject: "/CN=localhost")
        chmod(open.key, 0o644)
        let garbage = try authority.folder.write("hello", to: "garbage.pem")
        chmod(garbage, 0o600)
        let locked = authority.folder("locked.key")
        try openssl("ec", "-in", good.key, "-out", locked, "-aes256", "-passout", "pass:hunter2")
        chmod(locked, 0o600)
        let rsa = authority.folder("rsa.key")
        try openssl("genrsa", "-out", rsa, "2048")
        chmod(rsa, 0o600)
        let cases: [(String, String, String?, String)] = [
            ("/nowhere/x.crt", good.key, nil, "'/nowhere/x.crt': No such file"),
            (good.certificate, "/nowhere/x.key", nil, "'/nowhere/x.key': No such file"),
            (garbage, good.key, nil, "'\(garbage)': "),
            (good.certificate, garbage, nil, "'\(garbage)': "),
            (good.certificate, other.key, nil, "does not belong to the certificate '\(good.certificate)'"),
            (good.certificate, rsa, nil, "does not belong to the certificate '\(good.certificate)'"),
            (late.certificate, late.key, nil, "the certificate expired at 20"),
            (open.certificate, open.key, nil, "every user of this machine may read the key"),
            (good.certificate, locked, nil, "'\(locked)': "),
            (good.certificate, good.key, garbage, "'\(garbage)': "),
        ]
        for (certificate, key, clients, wanted) in cases {
            let text = Self.message { _ = try Self.server((certificate, key), clients: clients) }
            #expect(text.contains("the TLS certificate or key can not be used") && text.contains(wanted), "\(text)")
        }
        withExtendedLifetime(authority) {}
    }
}
