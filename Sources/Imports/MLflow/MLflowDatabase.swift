import Basics
import Experiments
import Foundation
import Registry
import SQL

/// MLflow's SQL store in a SQLite file, of version 1.0 or later: tables and columns that came later are read where they are.
struct MLflowDatabase: ArchiveSource {
    let description: String
    private let file: ForeignSQLite
    private let artifacts: LocalArtifacts
    private let tables: Set<String>
    private static let pageLength: Int64 = 50

    init(_ path: String, _ artifacts: LocalArtifacts) async throws {
        description = "MLflow's database \(path)"
        self.artifacts = artifacts
        file = try await ForeignSQLite(path: path)
        tables = try await file.read { transaction in
            Set(
                try transaction.query("SELECT name FROM sqlite_master WHERE type = 'table'", []).map {
                    try $0.string("name")
                })
        }
        guard tables.isSuperset(of: ["experiments", "runs", "metrics", "params", "tags"]) else {
            throw ImportFailure.unknownSource(path)
        }
    }

    func close() async { await file.close() }
    func moves(_ location: String) -> Bool { artifacts.moves(location) }

    func files(below location: String, of owner: ArtifactOwner) async throws -> [SourceFile] {
        try await artifacts.files(below: location)
    }

    func experiments() async throws -> [SourceExperiment] {
        try await read { reader in
            try reader.rows("SELECT * FROM experiments ORDER BY experiment_id", []).map { row in
                let id = try row.integer("experiment_id")
                return SourceExperiment(
                    id: "\(id)",
                    experiment: ArchivedExperiment(
                        name: try row.string("name"), location: row.text("artifact_location"),
                        stage: row.stage("lifecycle_stage"), created: row.moment("creation_time"),
                        updated: row.moment("last_update_time"),
                        tags: try reader.pairs("experiment_tags", "key", "value", "experiment_id = ?", [.integer(id)])))
            }
        }
    }

    func runCount() async throws -> Int? {
        try await read { Int(try $0.rows("SELECT count(*) AS n FROM runs", []).first?.integer("n") ?? 0) }
    }

    func runs(of experiment: String, from page: String?) async throws -> SourcePage<ArchivedRun> {
        try await read { reader in
            let rows = try reader.rows(
                "SELECT * FROM runs WHERE experiment_id = ? AND run_uuid > ? ORDER BY run_uuid LIMIT ?",
                [.init(Int64(experiment)), .text(page ?? ""), .integer(Self.pageLength)])
            return SourcePage(
                items: try rows.map { try run($0, reader) },
                next: rows.count == Int(Self.pageLength) ? try rows.last?.string("run_uuid") : nil)
        }
    }

    private func run(_ row: Row, _ reader: Reader) throws -> ArchivedRun {
        let id = try row.string("run_uuid")
        let key: [SQLValue] = [.text(id)]
        var points: [String: [MetricPoint]] = [:]
        for row in try reader.rows("SELECT * FROM metrics WHERE run_uuid = ?", key) {
            let metric = try row.string("key")
            let isNaN = row.number("is_nan") == 1
            points[metric, default: []].append(
                MetricPoint(
                    key: metric, value: isNaN ? .nan : try row.optionalDouble("value") ?? .nan,
                    step: row.number("step") ?? 0, time: row.moment("timestamp")))
        }
        let tags = try reader.pairs("tags", "key", "value", "run_uuid = ?", key)
        var datasets: [DatasetInput] = []
        if reader.has("inputs") {
            for input in try reader.rows(
                """
                SELECT * FROM inputs JOIN datasets ON datasets.dataset_uuid = inputs.source_id
                WHERE inputs.source_type = 'DATASET' AND inputs.destination_type = 'RUN' AND inputs.destination_id = ?
                """, key)
            {
                let use = try reader.pairs(
                    "input_tags", "name", "value", "input_uuid = ?", [.text(try input.string("input_uuid"))])
                datasets.append(
                    DatasetInput(
                        name: try input.string("name"), digest: try input.string("digest"),
                        sourceType: try input.string("dataset_source_type"),
                        source: try input.string("dataset_source"), schema: input.text("dataset_schema"),
                        profile: input.text("dataset_profile"), tags: use.map { Pair(key: $0.key, value: $0.value) }))
            }
        }
        return ArchivedRun(
            RunInfo(
                id: id, experiment: 0,
                name: row.text("name").flatMap { $0.isEmpty ? nil : $0 }
                    ?? tags[ExperimentStore.nameTag] ?? "",
                user: row.text("user_id") ?? "", status: RunStatus(rawValue: row.text("status") ?? "") ?? .running,
                stage: row.stage("lifecycle_stage"), location: row.text("artifact_uri") ?? "",
                started: row.moment("start_time"), ended: row.number("end_time").map(MLflowStore.moment)),
            parameters: try reader.pairs("params", "key", "value", "run_uuid = ?", key), tags: tags,
            metrics: points.map { MetricSeries($0.key, $0.value) }, datasets: datasets,
            modelInputs: try links("source_type = 'RUN_INPUT' AND source_id = ?", "destination_id", key, reader),
            modelOutputs: try links("source_type = 'RUN_OUTPUT' AND source_id = ?", "destination_id", key, reader))
    }

    private func links(
        _ condition: String, _ column: String, _ values: [SQLValue], _ reader: Reader
    ) throws -> [ModelLink] {
        guard reader.has("inputs") else { return [] }
        return try reader.rows("SELECT * FROM inputs WHERE \(condition)", values).map {
            ModelLink(model: try $0.string(column), step: $0.number("step") ?? 0)
        }
    }

