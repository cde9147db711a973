import Basics
import Engines
import SQL
import Synchronization
import TestSupport
import Testing

/// A clock that a test may set to any moment, also an earlier one.
private final class JumpingTime: TimeSource {
    private let moment = Atomic<Int64>(1_000_000_000_000_000)

    var now: Timestamp { Timestamp(microseconds: moment.load(ordering: .acquiring)) }

    func jump(_ seconds: Double) { moment.wrappingAdd(Int64(seconds * 1e6), ordering: .acquiringAndReleasing) }
}

/// A monotonic clock in the hands of a test.
private final class Uptime: Sendable {
    private let nanoseconds = Atomic<UInt64>(1)

    var now: UInt64 { nanoseconds.load(ordering: .acquiring) }

    func pass(_ seconds: Double) { nanoseconds.wrappingAdd(UInt64(seconds * 1e9), ordering: .acquiringAndReleasing) }
}

@Suite struct LeaseTests {
    private struct World {
        let folder: TemporaryFolder
        let database: Database
        let time = JumpingTime()
        let uptime = Uptime()

        init(_ engine: SQLEngine) async throws {
            folder = try TemporaryFolder()
            database = try await engine.database(in: folder)
            try await database.migrate(Leases.migrations)
            try await database.write { try $0.execute("CREATE TABLE work (token INTEGER NOT NULL)") }
        }

        func leases(_ holder: String) -> Leases {
            Leases(database, time: time, holder: holder, uptime: { [uptime] in uptime.now })
        }

        /// Lets the clock of the database jump: PostgreSQL's own can not be set, so the past moves the other way.
        func jump(_ seconds: Double) async throws {
            switch database.engine {
            case .sqlite: time.jump(seconds)
            case .postgresql:
                try await database.write {
                    try $0.execute(
                        "UPDATE sql_leases SET renewed_at = renewed_at - ?", [.integer(Int64(seconds * 1e6))])
                }
            }
        }

        /// Lets time pass as it does where no clock jumps.
        func pass(_ seconds: Double) async throws {
            uptime.pass(seconds)
            try await jump(seconds)
        }
    }

    @Test(arguments: SQLEngine.allCases) func oneHoldsItAtATime(_ engine: SQLEngine) async throws {
        let world = try await World(engine)
        let (a, b) = (world.leases("a"), world.leases("b"))
        let first = try #require(try await a.acquire("tick", for: 10))
        #expect(first.token == 1)
        #expect(try await b.acquire("tick", for: 10) == nil)
        #expect(try await a.acquire("tick", for: 10) == nil)
        #expect(try await b.acquire("other", for: 10)?.token == 1)
        try await world.pass(9)
        #expect(try await b.acquire("tick", for: 10) == nil)
        let renewed = try await a.renew(first)
        try await world.pass(9)
        #expect(try await b.acquire("tick", for: 10) == nil)
        #expect(a.isFresh(renewed) && !a.isFresh(first))
        try await world.pass(1.001)
        let second = try #require(try await b.acquire("tick", for: 10))
        #expect(second.token == 2)
        await #expect(throws: SQLFailure.leaseLost(name: "tick", token: 1)) { _ = try await a.renew(renewed) }
        try await a.release(renewed)
        #expect(try await a.acquire("tick", for: 10) == nil)
        try await b.release(second)
        #expect(try await a.acquire("tick", for: 10)?.token == 3)
    }

    @Test(arguments: SQLEngine.allCases) func aClockThatJumpsBackAnHourBlocksNobody(_ engine: SQLEngine) async throws {
        let world = try await World(engine)
        let (a, b) = (world.leases("a"), world.leases("b"))
        var held = try #require(try await a.acquire("tick", for: 10))
        try await world.jump(-3600)
        for _ in 0..<5 {
            #expect(try await b.acquire("tick", for: 10) == nil)
            try await world.pass(4)
            held = try await a.renew(held)
        }
        try await world.jump(-3600)
        #expect(try await b.acquire("tick", for: 10) == nil)
        try await world.pass(9.9)
        #expect(try await b.acquire("tick", for: 10) == nil)
        try await world.pass(0.2)
        #expect(try await b.acquire("tick", for: 10)?.token == held.token + 1)
    }

