import Basics
import Engines
import HTTP
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Security

@Suite struct PolicyTests {
    /// Who may do what, written down once more by hand.
    private static let table: [(Action, [Role])] = [
        (.read, [.viewer, .scientist, .engineer, .operator, .admin]),
        (.infer, [.viewer, .scientist, .engineer, .operator, .admin]),
        (.label, [.scientist, .engineer, .operator, .admin]),
        (.experiment, [.scientist, .engineer, .operator, .admin]),
        (.train, [.scientist, .engineer, .operator, .admin]),
        (.define, [.engineer, .operator, .admin]),
        (.register, [.engineer, .operator, .admin]),
        (.promote, [.operator, .admin]),
        (.deploy, [.operator, .admin]),
        (.rollback, [.operator, .admin]),
        (.operate, [.operator, .admin]),
        (.administer, [.admin]),
    ]

    @Test func everyRoleMayDoWhatTheTableSays() {
        #expect(Self.table.map(\.0) == Action.allCases)
        for (action, roles) in Self.table {
            for role in Role.allCases {
                let identity = Self.identity([("*", role)])
                let may = (try? identity.require(.right(to: action), on: nil)) != nil
                #expect(may == roles.contains(role), "\(role) \(action)")
                #expect(identity.mayEverywhere(action) == may)
            }
        }
    }

    @Test func aRoleOnAThingReachesThatThing() throws {
        let identity = Self.identity([("*", .viewer), ("model/delay", .operator), ("endpoint/*", .engineer)])
        let promote = RouteNeed.right(to: .promote, on: "model")
        try identity.require(promote, on: "delay")
        for name in ["delays", "dela", "*", "delay/x", ""] {
            #expect(throws: AccessFailure.self) { try identity.require(promote, on: name) }
        }
        #expect(throws: AccessFailure.self) { try identity.require(.right(to: .promote), on: nil) }
        #expect(throws: AccessFailure.self) { try identity.require(.right(to: .promote, on: "endpoint"), on: "delay") }
        try identity.require(.right(to: .register, on: "endpoint"), on: "anything")
        let only = Self.identity([("model/delay", .viewer)])
        try only.require(.right(to: .read, on: "model"), on: "delay")
        #expect(throws: AccessFailure.self) { try only.require(.right(to: .read), on: nil) }
    }

