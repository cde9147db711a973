import Basics
import Engines
import SQL
import Synchronization
import Telemetry
import Testing

/// A connection that is cut at one moment of a group's life: every change is made once, whichever moment it is.
@Suite struct CommitDoubtTests {
    private static let moments = ["SAVEPOINT change", "INTO marks", "COMMIT\0", "advisory_xact_lock"]

    @Test(arguments: moments, [CuttingProxy.Cut.beforeSending, .beforeAnswer])
    func aCutConnectionMakesEveryChangeOnce(_ moment: String, _ cut: CuttingProxy.Cut) async throws {
        let server = try await SharedPostgres.only.server()
        let proxy = try CuttingProxy(to: server.port)
        let metrics = MetricsRegistry()
        let schema = "doubt_\(cut)_\(moment.lowercased().filter(\.isLetter))".lowercased()
        let database = try await Database.open(
            try server.url(schema: schema, port: proxy.port), metrics: metrics)
        try await database.write { try $0.execute("CREATE TABLE marks (id INTEGER NOT NULL)") }
        let tally = Tally()
        proxy.cut(cut, at: moment)
        try await database.write { transaction in
            tally.runs.wrappingAdd(1, ordering: .relaxed)
            try transaction.execute("INSERT INTO marks (id) VALUES (?)", [.integer(7)])
        }
        #expect(proxy.cuts == 1)
        let ids = try await database.read { try $0.query("SELECT id FROM marks").map { try $0.int("id") } }
        #expect(ids == [7])
        // What was committed before the cut is found to be there, and is not made again.
        let committed = moment == "COMMIT\0" && cut == .beforeAnswer
        #expect(tally.runs.load(ordering: .relaxed) == (committed ? 1 : 2))
        #expect(metrics.prometheusText().contains("modelworks_sql_reconnects_total{engine=\"postgresql\"} 1"))
        await database.close()
    }

    private final class Tally: Sendable {
        let runs = Atomic<Int>(0)
    }
}
