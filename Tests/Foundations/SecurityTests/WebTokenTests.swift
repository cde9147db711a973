import Basics
import Foundation
import HTTP
import Telemetry
import TestSupport
import Testing

@testable import Security

@Suite struct WebTokenTests {
    private static let now = Timestamp(seconds: 1_700_000_000)

    /// Keys and tokens that PyJWT made.
    private struct Made {
        let folder: TemporaryFolder
        let tokens: [String: String]

        init() throws {
            folder = try TemporaryFolder()
            let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path
            let process = Process()
            process.executableURL = URL(fileURLWithPath: here + "/../../../.deps/serving/bin/python")
            process.arguments = [
                here + "/../../Conformance/web_tokens.py", folder.path, "\(now.microseconds / 1_000_000)",
            ]
            try process.run()
            process.waitUntilExit()
            try #require(process.terminationStatus == 0)
            tokens = try JSON.decode(
                [String: String].self, from: try Data(contentsOf: URL(fileURLWithPath: folder("tokens.json"))))
        }

        func webTokens() throws -> WebTokens {
            try WebTokens(
                WebTokenOptions(
                    keysPath: folder("keys.json"), issuer: "https://issuer.example", audience: "models"))
        }
    }

    @Test func tokensOfAnotherProgramAreTakenOrRefused() throws {
        let made = try Made()
        let web = try made.webTokens()
        #expect(made.tokens.count == 41)
        for (name, token) in made.tokens {
            #expect(WebTokens.isToken(token) || name == "bad four parts")
            do {
                let claims = try web.verify(token, at: Self.now)
                #expect(name.hasPrefix("good") && claims.subject == "shop", "\(name)")
            } catch {
                #expect(name.hasPrefix("bad"), "\(name): \(error.reason)")
            }
        }
        let claims = try web.verify(try #require(made.tokens["good RS256"]), at: Self.now)
        #expect(claims.roles.map { "\($0.role) \($0.resource)" } == ["viewer *", "operator endpoint/orders"])
        #expect(claims.expires == Self.now.advanced(bySeconds: 660))
        let words = try web.verify(try #require(made.tokens["good words for roles"]), at: Self.now)
        #expect(words.roles.map(\.role) == [.scientist, .viewer])
    }

    @Test func anyChangeOfOneLetterIsNoticed() throws {
        let made = try Made()
        let web = try made.webTokens()
        for name in ["good RS256", "good ES256"] {
            let token = Array(try #require(made.tokens[name]).utf8)
            for place in token.indices {
                var changed = token
                changed[place] = changed[place] == UInt8(ascii: "x") ? UInt8(ascii: "y") : UInt8(ascii: "x")
                #expect(throws: WebTokens.Problem.self) {
                    try web.verify(String(decoding: changed, as: UTF8.self), at: Self.now)
                }
            }
        }
    }

    /// RFC 7515, appendices A.2 and A.3, with the keys as the RFC gives them (RFC 7517).
    @Test func theExamplesOfTheStandardAreVerified() throws {
        let payload =
            "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        let rsa: JSONValue = [
            "kty": "RSA", "e": "AQAB",
            "n": .string(
                "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SF"
                    + "d2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS"
                    + "-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8"
                    + "q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"),
        ]
        let rsaSignature =
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t"
            + "1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12j"
            + "zDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQ"
            + "Ge77Rw"
        let ec: JSONValue = [
            "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        ]
        let ecSignature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
        for (key, header, signature) in [
            (rsa, "eyJhbGciOiJSUzI1NiJ9", rsaSignature), (ec, "eyJhbGciOiJFUzI1NiJ9", ecSignature),
        ] {
            let known = try #require(try WebKey.read(key))
            let bytes = try #require(Base64URL.decode(signature.utf8))
            #expect(known.verifies(bytes, of: Array("\(header).\(payload)".utf8)))
            #expect(!known.verifies(bytes, of: Array("\(header).\(payload)x".utf8)))
            #expect(!known.verifies(Array(bytes.reversed()), of: Array("\(header).\(payload)".utf8)))
        }
    }

    @Test func filesThatHoldNoKeysAreRefused() throws {
        let folder = try TemporaryFolder()
        let short = #"{"kty":"RSA","e":"AQAB","n":"\#(Base64URL.encode(Array(repeating: 0xFF, count: 128)))"}"#
        let off =
            #"{"kty":"EC","crv":"P-256","x":"\#(Base64URL.encode(Array(repeating: 1, count: 32)))","y":"\#(Base64URL.encode(Array(repeating: 2, count: 32)))"}"#
        for text in [
            "", "[]", "{\"keys\":[]}", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}", "{\"keys\":[\(short)]}",
            "{\"keys\":[\(off)]}", "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"*\",\"e\":\"AQAB\"}]}",
        ] {
            try folder.write(text, to: "keys.json")
            let failure = #expect(throws: AccessFailure.self) {
                try WebTokens(WebTokenOptions(keysPath: folder("keys.json"), issuer: "i", audience: "a"))
            }
            #expect(failure?.description.contains("keys.json") == true)
        }
    }

    @Test func aServerLetsInWhoseTokenIsGood() async throws {
        let made = try Made()
        let web = try made.webTokens()
        let time = MovableTime(Self.now)
        let guardian = Authenticator(keys: nil, webTokens: web, time: time)
        let need = RouteNeed.right(to: .deploy, on: "endpoint")
        func ask(_ name: String, key: Bool = false) async throws -> String {
            let token = try #require(made.tokens[name])
            let caller = try await guardian.admit(
                RequestCredentials(
                    method: .post, authorization: key ? nil : "Bearer \(token)", apiKey: key ? token : nil,
                    remoteAddress: "192.0.2.\(name.count)"))
            try caller.require(need, on: "orders")
            return caller.name
        }
        #expect(try await ask("good RS256") == "jwt:shop")
        #expect(try await ask("good RS256", key: true) == "jwt:shop")
        // Verified and remembered, yet it may not do what its roles do not say.
        let refused = await #expect(throws: AccessFailure.self) { try await ask("good words for roles") }
        #expect(refused?.code == .permissionDenied)
        await #expect(throws: HTTPFailure.self) { try await ask("bad signature") }
        // With other keys the same token is worth nothing, though it was good a moment ago.
        try FileManager.default.removeItem(atPath: made.folder("keys.json"))
        try FileManager.default.moveItem(atPath: made.folder("rotated.json"), toPath: made.folder("keys.json"))
        try web.reload()
        await #expect(throws: HTTPFailure.self) { try await ask("good RS256") }
        #expect(try await ask("bad key") == "jwt:shop")
        time.set(Self.now.advanced(bySeconds: 661))
        await #expect(throws: HTTPFailure.self) { try await ask("bad key") }
        // What can not be read leaves the keys in use as they are.
        time.set(Self.now)
        try made.folder.write("{", to: "keys.json")
        #expect(throws: AccessFailure.self) { try web.reload() }
    }
}