    func loggedModels(of experiment: String, from page: String?) async throws -> SourcePage<ArchivedLoggedModel> {
        guard tables.contains("logged_models") else { return SourcePage(items: [], next: nil) }
        return try await read { reader in
            let rows = try reader.rows(
                "SELECT * FROM logged_models WHERE experiment_id = ? AND model_id > ? ORDER BY model_id LIMIT ?",
                [.init(Int64(experiment)), .text(page ?? ""), .integer(Self.pageLength)])
            let models = try rows.map { row in
                let id = try row.string("model_id")
                let key: [SQLValue] = [.text(id)]
                let metrics = try reader.rows("SELECT * FROM logged_model_metrics WHERE model_id = ?", key).map { row in
                    LoggedModelMetric(
                        point: MetricPoint(
                            key: try row.string("metric_name"), value: try row.optionalDouble("metric_value") ?? .nan,
                            step: row.number("metric_step") ?? 0, time: row.moment("metric_timestamp_ms")),
                        run: row.text("run_id") ?? "", datasetName: row.text("dataset_name") ?? "",
                        datasetDigest: row.text("dataset_digest") ?? "")
                }
                let status: LoggedModelStatus =
                    switch row.number("status") {
                    case 2: .ready
                    case 3: .failed
                    default: .pending
                    }
                func list(_ table: String, _ name: String, _ value: String) throws -> [Pair] {
                    try reader.pairs(table, name, value, "model_id = ?", key).map { Pair(key: $0.key, value: $0.value) }
                }
                let model = LoggedModel(
                    id: id, experiment: 0, name: try row.string("name"),
                    location: try row.string("artifact_location"), status: status, type: row.text("model_type") ?? "",
                    sourceRun: row.text("source_run_id") ?? "", stage: row.stage("lifecycle_stage"),
                    created: row.moment("creation_timestamp_ms"),
                    updated: row.moment("last_updated_timestamp_ms"),
                    parameters: try list("logged_model_params", "param_key", "param_value"),
                    tags: try list("logged_model_tags", "tag_key", "tag_value"), metrics: metrics)
                return ArchivedLoggedModel(model)
            }
            return SourcePage(
                items: models, next: rows.count == Int(Self.pageLength) ? try rows.last?.string("model_id") : nil)
        }
    }

    func models() async throws -> [ArchivedModel] {
        guard tables.contains("registered_models") else { return [] }
        return try await read { reader in
            try reader.rows("SELECT * FROM registered_models ORDER BY name", []).map { row in
                let name = try row.string("name")
                let key: [SQLValue] = [.text(name)]
                let rows = try reader.rows("SELECT * FROM model_versions WHERE name = ?", key)
                let versions = try rows.compactMap { row -> ArchivedModel.Version? in
                    // A deleted version leaves a row with a stage of its own, which only keeps its number.
                    guard let stage = Stage(rawValue: row.text("current_stage") ?? Stage.none.rawValue) else {
                        return nil
                    }
                    let number = try row.integer("version")
                    let source = row.text("source") ?? ""
                    return ArchivedModel.Version(
                        number: number, stage: stage, description: row.text("description") ?? "", source: source,
                        location: row.text("storage_location") ?? source, run: row.text("run_id") ?? "",
                        runLink: row.text("run_link") ?? "", loggedModel: MLflowStore.loggedModel(of: source),
                        created: row.moment("creation_time"), updated: row.moment("last_updated_time"),
                        tags: try reader.pairs(
                            "model_version_tags", "key", "value", "name = ? AND version = ?",
                            [.text(name), .integer(number)]))
                }
                var aliases: [String: Int64] = [:]
                if reader.has("registered_model_aliases") {
                    for row in try reader.rows("SELECT * FROM registered_model_aliases WHERE name = ?", key) {
                        aliases[try row.string("alias")] = try row.integer("version")
                    }
                }
                return ArchivedModel(
                    name: name, description: row.text("description") ?? "", created: row.moment("creation_time"),
                    updated: row.moment("last_updated_time"),
                    tags: try reader.pairs("registered_model_tags", "key", "value", "name = ?", key), aliases: aliases,
                    lastVersion: try rows.map { try $0.integer("version") }.max() ?? 0, versions: versions)
            }
        }
    }

    private func read<Value: Sendable>(
        _ body: @escaping @Sendable (Reader) throws -> Value
    ) async throws -> Value {
        let tables = tables
        return try await file.read { try body(Reader(transaction: $0, tables: tables)) }
    }

    /// Reads rows of tables that may not be there yet.
    private struct Reader {
        let transaction: Transaction
        let tables: Set<String>

        func has(_ table: String) -> Bool { tables.contains(table) }

        func rows(_ statement: String, _ values: [SQLValue]) throws -> [Row] {
            try transaction.query(statement, values)
        }

        func pairs(
            _ table: String, _ key: String, _ value: String, _ condition: String, _ values: [SQLValue]
        ) throws -> [String: String] {
            guard has(table) else { return [:] }
            return try rows("SELECT * FROM \(table) WHERE \(condition)", values).reduce(into: [:]) { pairs, row in
                pairs[try row.string(key)] = row.text(value) ?? ""
            }
        }
    }
}

extension Row {
    /// Nil for an empty column, or one that is not there.
    fileprivate func text(_ name: String) -> String? { try? optionalString(name) }

    /// Nil for an empty column, or one that is not there.
    fileprivate func number(_ name: String) -> Int64? { try? optionalInteger(name) }

    /// A moment stored as milliseconds; 1970 where there is none.
    fileprivate func moment(_ name: String) -> Timestamp { MLflowStore.moment(number(name) ?? 0) }

    fileprivate func stage(_ name: String) -> LifecycleStage {
        text(name).flatMap { LifecycleStage(rawValue: $0.lowercased()) } ?? .active
    }
}
