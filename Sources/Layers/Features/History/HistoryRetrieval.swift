import Basics
import Columnar
import Datasets
import Foundation
import ObjectStorage

/// Joins features to entity rows, each as of its own time, and writes what comes out to a file.
///
/// The result has all columns of the entity rows, in their order, and then the features; its rows come in the order of the
/// entity rows. Rows without a value, with a null key, and rows that are the same are kept. It is streamed to the file,
/// spilling what does not fit into the engine's memory, and appears whole or not at all.
extension FeatureStore {
    /// - Parameters:
    ///   - path: the file to write; one of that name is replaced.
    ///   - engine: where the join is computed. Reading the entity rows, transforms and writing stay here.
    /// - Throws: ``FeaturesFailure/request(_:remedy:)`` for what can not be asked, before anything is written.
    public func historicalFeatures(
        _ request: HistoryRequest, of entities: EntityFile, to path: String,
        format: RowFormat = .parquet, engine offline: OfflineEngine = .local
    ) async throws -> HistorySummary {
        let wanted = try catalogue.selection(of: request)
        let staging = scratchPath("entities.parquet")
        let joined = scratchPath("joined.parquet")
        let transformed = scratchPath("transformed.parquet")
        defer { for file in [staging, joined, transformed] { try? FileManager.default.removeItem(atPath: file) } }
        let prepared = try await prepare(wanted, request, entities, staging: staging)
        let plan = prepared.plan
        let context = "the features of \((entities.path as NSString).lastPathComponent)"
        let columns = prepared.rows.columns.map(\.name) + wanted.features
        let query: String
        if case .local = offline, wanted.computed.isEmpty {
            query = DuckDBHistory().query(
                plan, entities: prepared.rows.relation, histories: prepared.histories.map(Self.reading), keepsRow: false
            )
        } else {
            try await join(prepared, on: offline, to: joined, staging: staging, context: context)
            var source = Self.reading(joined)
            if !wanted.computed.isEmpty {
                try await transforms(wanted).evaluate(over: joined, to: transformed, with: engine)
                source += " AS j JOIN \(Self.reading(transformed)) AS t USING (\(HistoryPlan.row))"
            }
            let list = columns.map(SQLText.identifier).joined(separator: ", ")
            query = "SELECT \(list) FROM \(source) ORDER BY \(HistoryPlan.row)"
        }
        let rows = try await engine.run { connection in
            try connection.writeFile(query: query, to: path, format: format, context: context)
        }
        return HistorySummary(
            rows: rows, columns: columns, features: wanted.features, time: prepared.rows.time,
            histories: prepared.digests)
    }

    /// Writes the joined rows with their place to a Parquet file, in any order.
    private func join(
        _ prepared: PreparedHistory, on offline: OfflineEngine, to joined: String, staging: String, context: String
    ) async throws {
        switch offline {
        case .local:
            let query = DuckDBHistory().query(
                prepared.plan, entities: prepared.rows.relation, histories: prepared.histories.map(Self.reading),
                keepsRow: true)
            try await engine.writeParquet(query: query, to: joined, context: context)
        case .spark(let spark):
            let entities = "\(staging).spark"
            defer { try? FileManager.default.removeItem(atPath: entities) }
            try await engine.writeParquet(
                query: "SELECT * FROM \(prepared.rows.relation)", to: entities, context: context)
            let job = SparkEngine.Job(
                prepared.plan, entities: entities, histories: prepared.histories, to: joined)
            try await spark.run([job], workingFile: scratchPath("spark"))
        }
    }

    static func reading(_ path: String) -> String { "read_parquet(\(SQLText.literal(path)))" }

    struct PreparedHistory {
        var plan: HistoryPlan
        var rows: EntityRows
        /// The files of the joins' histories, in order.
        var histories: [String]
        var digests: [String: Digest]
    }

    /// Computes the histories that are not there yet, looks at the entity rows, and plans the join.
    func prepare(
        _ wanted: HistorySelection, _ request: HistoryRequest, _ entities: EntityFile, staging: String
    ) async throws -> PreparedHistory {
        let joins = try joins(of: wanted)
        var histories: [String: ViewHistory] = [:]
        var files: [String: String] = [:]
        for join in joins where histories[join.view.name] == nil {
            let history = try await usableHistory(of: join.view.name, lateData: request.lateData)
            histories[join.view.name] = history
            files[join.view.name] = try await objects.localPath(history.digest)
        }
        let kinds = try await keyKinds(joins, files)
        let rows = try await engine.run { connection in
            try EntityReader(file: entities, time: request.time, keys: kinds, connection: connection, staging: staging)
                .rows()
        }
        try check(wanted, rows, entities)
        var plan = HistoryPlan(columns: rows.columns.map(\.name), joins: [], bounds: rows.bounds)
        for join in joins {
            var view = join.view
            if let lateData = request.lateData, view.createdTime != nil { view.lateData = lateData }
            let length = histories[view.name]?.rows ?? 0
            plan.joins.append(
                .init(
                    name: join.name,
                    keys: join.keys.map {
                        .init(
                            column: $0.column, entityColumn: $0.entityColumn,
                            isWholeNumber: rows.wholeNumbers.contains($0.entityColumn))
                    }, asOf: view.joinTime, eventTime: view.eventTime, ttlSeconds: view.ttlSeconds,
                    outputs: join.outputs, isSparse: rows.count < length / 8))
        }
        return PreparedHistory(
            plan: plan, rows: rows, histories: joins.compactMap { files[$0.view.name] },
            digests: histories.mapValues(\.digest))
    }

