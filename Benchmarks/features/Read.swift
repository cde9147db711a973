import Basics
import CLMDB
import Engines
import Features
import Foundation
import TestSupport

/// `read [--entities N] [--rounds N]`: reads of 1 entity x 10 features and 100 x 50 through the library, beside bare LMDB look-ups.
struct ReadBench {
    static func run(_ words: [String]) async throws {
        func number(_ name: String, _ value: Int) -> Int {
            words.firstIndex(of: name).flatMap { $0 + 1 < words.count ? Int(words[$0 + 1]) : nil } ?? value
        }
        let entities = number("--entities", 100_000)
        let rounds = number("--rounds", 10)
        let factory = try await OnlineBenchFactory(entities: entities, views: 5)
        _ = try await factory.store.materialize(from: nil, by: "bench")
        let one = try await factory.store.onlineReader(.features(["v0"]))
        let five = try await factory.store.onlineReader(.features((0..<5).map { "v\($0)" }))
        let ours = (
            try time(rounds) { try read(one, 1, entities, $0) }, try time(rounds) { try read(five, 100, entities, $0) }
        )
        try await factory.close()
        let bare = try bareLMDB(factory.folder("online"), rounds)
        report("1 entity x 10 features", ours.0, bare(1))
        report("100 entities x 50 features", ours.1, bare(500))
    }

    private static func report(_ what: String, _ ours: Double, _ floor: Double) {
        BenchRow(
            what: "read \(what) through the library", ours: "\(BenchRow.number(ours)) us",
            peer: "bare LMDB look-ups \(BenchRow.number(floor)) us", ratio: BenchRow.number(ours / floor)
        ).show()
    }

    /// The best of several rounds, in microseconds a call.
    private static func time(_ rounds: Int, _ body: (SeededRandom) throws -> Double) throws -> Double {
        let random = SeededRandom(seed: 5)
        var best = Double.infinity
        for _ in 0..<rounds {
            let start = SystemTime.monotonicNanoseconds
            var calls = 0
            var now = start
            while now - start < 200_000_000 {
                for _ in 0..<8 {
                    guard try body(random) != 0 else { throw EngineUnavailable("a value is missing") }
                }
                calls += 8
                now = SystemTime.monotonicNanoseconds
            }
            best = min(best, Double(now - start) / 1000 / Double(calls))
        }
        return best
    }

    /// Reads random entities and adds up all values, so that each is looked at.
    private static func read(
        _ reader: OnlineReader, _ count: Int, _ entities: Int, _ random: SeededRandom
    ) throws -> Double {
        var keys = OnlineKeys(keysPerEntity: 1)
        keys.reserve(count)
        for _ in 0..<count { keys.append(.integer(Int64(random.next() % UInt64(entities)))) }
        return try reader.read(keys, at: OnlineBenchFactory.now.microseconds) { batch in
            var sum = 0.0
            for output in reader.outputs.indices {
                batch.forEach(output) { if $0.status == .present { sum += $0.cell.number } }
            }
            return sum
        }
    }

    /// Microseconds for so many look-ups of random keys of the store in one renewed transaction.
    private static func bareLMDB(_ path: String, _ rounds: Int) throws -> (Int) -> Double {
        var environment: OpaquePointer?
        var transaction: OpaquePointer?
        var cursor: OpaquePointer?
        var table: MDB_dbi = 0
        mdb_env_create(&environment)
        mdb_env_set_maxdbs(environment, 128)
        mdb_env_set_mapsize(environment, 4 << 30)
        guard mdb_env_open(environment, path, UInt32(MDB_NOTLS | MDB_NORDAHEAD), 0o644) == 0,
            mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &transaction) == 0,
            mdb_dbi_open(transaction, OnlineBenchFactory.table, 0, &table) == 0,
            mdb_cursor_open(transaction, table, &cursor) == 0
        else { throw EngineUnavailable("no bare LMDB") }
        var keys: [[UInt8]] = []
        var key = MDB_val()
        var value = MDB_val()
        while mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0 {
            keys.append([UInt8](UnsafeRawBufferPointer(start: key.mv_data, count: key.mv_size)))
        }
        mdb_cursor_close(cursor)
        mdb_txn_commit(transaction)
        mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &transaction)
        mdb_txn_reset(transaction)
        return { lookups in
            (try? time(rounds) { random in
                mdb_txn_renew(transaction)
                defer { mdb_txn_reset(transaction) }
                var bytes = 0
                for _ in 0..<lookups {
                    keys[Int(random.next() % UInt64(keys.count))].withUnsafeMutableBytes { key in
                        var wanted = MDB_val(mv_size: key.count, mv_data: key.baseAddress)
                        var found = MDB_val()
                        if mdb_get(transaction, table, &wanted, &found) == 0 { bytes += found.mv_size }
                    }
                }
                return Double(bytes)
            }) ?? .nan
        }
    }
}
