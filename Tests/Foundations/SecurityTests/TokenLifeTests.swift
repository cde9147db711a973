import Basics
import Engines
import Foundation
import HTTP
import Journal
import SQL
import TestSupport
import Testing

@testable import Security

@Suite struct TokenLifeTests {
    @Test(arguments: SQLEngine.allCases)
    func aTokenStandsForItsPrincipal(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        let issued = try await desk.token("mina", .engineer)
        #expect(issued.token.principal == "user:mina")
        let caller = try await desk.authenticator().admit(Desk.bearer(issued))
        #expect(caller.name == "user:mina")
        try caller.require(.right(to: .define))
        #expect(throws: AccessFailure.self) { try caller.require(.right(to: .deploy)) }
    }

    @Test(arguments: SQLEngine.allCases)
    func onlyTheHashIsStored(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        let issued = try await desk.token("mina", .admin)
        _ = try await desk.authenticator().admit(Desk.bearer(issued))
        let text = issued.secret.revealed
        let half = String(text.dropFirst(16).prefix(20))
        let tables = try await desk.database.read { transaction in
            try ["principals", "role_grants", "api_tokens", "journal"].flatMap { table in
                try transaction.query("SELECT * FROM \(table)").map { "\($0.values)" }
            }.joined()
        }
        #expect(tables.contains(issued.token.id))
        #expect(!tables.contains(half))
        await desk.database.close()
        for name in try FileManager.default.contentsOfDirectory(atPath: desk.folder.path) {
            let bytes = FileManager.default.contents(atPath: desk.folder(name)) ?? Data()
            #expect(bytes.range(of: Data(text.utf8)) == nil, "\(name)")
            #expect(bytes.range(of: Data(half.utf8)) == nil, "\(name)")
        }
    }

    @Test(arguments: SQLEngine.allCases)
    func itEndsAtItsTime(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        let issued = try await desk.token("mina", .viewer, lifetime: 3600)
        let guardian = desk.authenticator()
        desk.pass(seconds: 3599)
        _ = try await guardian.admit(Desk.bearer(issued))
        desk.pass(seconds: 1)
        let text = await complaint { _ = try await guardian.admit(Desk.bearer(issued)) }
        #expect(text.contains("expired at 2023-11-14T23:13:20Z"))
        #expect(!text.contains(issued.secret.revealed))
    }

    @Test(arguments: SQLEngine.allCases)
    func aClockSetBackRevivesNothing(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        let short = try await desk.token("mina", .viewer, lifetime: 1800)
        let long = try await desk.token("mina", lifetime: 7200)
        let guardian = desk.authenticator()
        desk.pass(seconds: 1801)
        await #expect(throws: HTTPFailure.self) { _ = try await guardian.admit(Desk.bearer(short)) }
        desk.time.set(desk.time.now.advanced(bySeconds: -3600))
        await #expect(throws: HTTPFailure.self) { _ = try await guardian.admit(Desk.bearer(short)) }
        _ = try await guardian.admit(Desk.bearer(long))
        // Set forward by mistake and put right again: nobody stays shut out.
        desk.time.set(desk.time.now.advanced(bySeconds: 86_400))
        await #expect(throws: HTTPFailure.self) { _ = try await guardian.admit(Desk.bearer(long)) }
        desk.time.set(desk.time.now.advanced(bySeconds: -86_400))
        _ = try await guardian.admit(Desk.bearer(long))
    }

    @Test(arguments: SQLEngine.allCases)
    func revocationIsSeenHereAtOnceAndElsewhereSoon(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        let issued = try await desk.token("mina", .viewer)
        let other = AccessStore(database: desk.database, time: desk.time, random: SystemRandom())
        let (here, elsewhere) = (desk.authenticator(), desk.authenticator(other))
        for guardian in [here, elsewhere] { _ = try await guardian.admit(Desk.bearer(issued)) }
        try await desk.store.revokeToken(issued.token.id, by: "user:root")
        await #expect(throws: HTTPFailure.self) { _ = try await here.admit(Desk.bearer(issued)) }
        desk.pass(seconds: 3)
        _ = try await elsewhere.admit(Desk.bearer(issued))
        desk.pass(seconds: 1)
        let text = await complaint { _ = try await elsewhere.admit(Desk.bearer(issued)) }
        #expect(text.contains("was revoked"))
    }

    @Test(arguments: SQLEngine.allCases)
    func whoIsDisabledIsOut(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        let mina = try PrincipalID("mina")
        _ = try await desk.token("root", .admin)
        let issued = try await desk.token("mina", .viewer)
        let guardian = desk.authenticator()
        _ = try await guardian.admit(Desk.bearer(issued))
        try await desk.store.setDisabled(true, mina, by: "user:root")
        await #expect(throws: HTTPFailure.self) { _ = try await guardian.admit(Desk.bearer(issued)) }
        try await desk.store.setDisabled(false, mina, by: "user:root")
        _ = try await guardian.admit(Desk.bearer(issued))
    }