    /// The transforms asked for, with the types of what they read.
    func transforms(_ wanted: HistorySelection) throws -> HistoryTransforms {
        var types: [String: FeatureType] = [:]
        for (transform, _) in wanted.computed {
            for input in transform.inputs {
                types[input.description] = try catalogue.view(input.view).features.first { $0.name == input.feature }?
                    .type
            }
        }
        return try HistoryTransforms(wanted.computed, types: types)
    }

    /// The views to join: those asked for, and those that transforms take values from.
    func joins(of wanted: HistorySelection) throws -> [HistorySelection.Joined] {
        var joins = wanted.joined
        for (transform, _) in wanted.computed {
            for input in transform.inputs {
                let column = HistoryTransforms.column(input)
                let output = HistoryPlan.Output(column: input.feature, name: column)
                if let index = joins.firstIndex(where: { $0.name == HistoryTransforms.prefix + input.view }) {
                    if !joins[index].outputs.contains(output) { joins[index].outputs.append(output) }
                } else {
                    let view = try catalogue.view(input.view)
                    joins.append(
                        .init(
                            view: view, name: HistoryTransforms.prefix + input.view,
                            keys: view.joinKeys.map { ($0, $0) }, outputs: [output]))
                }
            }
        }
        return joins
    }

    /// The kind of values that each join key has in the histories, by the name the entity rows give it.
    private func keyKinds(
        _ joins: [HistorySelection.Joined], _ files: [String: String]
    ) async throws -> [String: KeyKind] {
        var kinds: [String: KeyKind] = [:]
        for join in joins {
            guard let file = files[join.view.name] else { continue }
            let found = try await engine.query(
                "DESCRIBE SELECT * FROM \(Self.reading(file))", context: "features/\(join.view.name)")
            let types = zip(try found.strings("column_name"), try found.strings("column_type"))
            let byName = Dictionary(types.compactMap { name, type in name.map { ($0, type ?? "") } }) { first, _ in
                first
            }
            for key in join.keys {
                let kind = KeyKind(type: byName[key.column] ?? "")
                if let other = kinds.updateValue(kind, forKey: key.entityColumn), other != kind {
                    throw FeaturesFailure.request(
                        "the join key '\(key.entityColumn)' has \(other.rawValue) values in one view and \(kind.rawValue) values in another",
                        remedy: "Cast it in one of the views.")
                }
            }
        }
        return kinds
    }

    private func check(_ wanted: HistorySelection, _ rows: EntityRows, _ file: EntityFile) throws {
        let place = "the entity file \((file.path as NSString).lastPathComponent)"
        let names = rows.columns.map(\.name)
        let needed = wanted.request.map(\.name) + wanted.computed.flatMap { $0.transform.request.map(\.name) }
        if let missing = needed.first(where: { !names.contains($0) }) {
            throw FeaturesFailure.request(
                "\(place) has no column '\(missing)', which is a request feature",
                remedy: NearestWord.of(missing, among: names).map { "Did you mean '\($0)'?" }
                    ?? "Its columns are: \(names.joined(separator: ", ")).")
        }
        if let taken = wanted.features.first(where: { names.contains($0) }) {
            throw FeaturesFailure.request(
                "\(place) has a column '\(taken)', and so is a feature called",
                remedy: "Ask for full names, or rename the column.")
        }
    }
}

extension ColumnarConnection {
    /// Writes the rows of a query to a file, which appears whole or not at all.
    ///
    /// - Returns: how many rows were written.
    func writeFile(
        query: String, to path: String, format: RowFormat, context: String
    ) throws -> Int64 {
        let options: String?
        switch format {
        case .parquet: return try writeParquet(query: query, to: path, context: context)
        case .csv: options = "FORMAT csv, HEADER true"
        case .json: options = "FORMAT json"
        case .arrow: options = nil
        }
        let temporary = "\(path).\(getpid())-\(UInt(bitPattern: ObjectIdentifier(self).hashValue)).partial"
        do {
            let rows =
                if let options {
                    try execute("COPY (\(query)\n) TO \(SQLText.literal(temporary)) (\(options))", context: context)
                } else {
                    try writeArrow(query: query, to: temporary, context: context)
                }
            guard rename(temporary, path) == 0 else {
                throw ColumnarFailure(
                    .unavailable, "the file '\(path)' could not be given its name: \(String(cString: strerror(errno)))",
                    remedy: "Check the folder's permissions and free space.")
            }
            return rows
        } catch {
            unlink(temporary)
            throw error
        }
    }
    private func writeArrow(query: String, to path: String, context: String) throws -> Int64 {
        guard FileManager.default.createFile(atPath: path, contents: nil) else {
            throw ColumnarFailure(
                .unavailable, "the file '\(path)' can not be written: \(String(cString: strerror(errno)))",
                remedy: "Check the folder's permissions and free space.")
        }
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        defer { try? file.close() }
        return try writeArrow(query: query, context: context) { try file.write(contentsOf: Data($0)) }
    }
}
