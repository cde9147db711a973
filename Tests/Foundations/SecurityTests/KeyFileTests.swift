import Basics
import Foundation
import HTTP
import TestSupport
import Testing

@testable import Security

@Suite struct KeyFileTests {
    private static let time = MovableTime(Timestamp(seconds: 1_700_000_000))

    private static func make(
        _ path: String, _ name: String, role: Role = .viewer, resources: [String]? = nil, lifetime: Int64? = nil
    ) throws -> (entry: KeyFile.Entry, secret: Secret) {
        try KeyFile.create(
            KeyFile.Request(
                principal: try PrincipalID(name), role: role, resources: resources, lifetimeSeconds: lifetime),
            in: path, time: time, random: SystemRandom())
    }

    private static func ask(
        _ guardian: Authenticator, _ key: String, _ action: Action = .infer, on model: String = "orders"
    ) async throws -> String {
        let caller = try await guardian.admit(RequestCredentials(method: .post, apiKey: key, remoteAddress: key))
        try caller.require(.right(to: action, on: "endpoint"), on: model)
        return caller.name
    }

    @Test func keysOfAFileOpenWhatTheySay() async throws {
        let folder = try TemporaryFolder()
        let path = folder("keys.json")
        let shop = try Self.make(path, "service:shop", resources: ["endpoint/orders"])
        let mina = try Self.make(path, "mina", role: .operator, lifetime: 3600)
        let facts = try FileManager.default.attributesOfItem(atPath: path)
        #expect(facts[.posixPermissions] as? Int == 0o600)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(!text.contains(shop.secret.revealed) && text.contains(shop.entry.hash))
        let keys = try KeyFile(path: path)
        let guardian = Authenticator(keys: keys, webTokens: nil, time: Self.time)
        #expect(try await Self.ask(guardian, shop.secret.revealed) == "service:shop")
        #expect(try await Self.ask(guardian, mina.secret.revealed, .deploy) == "user:mina")
        await #expect(throws: AccessFailure.self) { try await Self.ask(guardian, shop.secret.revealed, on: "other") }
        await #expect(throws: AccessFailure.self) { try await Self.ask(guardian, shop.secret.revealed, .deploy) }
        await #expect(throws: HTTPFailure.self) { try await Self.ask(guardian, "mw_no") }
        await #expect(throws: HTTPFailure.self) { try await guardian.admit(RequestCredentials(method: .get)) }
        // What looks like one of ours and is none.
        var other = Array(shop.secret.revealed.utf8)
        other[20] = other[20] == UInt8(ascii: "a") ? UInt8(ascii: "b") : UInt8(ascii: "a")
        let forged = String(decoding: other, as: UTF8.self)
        await #expect(throws: HTTPFailure.self) { try await Self.ask(guardian, forged) }

        try KeyFile.revoke(shop.entry.id, in: path)
        try keys.reload()
        await #expect(throws: HTTPFailure.self) { try await Self.ask(guardian, shop.secret.revealed) }
        #expect(try await Self.ask(guardian, mina.secret.revealed) == "user:mina")
        #expect(throws: AccessFailure.unknownToken(shop.entry.id)) { try KeyFile.revoke(shop.entry.id, in: path) }
        Self.time.set(Timestamp(seconds: 1_700_003_600))
        await #expect(throws: HTTPFailure.self) { try await Self.ask(guardian, mina.secret.revealed) }
    }

    @Test func filesThatAreNoneAreRefused() throws {
        let folder = try TemporaryFolder()
        for text in ["", "{}", "{\"keys\":[{}]}", "{\"keys\":3}"] {
            try folder.write(text, to: "keys.json")
            #expect(throws: AccessFailure.self) { try KeyFile(path: folder("keys.json")) }
        }
        #expect(throws: AccessFailure.self) { try KeyFile(path: folder("none.json")) }
    }
}
