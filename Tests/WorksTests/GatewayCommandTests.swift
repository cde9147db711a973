import Basics
import Foundation
import HTTP
import Security
import TestSupport
import Testing
import Works
import Workshop

@Suite(.timeLimit(.minutes(2))) struct GatewayCommandTests {
    @Test func keysAreMadeListedAndRevoked() async throws {
        let folder = try TemporaryFolder()
        let file = folder("keys.json")
        let made = try await Program.run(
            ["api-key", "create", "--file", file, "--principal", "service:shop", "--actions", "infer", "--json"],
            folder: folder.path)
        #expect(made.code == 0)
        let id = try #require(made.json["key"]?["id"]?.string)
        #expect(made.json["secret"]?.string?.hasPrefix("mw_\(id)_") == true && made.json["key"]?["hash"] == nil)
        let listed = try await Program.run(["api-key", "--file", file], folder: folder.path)
        #expect(listed.code == 0 && listed.output.contains(id) && listed.output.contains("service:shop"))
        #expect(!listed.output.contains(made.json["secret"]?.string ?? "mw_"))
        #expect(try await Program.run(["api-key", "revoke", id, "--file", file], folder: folder.path).code == 0)
        let gone = try await Program.run(["api-key", "revoke", id, "--file", file], folder: folder.path)
        #expect(gone.code == 1 && gone.errors.contains("no token '\(id)'"))
    }

    @Test(arguments: [
        (["--auth", "on"], "knows no principals"), (["--rate-limit", "user=1"], "'user=1' is no rate limit"),
        (["--jwt-jwks", "x"], "go together"), (["--cors-origins", "shop"], "'shop' is no origin"),
        (["--max-body", "1"], "must be a size"), (["--request-timeout", "soon"], "must be a time"),
        (["--python-workers", "4:1"], "two numbers"), (["--access-log-format", "json"], "goes with '--access-log'"),
        (["--trace-share", "1%"], "goes with '--otlp'"), (["--api-keys", "/nowhere"], "can not be used"),
    ])
    func whatCanNotBeMeantIsToldAtOnce(_ words: [String], _ complaint: String) async throws {
        let folder = try TemporaryFolder()
        let outcome = try await Program.run(
            ["up", "--models", folder.path, "--http-port", "0", "--grpc-port", "0"] + words, folder: folder.path)
        #expect(outcome.code != 0 && outcome.errors.contains(complaint), "\(outcome.all)")
    }

    /// Limits of an endpoint hold from the moment they are applied, those of the server from its start.
    @Test func theLimitsOfADefinitionHold() async throws {
        let folder = try TemporaryFolder()
        let shop = try await Workshop(in: folder)
        let seen = try await shop.serving { client in
            var seen: [String] = []
            func apply(_ limits: String, asking times: Int) async throws {
                let files = Blueprint.files(
                    replacing: "service: orders\nrollout", with: "service: orders\n\(limits)rollout",
                    in: "serving/orders.yaml")
                seen.append("\(try await shop.send(.post, "/apply", shop.directory(files)).status)")
                for _ in 0..<times {
                    let status = try await client.infer(Blueprint.endpoint, "{\"inputs\":[]}").status
                    seen.append(status == 429 ? "limited" : "asked")
                }
            }
            try await apply("", asking: 3)
            try await apply("limits: [all=0.001/2]\n", asking: 3)
            // What is wrong changes nothing.
            try await apply("limits: [all=much]\n", asking: 1)
            try await apply("limits: [model=1]\n", asking: 1)
            try await apply("", asking: 1)
            return seen
        }
        #expect(
            seen == [
                "200", "asked", "asked", "asked", "200", "asked", "asked", "limited", "400", "limited", "400",
                "limited",
                "200", "asked",
            ])
    }
}
