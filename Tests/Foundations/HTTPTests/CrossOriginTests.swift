import Basics
import Foundation
import HTTP
import Testing

@Suite struct CrossOriginTests {
    private static func fixture(_ origins: [String]) throws -> ServerFixture {
        let crossOrigins = try CrossOrigins(origins)
        return try ServerFixture { $0.crossOrigins = crossOrigins }
    }

    @Test func aPreflightIsAnsweredForPagesThatMayAsk() async throws {
        let fixture = try Self.fixture(["https://shop.example", "http://localhost:3000"])
        let client = try fixture.client()
        for path in ["/hello", "/fast/a/1", "/nowhere"] {
            let answer = try await client.send(
                .options, path,
                headers: [
                    "Origin": "https://shop.example", "Access-Control-Request-Method": "POST",
                    "Access-Control-Request-Headers": "authorization, content-type",
                ])
            #expect(answer.status == .noContent)
            #expect(answer.headers["Access-Control-Allow-Origin"] == "https://shop.example")
            #expect(answer.headers["Access-Control-Allow-Headers"] == "authorization, content-type")
            #expect(answer.headers["Access-Control-Allow-Methods"]?.contains("POST") == true)
            #expect(answer.headers["Vary"] == "Origin")
            let other = try await client.send(
                .options, path, headers: ["Origin": "https://evil.example", "Access-Control-Request-Method": "POST"])
            #expect(other.headers["Access-Control-Allow-Origin"] == nil && other.headers["Vary"] == "Origin")
        }
        // A question that no browser asks before another goes its usual way.
        #expect(try await client.send(.options, "/hello").headers["Allow"]?.contains("GET") == true)
        await fixture.server.shutdown(drainSeconds: 1)
    }

    @Test func answersSayWhoMayReadThem() async throws {
        let fixture = try Self.fixture(["https://shop.example"])
        let client = try fixture.client()
        for (path, method) in [("/hello", HTTPMethod.get), ("/static", .get), ("/fast/a/1", .post), ("/nowhere", .get)]
        {
            let answer = try await client.send(method, path, headers: ["Origin": "https://shop.example"])
            #expect(answer.headers["Access-Control-Allow-Origin"] == "https://shop.example", "\(path)")
            #expect(answer.headers["Access-Control-Expose-Headers"]?.contains("Retry-After") == true)
            #expect(answer.headers["Access-Control-Allow-Credentials"] == nil)
            let other = try await client.send(method, path, headers: ["Origin": "https://shop.example.evil"])
            #expect(other.headers["Access-Control-Allow-Origin"] == nil)
            let none = try await client.send(method, path)
            #expect(none.headers["Access-Control-Allow-Origin"] == nil && none.headers["Vary"] == "Origin")
        }
        await fixture.server.shutdown(drainSeconds: 1)
    }

    @Test func allOriginsMayBeNamed() async throws {
        let fixture = try Self.fixture(["*"])
        let answer = try await fixture.client().send(.get, "/static", headers: ["Origin": "https://any.example"])
        #expect(answer.headers["Access-Control-Allow-Origin"] == "*" && answer.headers["Vary"] == nil)
        await fixture.server.shutdown(drainSeconds: 1)
        for text in [
            "shop.example", "https://", "https://shop.example/", "https://Shop.example", "ftp://a", "https://a b",
        ] {
            #expect(throws: HTTPFailure.badOrigin(text)) { try CrossOrigins([text]) }
        }
    }
}