    @Test(arguments: SQLEngine.allCases)
    func scopesLeaveOut(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        let guardian = desk.authenticator()
        func caller(_ scope: TokenScope) async throws -> Caller {
            try await guardian.admit(Desk.bearer(try await desk.token("mina", .operator, scope: scope)))
        }
        let deploy = RouteNeed.right(to: .deploy, on: "endpoint", named: "name")
        let infer = RouteNeed.right(to: .infer, on: "endpoint", named: "name")
        let low = try await caller(TokenScope(role: .viewer))
        try low.require(infer, on: "orders")
        #expect(throws: AccessFailure.self) { try low.require(deploy, on: "orders") }
        let narrow = try await caller(TokenScope(actions: [.infer]))
        try narrow.require(infer, on: "orders")
        #expect(throws: AccessFailure.self) { try narrow.require(.right(to: .read)) }
        let one = try await caller(TokenScope(resources: ["endpoint/orders"]))
        try one.require(deploy, on: "orders")
        #expect(throws: AccessFailure.self) { try one.require(deploy, on: "others") }
        #expect(throws: AccessFailure.self) { try one.require(.right(to: .read)) }
        let kind = try await caller(TokenScope(resources: ["endpoint/*"]))
        try kind.require(deploy, on: "others")
        // A scope never gives more than the principal has.
        let high = try await caller(TokenScope(role: .admin))
        #expect(throws: AccessFailure.self) { try high.require(.right(to: .administer)) }
    }

    @Test(arguments: SQLEngine.allCases)
    func lastUseIsNoted(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        let issued = try await desk.token("mina", .viewer)
        let guardian = desk.authenticator()
        desk.pass(seconds: 100)
        _ = try await guardian.admit(Desk.bearer(issued))
        #expect(try await desk.store.tokens().first?.lastUsed == nil)
        try await guardian.flushUses()
        let noted = try await desk.store.tokens().first?.lastUsed
        #expect(noted == desk.time.now.floored(toSeconds: 60))
        desk.time.set(desk.time.now.advanced(bySeconds: -7200))
        _ = try await desk.authenticator().admit(Desk.bearer(issued))
        try await guardian.flushUses()
        #expect(try await desk.store.tokens().first?.lastUsed == noted)
    }

    @Test(arguments: SQLEngine.allCases)
    func whoWasKnownStaysInWhileTheDatabaseIsAway(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        let issued = try await desk.token("mina", .viewer)
        let guardian = desk.authenticator()
        _ = try await guardian.admit(Desk.bearer(issued))
        await desk.database.close()
        desk.pass(seconds: 30)
        _ = try await guardian.admit(Desk.bearer(issued))
        desk.pass(seconds: 31)
        await #expect(throws: SQLFailure.self) { _ = try await guardian.admit(Desk.bearer(issued)) }
    }

    @Test(arguments: SQLEngine.allCases)
    func everyChangeIsInTheJournal(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        let mina = try PrincipalID("user:mina")
        _ = try await desk.token("root", .admin)
        try await desk.store.grant(.viewer, to: mina, by: "user:root")
        try await desk.store.grant(.operator, to: mina, on: try AccessResource("model/delay"), by: "user:root")
        let issued = try await desk.token("mina")
        try await desk.store.revokeToken(issued.token.id, by: "user:root")
        try await desk.store.revokeToken(issued.token.id, by: "user:root")
        try await desk.store.revokeRole(from: mina, on: try AccessResource("model/delay"), by: "user:root")
        try await desk.store.setDisabled(true, mina, by: "user:root")
        let entries = try await desk.entries()
        #expect(
            entries.map(\.type) == [
                "access.role.granted", "access.token.created", "access.role.granted", "access.role.granted",
                "access.token.created", "access.token.revoked", "access.role.revoked", "access.principal.disabled",
            ])
        #expect(entries.allSatisfy { $0.principal == "user:root" })
        #expect(!entries.contains { $0.bodyText.contains(issued.secret.revealed) })
        let failed = await complaint {
            try await desk.store.revokeRole(from: mina, on: try AccessResource("model/x"), by: "user:root")
        }
        #expect(failed.contains("user:mina has no role on model/x"))
        #expect(try await desk.entries().count == entries.count)
    }

    @Test(arguments: SQLEngine.allCases)
    func theLastAdminStays(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        let (root, mina) = (try PrincipalID("root"), try PrincipalID("mina"))
        _ = try await desk.token("root", .admin)
        #expect(try await desk.store.hasAdmin())
        for change: () async throws -> Void in [
            { try await desk.store.setDisabled(true, root, by: "x") },
            { try await desk.store.revokeRole(from: root, by: "x") },
            { try await desk.store.grant(.viewer, to: root, by: "x") },
        ] {
            await #expect(throws: AccessFailure.lastAdmin("user:root")) { try await change() }
        }
        try await desk.store.grant(.admin, to: mina, by: "x")
        try await desk.store.setDisabled(true, root, by: "x")
        #expect(try await desk.store.hasAdmin())
        await #expect(throws: AccessFailure.lastAdmin("user:mina")) {
            try await desk.store.revokeRole(from: mina, by: "x")
        }
    }
}
