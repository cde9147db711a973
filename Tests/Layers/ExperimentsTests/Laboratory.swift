import Basics
import Engines
import Journal
import ObjectStorage
import SQL
import TestSupport

@testable import Experiments

/// A store of experiments of a test's own.
struct Laboratory {
    let folder: TemporaryFolder
    let database: Database
    let store: ExperimentStore

    init(_ engine: SQLEngine) async throws {
        folder = try TemporaryFolder()
        database = try await engine.database(in: folder)
        try await database.migrate(Journal.migrations + ExperimentStore.migrations)
        store = ExperimentStore(
            database: database, objects: try FileObjectStore(root: folder("objects")),
            time: ManualTime(Timestamp(seconds: 1_000_000)), random: SeededRandom(seed: 7), process: "test")
    }

    func run(in experiment: Int64 = 0, started: Int64 = 0) async throws -> String {
        try await store.createRun(
            in: experiment, name: nil, user: "", started: Timestamp(seconds: started), tags: [], by: "user:test"
        ).info.id
    }

    func trace(_ id: String, in experiment: Int64 = 0, tags: [Pair] = []) async throws -> TraceInfo {
        try await store.keepTrace(
            TraceInfo(
                id: id, experiment: experiment, started: Timestamp(seconds: 1), duration: nil, state: .good, tags: tags)
        )
    }

    func find(
        _ filter: String, order: [String] = [], view: StageView = .active, limit: Int = 1000, offset: Int = 0,
        narrowLimit: Int64 = 1000, in experiments: [Int64] = [0]
    ) async throws -> SearchPage<RunRecord> {
        var query = ExperimentStore.RunQuery(
            experiments: experiments, filter: try SearchFilter(filter, .runs),
            order: try SearchOrder.keys(order, .runs),
            view: view, limit: limit, offset: offset)
        query.narrowLimit = narrowLimit
        return try await store.search(query)
    }
}