    @Test func whatDeclaresNothingIsForAdmins() throws {
        for role in Role.allCases {
            let may = (try? Self.identity([("*", role)]).require(nil, on: nil)) != nil
            #expect(may == (role == .admin))
            #expect(throws: AccessFailure.self) { try Self.identity([("*", role)]).require(.action("fly"), on: nil) }
        }
        #expect(throws: AccessFailure.self) {
            try Self.identity([("*", .admin)], scope: TokenScope(role: .operator)).require(nil, on: nil)
        }
    }

    @Test func refusalsSayWhatIsNeeded() async {
        let text = await complaint {
            try Self.identity([("*", .viewer)]).require(
                .right(to: .deploy, on: "endpoint", named: "name"), on: "orders")
        }
        #expect(
            text == """
                user:mina may not deploy on endpoint/orders: that needs the role operator. Ask an admin for \
                'modelworks principal grant user:mina --role operator --on endpoint/orders'
                """)
    }

    @Test func namesAreChecked() {
        for name in ["mina", "user:mina", "service:a.b-c_d@e"] { #expect(throws: Never.self) { try PrincipalID(name) } }
        for name in [
            "", ":", "user:", "works:automation", "mina smith", "user:a:b", "user:é",
            String(repeating: "a", count: 101),
        ] {
            #expect(throws: AccessFailure.self, "\(name)") { try PrincipalID(name) }
        }
        for name in ["*", "model/*", "model/a/b", "endpoint/x_y"] {
            #expect(throws: Never.self) { try AccessResource(name) }
        }
        for name in ["", "**", "model", "/x", "model/", "Model/x", "model/ x", "m/\n"] {
            #expect(throws: AccessFailure.self, "\(name)") { try AccessResource(name) }
        }
    }

    @Test func onlyThisMachineIsServedWithoutProof() {
        for host in ["127.0.0.1", "127.8.8.8", "localhost", "LOCALHOST", "::1", "[::1]"] {
            #expect(AccessMode.standard(host: host) == .off, "\(host)")
            #expect(throws: Never.self) { try AccessMode.off.check(host: host, encrypted: false, insecure: false) }
        }
        for host in ["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.evil.example", "127.0.0", "works.example", ""] {
            #expect(AccessMode.standard(host: host) == .on, "\(host)")
            for (mode, encrypted) in [(AccessMode.off, false), (.off, true), (.on, false)] {
                #expect(throws: AccessFailure.self) {
                    try mode.check(host: host, encrypted: encrypted, insecure: false)
                }
                #expect(throws: Never.self) { try mode.check(host: host, encrypted: encrypted, insecure: true) }
            }
            #expect(throws: Never.self) { try AccessMode.on.check(host: host, encrypted: true, insecure: false) }
        }
    }

    @Test(arguments: SQLEngine.allCases)
    func guessingIsSlowedAndNobodyElseIs(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        let issued = try await desk.token("mina", .viewer)
        let lines = Mutex<[UInt8]>([])
        let log = Logger(
            sink: LogSink { bytes in lines.withLock { $0 += bytes } }, level: .debug, time: desk.time)
        let guardian = desk.authenticator(log: log)
        let random = SeededRandom(seed: 3)
        for _ in 0..<40 {
            let guess = TokenText(random: random).secret.revealed
            let text = await complaint { _ = try await guardian.admit(Desk.bearer(guess)) }
            #expect(!text.contains(guess))
        }
        let pauses = desk.pauses.withLock { $0 }
        #expect(pauses.count == 35)
        #expect(zip(pauses, pauses.dropFirst()).allSatisfy { $0 <= $1 })
        #expect(pauses.first == 0.1 && pauses.last == FailureThrottle.longestDelay)
        _ = try await guardian.admit(Desk.bearer(issued))
        await #expect(throws: HTTPFailure.self) {
            _ = try await guardian.admit(Desk.bearer("nonsense", from: "192.0.2.2"))
        }
        #expect(desk.pauses.withLock { $0.count } == 35)
        log.flush()
        let text = String(decoding: lines.withLock { $0 }, as: UTF8.self)
        #expect(text.split(separator: "\n").count == 9)
        #expect(text.contains("192.0.2.1") && !text.contains("mw_"))
    }

    @Test func theThrottleForgetsAndStaysSmall() {
        let throttle = FailureThrottle(sourcesMax: 100, waitingMax: 8, waitingOfSourceMax: 3)
        var now: UInt64 = 0
        for _ in 0..<8 { _ = throttle.failed("a", now: now) }
        // The sixth, seventh and eighth wait; more of the same source may not.
        #expect(throttle.failed("a", now: now).outcome == .refused)
        for _ in 0..<3 { throttle.waited("a") }
        guard case .delayed(let seconds) = throttle.failed("a", now: now).outcome else {
            Issue.record("it is refused")
            return
        }
        #expect(seconds > 0.5)
        throttle.waited("a")
        now += 600_000_000_000
        #expect(throttle.failed("a", now: now).outcome == .delayed(0))
        for number in 0..<10_000 { _ = throttle.failed("10.1.\(number / 250).\(number % 250)", now: now) }
        #expect(throttle.sources <= 100)
    }

    @Test func oneCustomersAddressesAreOneSource() {
        #expect(FailureThrottle.source("2001:db8:1:2:3:4:5:6") == FailureThrottle.source("2001:db8:1:2::9"))
        #expect(FailureThrottle.source("2001:db8:1:2::9") != FailureThrottle.source("2001:db8:1:3::9"))
        #expect(FailureThrottle.source("2001:db8::1") == "2001:db8:0:0::/64")
        #expect(FailureThrottle.source("::1") == "0:0:0:0::/64")
        #expect(FailureThrottle.source("192.0.2.7") == "192.0.2.7")
        #expect(FailureThrottle.source("::ffff:192.0.2.7") == "::ffff:192.0.2.7")
    }

    private static func identity(_ grants: [(String, Role)], scope: TokenScope = .whole) -> Identity {
        let start = Timestamp(seconds: 0)
        return Identity(
            Principal(
                id: "user:mina", display: "Mina", disabled: false, created: start,
                grants: grants.map { Principal.Grant(role: $0.1, resource: $0.0, granted: start, by: "user:root") }),
            token: APIToken(
                id: "x", principal: "user:mina", description: "", scope: scope, created: start, createdBy: "user:root"))
    }
}
