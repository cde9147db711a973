import Basics
import Engines
import Foundation
import TestSupport

/// All measurements, one after the other, so that none takes another's processors.
struct StoresBench {
    let seconds: Double
    let only: String?

    func run() async throws -> [Figure] {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        var figures: [Figure] = []
        if wants("journal") {
            let journal = JournalBench(seconds: seconds)
            figures += try await journal.appends("SQLite", file(folder("appends.db")))
            let server = try PostgresServer()
            defer { server.remove() }
            figures += try await journal.appends("PostgreSQL", server.url(schema: "bench"))
        }
        if wants("verify") {
            figures.append(try await JournalBench(seconds: seconds).verify(file(folder("verify.db"))))
        }
        if wants("objects") { figures += try await ObjectBench(folder: folder).run() }
        let siblings = Siblings(seconds: seconds)
        if wants("keyvalue") { figures += try siblings.keyValue() }
        if wants("streams") {
            figures += try siblings.streams("local log", "log:\(folder("log"))", records: 200_000)
            let kafka = try KafkaServer()
            defer { withExtendedLifetime(kafka) {} }
            try kafka.topic("bench", partitions: 4)
            // The broker in memory keeps 5 MiB a partition.
            figures += try siblings.streams("Kafka", "kafka:?brokers=\(kafka.bootstrap)", records: 100_000)
        }
        return figures
    }

    private func wants(_ part: String) -> Bool { only == nil || only == part }

    private func file(_ path: String) throws -> StoreURL {
        try StoreURL("sqlite://\(path)", secrets: SecretSource(environment: [:]))
    }
}
