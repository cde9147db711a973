import Basics
import Foundation
import TestSupport
import Testing

/// Signs in and manages access with the built program, as a person would.
@Suite(.serialized) struct AccessCommandTests {
    private struct Outcome {
        var code: Int32
        var output: String
        var errors: String
        var json: JSONValue { (try? JSON.decode(JSONValue.self, from: output)) ?? .null }
    }

    private struct NoProgram: Error {}

    private static func process(_ words: [String], root: String, _ variables: [String: String]) throws -> Process {
        let manager = FileManager.default
        let paths = ([CommandLine.arguments.first ?? "", Bundle.main.executablePath ?? ""] + CommandLine.arguments).map
        {
            ($0 as NSString).deletingLastPathComponent + "/modelworks"
        }
        guard let path = paths.first(where: manager.isExecutableFile) else { throw NoProgram() }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = words
        var environment = ProcessInfo.processInfo.environment
        for name in ["URL", "TOKEN", "CA", "CERT", "KEY"] { environment["MODELWORKS_\(name)"] = nil }
        environment["MODELWORKS_ROOT"] = root
        process.environment = environment.merging(variables) { $1 }
        process.standardInput = FileHandle.nullDevice
        return process
    }

    private func run(_ words: String..., root: String, with variables: [String: String] = [:]) throws -> Outcome {
        let process = try Self.process(words, root: root, variables)
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        // What the verbs here print fits a pipe, so one can be read after the other.
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let complaint = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return Outcome(code: process.terminationStatus, output: text, errors: complaint)
    }

    /// A server of the test's own; ends with the value.
    private final class Server {
        let process: Process
        let url: String
        private let log: String

        init(_ words: [String], root: String, log: String) throws {
            process = try AccessCommandTests.process(["up", "--http-port", "0", "--json"] + words, root: root, [:])
            self.log = log
            _ = FileManager.default.createFile(atPath: log, contents: nil)
            process.standardError = FileHandle(forWritingAtPath: log)
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            var line: [UInt8] = []
            while let byte = try output.fileHandleForReading.read(upToCount: 1)?.first, byte != 10 { line.append(byte) }
            url = (try? JSON.decode([String: String].self, from: line))?["url"] ?? ""
        }

        deinit { stop() }

        func stop() {
            guard process.isRunning else { return }
            process.terminate()
            process.waitUntilExit()
        }

        var errors: String { String(decoding: FileManager.default.contents(atPath: log) ?? Data(), as: UTF8.self) }
    }

    @Test func tokensOpenAServerThatAsksForThem() throws {
        let folder = try TemporaryFolder()
        let root = folder("root")
        let first = try run("token", "create", "--principal", "admin", "--role", "admin", "--json", root: root)
        #expect(first.code == 0, "\(first.errors)")
        let secret = try #require(first.json["secret"]?.string)
        let file = try folder.write(secret + "\n", to: "token")

        let server = try Server(["--auth", "on"], root: root, log: folder("up.log"))
        #expect(server.url.hasPrefix("http://127.0.0.1:"), "\(server.errors)")
        #expect(!server.errors.contains("nobody can sign in"))
        let signed = ["MODELWORKS_TOKEN": secret]

        let nameless = try run("runs", root: root)
        #expect(nameless.code == 1 && nameless.errors.contains("put it in MODELWORKS_TOKEN or name its file"))
        #expect(try run("runs", root: root, with: signed).code == 0)
        #expect(try run("runs", "--token-file", file, root: root).code == 0)
        let wrong = try run("runs", root: root, with: ["MODELWORKS_TOKEN": "mw_nothing"])
        #expect(wrong.code == 1 && wrong.errors.contains("The token in use does not work"))

        let made = try run(
            "token", "create", "--principal", "service:shop", "--role", "viewer", "--actions", "infer,read",
            "--expires",
            "30", "--description", "the shop", root: root, with: signed)
        #expect(made.code == 0 && made.output.contains("only time the token is shown"), "\(made.errors)")
        let shop = String(made.output.prefix { $0 != "\n" })
        #expect(try run("runs", root: root, with: ["MODELWORKS_TOKEN": shop]).code == 0)
        let refused = try run("token", "list", root: root, with: ["MODELWORKS_TOKEN": shop])
        #expect(refused.code == 1)
        #expect(refused.errors.contains("service:shop may not administer: that needs the role admin"))
        #expect(refused.errors.contains("modelworks principal grant service:shop --role admin"))

        let list = try run("token", "list", root: root, with: signed)
        #expect(list.output.contains("service:shop") && list.output.contains("the shop"))
        #expect(!list.output.contains(shop) && !list.output.contains(shop.dropFirst(15)))
        let id = String(shop.dropFirst(3).prefix(11))
        #expect(try run("token", "revoke", id, root: root, with: signed).code == 0)
        #expect(try run("runs", root: root, with: ["MODELWORKS_TOKEN": shop]).code == 1)

        let grant = try run(
            "principal", "grant", "mina", "--role", "operator", "--on", "endpoint/orders", root: root, with: signed)
        #expect(grant.code == 0 && grant.output.contains("operator on endpoint/orders"), "\(grant.errors)")
        #expect(try run("principal", "disable", "mina", root: root, with: signed).code == 0)
        let principals = try run("principal", "list", "--json", root: root, with: signed)
        let mina = principals.json.array?.first { $0["id"] == "user:mina" }
        #expect(mina?["disabled"] == true)
        let last = try run("principal", "revoke", "admin", root: root, with: signed)
        #expect(last.code == 1 && last.errors.contains("user:admin is the last admin"))
        server.stop()
        #expect(!server.errors.contains(secret) && !server.errors.contains(shop))
    }

