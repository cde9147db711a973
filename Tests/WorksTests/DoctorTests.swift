import Basics
import Engines
import Foundation
import ObjectStorage
import SQL
import TestSupport
import Testing
import Works
import Workshop

/// What `doctor` and `up` say of stores that can not be used: which store, what is wrong, and what to do; in time, and
/// never a secret.
@Suite(.serialized) struct DoctorTests {
    private static let secret = "hunter2secret"

    private struct Case: Sendable {
        var name: String
        var store: StoreAddresses.Store
        var address: String
        /// Parts of what is said.
        var told: [String]
        var variables: [String: String] = [:]
    }

    private struct Found: Sendable {
        var name: String
        var doctor: Program.Outcome
        var start: Program.Outcome?
        var line: String
    }

    private func look(_ item: Case) async throws -> Found {
        let folder = try TemporaryFolder()
        let variables = item.variables.merging(
            [item.store.variable: item.address, "RIGHT": "only for tests", "WRONG": Self.secret]
        ) { first, _ in first }
        let doctor = try await Program.run(["doctor", "--root", folder("root")], variables, folder: folder.path)
        // Jobs are looked at by the doctor only: a server starts without them.
        let start =
            item.store == .jobs
            ? nil
            : try await Program.run(
                ["up", "--root", folder("root"), "--http-port", "0"], variables, folder: folder.path)
        let line = doctor.output.split(separator: "\n").first { $0.hasPrefix("BAD  \(item.store.rawValue):") }
        return Found(name: item.name, doctor: doctor, start: start, line: String(line ?? "none"))
    }

