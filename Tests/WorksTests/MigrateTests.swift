import Basics
import Engines
import Foundation
import HTTP
import Journal
import ObjectStorage
import Records
import SQL
import TestSupport
import Testing
import Works
import Workshop

/// A small trained factory goes from its embedded stores to the engines and back.
@Suite(.serialized) struct MigrateTests {
    private let later = Array(Rows().orders.filter { $0.placed >= Blueprint.trainedTo }.prefix(6))

    private func answers(_ shop: Workshop) async throws -> [Scored] {
        try await shop.serving { client in
            var answers: [Scored] = []
            for order in later {
                answers.append(try Scored(try await client.infer(Blueprint.endpoint, try Blueprint.request(order))))
            }
            #expect(try await shop.get("/journal/verify").json["intact"] == true)
            let page = try await client.get("/metrics").collect()
            let text = String(decoding: page, as: UTF8.self)
            for name in ["sql", "object", "keyvalue"] {
                #expect(text.contains("modelworks_\(name)"), "no metrics of \(name)")
            }
            return answers
        }
    }

    private func archived(_ url: String, _ environment: [String: String]) async throws -> Int64 {
        let database = try await Database.open(try StoreURL(url, secrets: SecretSource(environment: environment)))
        let count = try await database.read { transaction in
            try transaction.first(
                "SELECT count(*) AS n FROM record_sources WHERE channel = ?", [.text("predictions/orders")])?
                .integer("n") == 0
                ? 0
                : try transaction.query(
                    "SELECT records FROM record_segments WHERE channel = ?", [.text("predictions/orders")]
                ).reduce(Int64(0)) { try $0 + $1.integer("records") }
        }
        await database.close()
        return count
    }

    private func logged(_ root: String) throws -> Int {
        var count = 0
        try RecordLog(folder: "\(root)/records/predictions/orders").forEach(from: .start) { _ in count += 1 }
        return count
    }

    @Test(.timeLimit(.minutes(4)), arguments: [false, true]) func thereAndBack(withStreams: Bool) async throws {
        let engines = try await FactoryEngines.shared.set()
        let name = withStreams ? "moved_streams" : "moved"
        var variables = engines.environment(for: name)
        if withStreams {
            for kind in ["predictions", "labels"] {
                try engines.kafka.topic("\(name).records.\(kind).orders", partitions: 4)
            }
        } else {
            variables["MODELWORKS_STREAMS"] = nil
        }
        let environment = variables
        let addresses = StoreAddresses(environment: environment)
        let folder = try TemporaryFolder()
        let root = folder("root")
        let stores = StoreAddresses.Store.allCases.compactMap { store in
            addresses[store].map { "  \(store.rawValue): '\($0)'" }
        }
        try folder.write("name: w\nowner: t\nstores:\n\(stores.joined(separator: "\n"))\n", to: "engines/works.yaml")
        try folder.write("name: w\nowner: t\n", to: "embedded/works.yaml")
        // Only the secrets: which stores there are is said by the directories.
        let secrets = environment.filter { $0.key.hasPrefix("ENGINES_") }

        let first = try await Workshop(in: folder) { $0.environment = [:] }
        try await first.apply()
        try await first.trainAndDeploy()
        let refused = try await Program.run(
            ["migrate", "--from", root, "--to", folder("engines"), "--root", root], secrets, folder: folder.path)
        #expect(refused.code == 1 && refused.errors.contains("in use by another modelworks"), "\(refused.all)")
        let before = try await answers(first)
        #expect(try logged(root) == 6)

        // Broken off twice: when the first object has arrived, and when the tables are being filled.
        let forth = ["migrate", "--from", root, "--to", folder("engines"), "--root", root]
        let sql = try #require(addresses.sql)
        for stage in ["objects", "tables"] {
            let (process, _) = try Program.start(forth, secrets, folder: folder.path)
            try waitUntil("the move has come to the \(stage)") {
                guard process.isRunning else { return true }
                if stage == "objects" { return Self.hasObject(engines, name) }
                return (try? engines.postgres.query("SELECT 1 FROM \(name).journal_head")) == "1\n"
                    || (try? engines.postgres.query("SELECT count(*) FROM \(name).schema_migrations")) != nil
            }
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        let moved = try await Program.run(forth + ["--json"], secrets, folder: folder.path)
        #expect(moved.code == 0, "\(moved.all)")
        let parts = moved.json.array ?? []
        #expect(parts.first?["part"] == "objects" && parts.count > 10, "\(moved.all)")
        #expect(parts.contains { $0["part"] == "table journal" && ($0["entries"]?.integer ?? 0) > 3 })

        let second = try await Workshop(in: folder) {
            $0.stores = addresses
            $0.environment = environment
        }
        // Its predictions of before went along, and come before the new ones.
        let elsewhere = folder("elsewhere")
        let busy = try await Program.run(
            ["migrate", "--from", folder("engines"), "--to", folder("embedded"), "--root", elsewhere], secrets,
            folder: folder.path)
        #expect(busy.code == 1 && busy.errors.contains("works on the factory at"), "\(busy.all)")
        #expect(try await answers(second) == before)
        #expect(try await archived(sql, environment) == 12)

        let back = [
            "migrate", "--from", folder("engines"), "--to", folder("embedded"), "--root", elsewhere, "--json",
        ]
        for _ in 0..<2 {
            let returned = try await Program.run(back, secrets, folder: folder.path)
            #expect(returned.code == 0, "\(returned.all)")
            let records = (returned.json.array ?? []).first { $0["part"] == "records of predictions/orders" }
            #expect(records?["entries"] == 12, "\(returned.all)")
            #expect(try logged(elsewhere) == 12)
        }
        let third = try await Workshop(in: folder) {
            $0.root = elsewhere
            $0.environment = [:]
        }
        #expect(try await answers(third) == before)
        #expect(try logged(elsewhere) == 18)
        let verified = try await Program.run(["journal", "verify", "--root", elsewhere], folder: folder.path)
        #expect(verified.code == 0 && verified.output.hasPrefix("The journal is whole"), "\(verified.all)")
    }

    private static func hasObject(_ engines: EngineSet, _ name: String) -> Bool {
        let answer = try? S3Server.exchange(
            engines.s3.port, "GET /\(engines.bucketName)?list-type=2&prefix=\(name)/sha256/ HTTP/1.0\r\n\r\n")
        return answer?.contains("<Key>") == true
    }
}