    @Test func aServerWithoutAnAdminSaysHowToMakeOne() throws {
        let folder = try TemporaryFolder()
        let server = try Server(["--auth", "on"], root: folder("root"), log: folder("up.log"))
        #expect(!server.url.isEmpty)
        server.stop()
        #expect(server.errors.contains("modelworks token create --principal admin --role admin --root"))
    }

    @Test func aNetworkAddressNeedsProtection() throws {
        let folder = try TemporaryFolder()
        let root = folder("root")
        let open = try run("up", "--host", "0.0.0.0", "--http-port", "0", "--auth", "off", root: root)
        #expect(open.code == 1 && open.errors.contains("without authentication and without TLS"))
        let refused = try run("up", "--host", "0.0.0.0", "--http-port", "0", root: root)
        #expect(refused.code == 1 && refused.errors.contains("without TLS") && refused.errors.contains("--insecure"))
        #expect(!FileManager.default.fileExists(atPath: root))
        let meant = try Server(["--host", "0.0.0.0", "--insecure"], root: root, log: folder("up.log"))
        #expect(meant.url.hasPrefix("http://0.0.0.0:"))
    }

    @Test func certificatesSpeakForServerAndClient() throws {
        let folder = try TemporaryFolder()
        let root = folder("root")
        let authority = try TestAuthority()
        let server = try authority.issue("server", subject: "/CN=localhost")
        let trainer = try authority.issue("trainer", subject: "/O=Acme/CN=trainer")
        #expect(
            try run(
                "principal", "grant", "service:trainer", "--role", "viewer", "--certificate-subject",
                "CN=trainer,O=Acme",
                root: root
            ).code == 0)
        let up = try Server(
            [
                "--auth", "on", "--tls-cert", server.certificate, "--tls-key", server.key, "--tls-client-ca",
                authority.certificate,
            ], root: root, log: folder("up.log"))
        #expect(up.url.hasPrefix("https://127.0.0.1:"), "\(up.errors)")
        let known = ["MODELWORKS_CA": authority.certificate]
        let shown = known.merging([
            "MODELWORKS_CERT": trainer.certificate, "MODELWORKS_KEY": trainer.key,
        ]) { $1 }
        #expect(try run("runs", root: root, with: shown).code == 0)
        #expect(try run("train", "x", root: root, with: shown).errors.contains("service:trainer may not train"))
        #expect(try run("runs", root: root, with: known).code == 1)
        #expect(try run("runs", root: root).errors.contains("certificate"))

        // The next certificate is of an authority that the client does not know: that it is in use shows at once.
        let other = try TestAuthority("Other CA")
        let next = try other.issue("server", subject: "/CN=localhost")
        #expect(rename(next.key, server.key) == 0 && rename(next.certificate, server.certificate) == 0)
        kill(up.process.processIdentifier, SIGHUP)
        let deadline = SystemTime.monotonicNanoseconds + 10_000_000_000
        while try run("runs", root: root, with: shown).code == 0, SystemTime.monotonicNanoseconds < deadline {}
        #expect(try run("runs", root: root, with: shown).code == 1)
        let both = shown.merging(["MODELWORKS_CA": other.certificate]) { $1 }
        #expect(try run("runs", root: root, with: both).code == 0)
        #expect(up.process.isRunning)
        withExtendedLifetime((authority, other)) {}
    }
}
