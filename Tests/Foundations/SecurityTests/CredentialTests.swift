import Basics
import Engines
import Foundation
import HTTP
import TestSupport
import Testing

@testable import Security

@Suite struct CredentialTests {
    private static func basic(_ user: String, _ password: String) -> String {
        "Basic " + Data("\(user):\(password)".utf8).base64EncodedString()
    }

    @Test func tokensHaveTheirForm() throws {
        var seen: Set<String> = []
        for seed in 0..<200 {
            let token = TokenText(random: SeededRandom(seed: UInt64(seed)))
            let text = token.secret.revealed
            #expect(text.utf8.count == TokenText.length && text.hasPrefix("mw_\(token.id)_"))
            #expect(seen.insert(text).inserted && seen.insert(token.id).inserted)
            let read = try #require(TokenText(text))
            #expect(read.id == token.id && read.hash == token.hash)
            #expect(TokenHash(hex: token.hash.hex) == token.hash)
            #expect(token.hash.hex == Digest(of: text).hex)
        }
    }

    /// The digits were worked out with Python's integers.
    @Test func base62KeepsEveryBit() {
        #expect(TokenText.letters([61], count: 2) == "0z")
        #expect(TokenText.letters([62], count: 2) == "10")
        #expect(TokenText.letters([.max], count: 11) == "LygHa16AHYF")
        #expect(
            TokenText.letters([.max, .max, .max, .max], count: 43) == "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1")
    }

    @Test func oneWrongLetterIsSeenWithoutALookUp() {
        let text = TokenText(random: SeededRandom(seed: 1)).secret.revealed
        for index in text.indices {
            for letter in ["0", "Q", "z", "_", " ", "é"] where String(text[index]) != letter {
                var wrong = text
                wrong.replaceSubrange(index...index, with: letter)
                #expect(TokenText(wrong) == nil, "\(wrong)")
            }
        }
    }

    @Test(arguments: SQLEngine.allCases)
    func basicCarriesATokenAsPassword(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        let issued = try await desk.token("mina", .viewer)
        _ = try await desk.token("else", .viewer)
        let guardian = desk.authenticator()
        let text = issued.secret.revealed
        func caller(_ header: String) async throws -> String {
            try await guardian.admit(RequestCredentials(method: .get, authorization: header)).name
        }
        for user in ["token", "", "mina"] {
            #expect(try await caller(Self.basic(user, text)) == "user:mina")
        }
        #expect(
            try await caller(Self.basic("token", text).replacingOccurrences(of: "Basic", with: "bAsIc")) == "user:mina")
        for header in [
            Self.basic("else", text), Self.basic("mina", "secret"), Self.basic("mina", ""), "Basic", "Basic =",
            "Basic !!",
            "Bearer", "Bearer ", text, "Digest \(text)", "Bearer \(text) x", "",
        ] {
            let told = await complaint { _ = try await caller(header) }
            #expect(!told.isEmpty && !told.contains(text), "\(header)")
        }
    }

    @Test(arguments: SQLEngine.allCases)
    func pagesOfOtherOriginsCanNotUseAPassword(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        let text = try await desk.token("mina", .operator).secret.revealed
        let guardian = desk.authenticator()
        func admit(_ method: HTTPMethod, _ header: String, _ origin: String?) async throws {
            _ = try await guardian.admit(
                RequestCredentials(method: method, authorization: header, origin: origin, host: "works.example:8443"))
        }
        let basic = Self.basic("token", text)
        for origin in [nil, "https://works.example:8443", "https://WORKS.example:8443"] {
            try await admit(.post, basic, origin)
        }
        for origin in ["https://evil.example", "null", "https://works.example", "works.example:8443", ""] {
            await #expect(throws: AccessFailure.self, "\(origin)") { try await admit(.post, basic, origin) }
            try await admit(.get, basic, origin)
            try await admit(.post, "Bearer \(text)", origin)
        }
    }

    @Test(arguments: SQLEngine.allCases)
    func certificatesStandForPrincipals(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        let trainer = try PrincipalID("service:trainer")
        let subject = "CN=trainer,O=Acme"
        try await desk.store.grant(.scientist, to: trainer, certificateSubject: subject, by: "user:root")
        let guardian = desk.authenticator()
        let shown = RequestCredentials(method: .post, clientSubject: subject)
        #expect(try await guardian.admit(shown).name == "service:trainer")
        let text = await complaint {
            _ = try await guardian.admit(RequestCredentials(method: .get, clientSubject: "CN=other"))
        }
        #expect(text.contains("the certificate of 'CN=other' belongs to no principal"))
        await #expect(throws: AccessFailure.subjectTaken(subject: subject, by: "service:trainer")) {
            try await desk.store.grant(
                .viewer, to: try PrincipalID("mina"), certificateSubject: subject, by: "user:root")
        }
        // A subject is no header and a header is no subject.
        await #expect(throws: HTTPFailure.self) {
            _ = try await guardian.admit(RequestCredentials(method: .get, authorization: subject))
        }
        try await desk.store.setDisabled(true, trainer, by: "user:root")
        await #expect(throws: HTTPFailure.self) { _ = try await guardian.admit(shown) }
    }

    @Test(arguments: SQLEngine.allCases)
    func noHeaderBringsTheParserDown(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        let text = try await desk.token("mina", .viewer).secret.revealed
        let guardian = desk.authenticator()
        let random = SeededRandom(seed: 20_240_501)
        let seeds = ["Bearer \(text)", Self.basic("token", text), "Basic Og==", "Bearer mw_", ""]
        var admitted = 0
        for round in 0..<4000 {
            var bytes = Array(seeds[Int(random.next() % UInt64(seeds.count))].utf8)
            for _ in 0...(random.next() % 4) {
                let place = bytes.isEmpty ? 0 : Int(random.next() % UInt64(bytes.count))
                switch random.next() % 4 {
                case 0 where !bytes.isEmpty: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1 where !bytes.isEmpty: bytes.remove(at: place)
                case 2: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
                default:
                    bytes += (0..<(random.next() % (round % 50 == 0 ? 6000 : 60))).map { _ in
                        UInt8(truncatingIfNeeded: random.next())
                    }
                }
            }
            let header = String(decoding: bytes, as: UTF8.self)
            let address = "10.0.\(round / 250).\(round % 250)"
            let credentials = RequestCredentials(method: .get, authorization: header, remoteAddress: address)
            if (try? await guardian.admit(credentials)) != nil {
                admitted += 1
                // Whatever was changed was not the token: a letter's case in the scheme, or bits that base 64 ignores.
                let shows = Credential(header).map { credential in
                    switch credential {
                    case .bearer(let shown): shown == text
                    case .basic(let user, let password): password == text && ["", "token", "mina"].contains(user)
                    }
                }
                #expect(shows == true, "\(header)")
            }
        }
        #expect(admitted < 400)
    }
}