    private func expect(_ cases: [Case], within seconds: Double) async throws {
        try await withThrowingTaskGroup(of: (Case, Found).self) { group in
            var rest = cases[...]
            func next() {
                guard let item = rest.popFirst() else { return }
                group.addTask { (item, try await self.look(item)) }
            }
            for _ in 0..<6 { next() }
            while let (item, found) = try await group.next() {
                next()
                #expect(found.doctor.code == 1, "\(item.name): \(found.doctor.all)")
                for part in item.told {
                    #expect(found.line.contains(part), "\(item.name): \(part) in \(found.doctor.all)")
                }
                #expect(found.doctor.seconds < seconds, "\(item.name): doctor took \(found.doctor.seconds) s")
                #expect(!found.doctor.all.contains(Self.secret), "\(item.name)")
                let bad = found.doctor.output.split(separator: "\n").filter { $0.hasPrefix("BAD") }
                #expect(bad.count == 1, "\(item.name): the other stores are as they were: \(found.doctor.all)")
                guard let start = found.start else { continue }
                #expect(start.code == 1, "\(item.name): \(start.all)")
                #expect(start.errors.contains("'\(item.store.rawValue)'"), "\(item.name): \(start.all)")
                for part in item.told { #expect(start.errors.contains(part), "\(item.name): \(part) in \(start.all)") }
                #expect(start.seconds < seconds, "\(item.name): up took \(start.seconds) s")
                #expect(!start.all.contains(Self.secret), "\(item.name)")
            }
        }
    }

    @Test(.timeLimit(.minutes(2))) func addressesThatCanNotBeRead() async throws {
        try await expect(
            [
                Case(name: "no address", store: .sql, address: "postgresql", told: ["can not be read"]),
                Case(
                    name: "no address with a password", store: .sql, address: "postgresql://u:\(Self.secret)@a b/x",
                    told: ["can not be read"]),
                Case(name: "unknown scheme", store: .sql, address: "mysql://h/x", told: ["scheme", "postgresql"]),
                Case(name: "other store's scheme", store: .objects, address: "redis://h", told: ["scheme", "s3"]),
                Case(name: "streams", store: .streams, address: "amqp://h", told: ["scheme", "kafka"]),
                Case(name: "jobs", store: .jobs, address: "cron:", told: ["scheme", "slurm"]),
                Case(name: "offline", store: .offline, address: "hive://h", told: ["scheme", "spark"]),
                Case(
                    name: "unknown setting", store: .online, address: "redis://127.0.0.1?namespce=x",
                    told: ["'namespce'", "Did you mean 'namespace'"]),
                Case(
                    name: "unknown setting of SQLite", store: .sql, address: "sqlite:a.db?pol=3",
                    told: ["'pol'", "Did you mean 'pool'"]),
                Case(
                    name: "a value out of range", store: .sql, address: "sqlite:a.db?pool=99", told: ["'pool'", "64"]),
                Case(
                    name: "missing variable", store: .sql, address: "postgresql://u@127.0.0.1/x?password_env=NOWHERE",
                    told: ["NOWHERE", "is not set"]),
                Case(
                    name: "missing file", store: .online, address: "redis://127.0.0.1?password_file=/nowhere/secret",
                    told: ["/nowhere/secret", "can not be read"]),
                Case(
                    name: "missing key of S3", store: .objects,
                    address: "s3://bucket?endpoint=http://127.0.0.1:1&access_key_env=NOWHERE&secret_key_env=NOWHERE",
                    told: ["NOWHERE", "is not set"]),
            ], within: 10)
    }

    @Test(.timeLimit(.minutes(3))) func serversThatAreAway() async throws {
        let silent = try Pretender()
        let (closed, mute) = ("127.0.0.1:1", "127.0.0.1:\(silent.port)")
        func cases(_ place: String, _ name: String, told: [String]) -> [Case] {
            let s3 = "&access_key_env=WRONG&secret_key_env=WRONG&region=us-east-1"
            return [
                Case(
                    name: "\(name) sql", store: .sql,
                    address: "postgresql://u:\(Self.secret)@\(place)/x?connect_timeout=1", told: told),
                Case(
                    name: "\(name) objects", store: .objects, address: "s3://bucket/x?endpoint=http://\(place)\(s3)",
                    told: ["s3://bucket/x"]),
                Case(
                    name: "\(name) online", store: .online,
                    address: "redis://:\(Self.secret)@\(place)?connect_timeout_ms=1000", told: told),
                Case(
                    name: "\(name) streams", store: .streams, address: "kafka://\(place)?connect_timeout_ms=1000",
                    told: told),
                Case(name: "\(name) jobs", store: .jobs, address: "ray://\(place)?timeout=1", told: []),
            ]
        }
        try await expect(cases(closed, "closed", told: ["127.0.0.1:1", "Check"]), within: 16)
        try await expect(cases(mute, "mute", told: [mute]), within: 16)
        _ = silent.port
    }

    @Test(.timeLimit(.minutes(2))) func serversThatRefuse() async throws {
        let engines = try await FactoryEngines.shared.set()
        let sql = "127.0.0.1:\(engines.postgres.port)"
        let redis = "127.0.0.1:\(engines.redis.port)"
        let (oldSQL, oldRedis) = (try Pretender.postgres("13.9"), try Pretender.redis("3.2.1"))
        let keys = "access_key_env=WRONG&secret_key_env=WRONG"
        try await expect(
            [
                Case(
                    name: "wrong password", store: .sql,
                    address: "postgresql://works:\(Self.secret)@\(sql)/works?sslmode=disable",
                    told: ["refuses the sign-in", "password"]),
                Case(
                    name: "unknown database", store: .sql,
                    address: "postgresql://works@\(sql)/nothing?sslmode=disable&password_env=RIGHT",
                    told: ["no database 'nothing'", "createdb nothing"]),
                Case(
                    name: "missing rights", store: .sql,
                    address: "postgresql://guest@\(sql)/works?sslmode=disable&password_env=RIGHT&schema=theirs",
                    told: ["lacks a right", "GRANT"]),
                Case(
                    name: "no TLS", store: .sql,
                    address: "postgresql://works@\(sql)/works?sslmode=require&password_env=RIGHT",
                    told: ["encrypted", "sslmode"]),
                Case(
                    name: "old PostgreSQL", store: .sql,
                    address: "postgresql://works@127.0.0.1:\(oldSQL.port)/works?sslmode=disable",
                    told: ["13.9", "14 or later"]),
                Case(
                    name: "wrong password of Redis", store: .online, address: "redis://:\(Self.secret)@\(redis)",
                    told: ["refuses us", "password"]),
                Case(
                    name: "no password for Redis", store: .online, address: "redis://\(redis)",
                    told: ["refuses us", "password"]),
                Case(
                    name: "no TLS of Redis", store: .online, address: "rediss://\(redis)?password_env=RIGHT",
                    told: [redis]),
                Case(
                    name: "old Redis", store: .online, address: "redis://127.0.0.1:\(oldRedis.port)",
                    told: ["3.2.1", "Upgrade"]),
                Case(
                    name: "no bucket", store: .objects,
                    address: "s3://nobodys-bucket/x?endpoint=\(engines.s3.endpoint)&\(keys)",
                    told: ["there is no bucket 's3://nobodys-bucket", "Make the bucket"]),
            ], within: 12)
        _ = (oldSQL.port, oldRedis.port)
    }

    @Test(.timeLimit(.minutes(1))) func aDamagedPageIsFound() async throws {
        let folder = try TemporaryFolder()
        let works = try await Works.open(WorksOptions(root: folder("root"), environment: [:]))
        await works.close()
        let path = folder("root/works.db")
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        let size = try file.seekToEnd()
        var offset: UInt64 = 8192
        while offset + 4096 <= size {
            try file.seek(toOffset: offset)
            try file.write(contentsOf: Data(repeating: 0xA5, count: 4096))
            offset += 4096
        }
        try file.close()
        let doctor = try await Program.run(["doctor", "--root", folder("root")], folder: folder.path)
        #expect(doctor.code == 1)
        #expect(doctor.output.contains("BAD  sql: the database '\(path)' is damaged"), "\(doctor.all)")
        #expect(doctor.output.contains("backup"))
        let start = try await Program.run(["up", "--root", folder("root"), "--http-port", "0"], folder: folder.path)
        #expect(start.code == 1)
        #expect(start.errors.contains("the 'sql' store can not be used"), "\(start.all)")
        #expect(start.errors.contains("is damaged"), "\(start.all)")
    }

    @Test(.timeLimit(.minutes(1))) func aTruncatedSegmentIsFound() async throws {
        let folder = try TemporaryFolder()
        let records = folder("root/records/predictions/orders")
        try FileManager.default.createDirectory(atPath: records, withIntermediateDirectories: true)
        do {
            let log = try RecordLog(folder: records, segmentBytes: 256)
            for number in 0..<100 { try log.append(Array("record \(number)".utf8)) }
            try await log.sync()
        }
        let sound = try await Program.run(["doctor", "--root", folder("root")], folder: folder.path)
        #expect(sound.code == 0, "\(sound.all)")
        #expect(sound.output.contains("1 logs of records"), "\(sound.all)")
        let segments = try FileManager.default.contentsOfDirectory(atPath: records)
            .filter { $0.hasSuffix(".records") }.sorted()
        #expect(segments.count > 3)
        truncate("\(records)/\(segments[1])", 100)
        let doctor = try await Program.run(["doctor", "--root", folder("root")], folder: folder.path)
        #expect(doctor.code == 1)
        #expect(doctor.output.contains("BAD  streams: '\(records)/\(segments[1])' is damaged"), "\(doctor.all)")
        #expect(doctor.output.contains("Restore the file from a backup"))
    }

    @Test(.timeLimit(.minutes(1))) func aRootInUseIsOnlyLookedAt() async throws {
        let folder = try TemporaryFolder()
        let shop = try await Workshop(in: folder)
        try await shop.apply()
        let entries = try await shop.journal().count
        try await shop.serving { _ in
            let url = try shop.address()
            let outcome = try await Program.run(["doctor", "--json", "--root", folder("root")], folder: folder.path)
            #expect(outcome.code == 0, "\(outcome.all)")
            let checks = outcome.json.array ?? []
            let stores = ["root", "sql", "objects", "online", "streams", "jobs", "offline", "analytic engine"]
            let runtimes = ["ONNX Runtime", "XGBoost", "LightGBM"].map { "models of \($0)" }
            let names = stores + runtimes + ["disk"]
            #expect(checks.map { $0["check"]?.string } == names)
            #expect(checks.first?["detail"]?.string?.contains("in use by the server at http://\(url)") == true)
            #expect(checks[1].at("store.engine") == "sqlite" && checks[1].at("store.version")?.string != nil)
            #expect(try await shop.journal().count == entries)
        }
    }

    @Test(.timeLimit(.minutes(2))) func everyEngineIsNamedWithItsVersion() async throws {
        let engines = try await FactoryEngines.shared.set()
        let folder = try TemporaryFolder()
        let environment = engines.environment(for: "looked_at")
        let outcome = try await Program.run(
            ["doctor", "--json", "--root", folder("root")], environment, folder: folder.path)
        #expect(outcome.code == 0, "\(outcome.all)")
        #expect(!outcome.all.contains(engines.postgres.password))
        let checks = outcome.json.array ?? []
        let found = checks.compactMap { $0.at("store.engine")?.string }
        #expect(found == ["postgresql", "s3", "redis", "kafka", "local processes", "duckdb"], "\(outcome.all)")
        #expect(checks[1].at("store.version")?.string?.hasPrefix("15") == true)
        #expect(checks[3].at("store.version")?.string?.hasPrefix("7") == true)
        // A directory names the stores as for `up`, and a password is never written down.
        try folder.write("name: x\nowner: me\nstores: {sql: 'sqlite:here.db'}\n", to: "x/works.yaml")
        let defined = try await Program.run(
            ["doctor", folder("x"), "--root", folder("other")], folder: folder.path)
        #expect(defined.code == 0 && defined.output.contains("other/here.db"), "\(defined.all)")
    }

    @Test func aRememberedAddressHoldsNoPassword() async throws {
        let engines = try await FactoryEngines.shared.set()
        let folder = try TemporaryFolder()
        var stores = StoreAddresses()
        stores.sql =
            "postgresql://works:only%20for%20tests@127.0.0.1:\(engines.postgres.port)/works?schema=noted&sslmode=disable"
        let works = try await Works.open(WorksOptions(root: folder("root"), stores: stores, environment: [:]))
        await works.close()
        let text = Program.text(folder("root/stores.json"))
        #expect(text.contains("schema=noted") && !text.contains("only"), "\(text)")
    }
}

extension JSONValue {
    /// The member at a path such as `store.engine`.
    fileprivate func at(_ path: String) -> JSONValue? {
        path.split(separator: ".").reduce(Optional(self)) { $0?[String($1)] }
    }
}