    @Test(arguments: SQLEngine.allCases) func aHolderThatLostItCommitsNothing(_ engine: SQLEngine) async throws {
        let world = try await World(engine)
        let database = world.database
        let (a, b) = (world.leases("a"), world.leases("b"))
        let old = try #require(try await a.acquire("tick", for: 10))
        try await database.fenced(by: old) {
            try await database.write { try $0.execute("INSERT INTO work (token) VALUES (1)") }
            try await world.pass(11)
            // Nobody took it, so nobody can have done anything meanwhile.
            try await database.write { try $0.execute("INSERT INTO work (token) VALUES (1)") }
            let new = try #require(try await Task.detached { try await b.acquire("tick", for: 10) }.value)
            #expect(new.token == 2)
            await #expect(throws: SQLFailure.leaseLost(name: "tick", token: 1)) {
                try await database.write { try $0.execute("INSERT INTO work (token) VALUES (1)") }
            }
            let child = Task { try await database.write { try $0.execute("INSERT INTO work (token) VALUES (1)") } }
            await #expect(throws: SQLFailure.leaseLost(name: "tick", token: 1)) { _ = try await child.value }
        }
        try await database.write { try $0.execute("INSERT INTO work (token) VALUES (0)") }
        let tokens = try await database.read { try $0.query("SELECT token FROM work").map { try $0.int("token") } }
        #expect(tokens == [1, 1, 0])
        await #expect(throws: SQLFailure.leaseSeconds(name: "tick", seconds: 0)) {
            _ = try await a.acquire("tick", for: 0)
        }
    }

    /// Four holders that acquire, renew, work and die at random while every clock jumps. What was committed must carry
    /// tokens that only grow: each change was made by the newest holder of its moment.
    @Test(arguments: SQLEngine.allCases) func whateverTheClocksDoTokensOnlyGrow(_ engine: SQLEngine) async throws {
        let world = try await World(engine)
        let random = SeededRandom(seed: 11)
        func pick(_ count: UInt64) -> Int { Int(random.next() % count) }
        try await world.database.write { try $0.execute("CREATE TABLE steps (id INTEGER PRIMARY KEY, token INTEGER)") }
        var holders = (0..<4).map { world.leases("holder \($0)") }
        var held: [Lease?] = [nil, nil, nil, nil]
        var step: Int64 = 0
        var takeovers = 0
        for round in 0..<400 {
            let who = pick(4)
            switch pick(8) {
            case 0, 1:
                if let lease = try await holders[who].acquire("tick", for: 5) {
                    held[who] = lease
                    takeovers += 1
                }
            case 2: if let lease = held[who] { held[who] = try? await holders[who].renew(lease) }
            case 3:
                guard let lease = held[who] else { continue }
                step += 1
                let number = step
                do {
                    try await world.database.fenced(by: lease) {
                        try await world.database.write {
                            try $0.execute(
                                "INSERT INTO steps (id, token) VALUES (?, ?)",
                                [.integer(number), .integer(lease.token)])
                        }
                    }
                } catch SQLFailure.leaseLost {
                    let row = try await world.database.read { try $0.first("SELECT holder, token FROM sql_leases") }
                    #expect(try row?.integer("token") != lease.token || row?.string("holder") != lease.holder)
                }
            case 4: try await world.pass(Double(pick(30)) / 10)
            case 5: try await world.jump(Double(pick(7200)) - 3600)
            case 6 where round % 5 == 0:
                holders[who] = world.leases("holder \(who) of \(round)")
                held[who] = nil
            default: if let lease = held[who], pick(4) == 0 { try await holders[who].release(lease) }
            }
        }
        // However the clocks stand, whoever asks is served within the lease's time of its own clock.
        let last = world.leases("last")
        var served = try await last.acquire("tick", for: 5)
        if served == nil {
            world.uptime.pass(5.1)
            served = try await last.acquire("tick", for: 5)
        }
        #expect(served != nil)
        let tokens = try await world.database.read {
            try $0.query("SELECT token FROM steps ORDER BY id").map { try $0.integer("token") }
        }
        #expect(tokens == tokens.sorted())
        #expect(takeovers > 10 && tokens.count > 5)
    }
}
