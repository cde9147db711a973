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
    ///   - engine: where the join is computed; nil for where the store computes all of them. Reading the entity rows, transforms and writing stay here.
    /// - Throws: ``FeaturesFailure/request(_:remedy:)`` for what can not be asked, before anything is written.
    public func historicalFeatures(
        _ request: HistoryRequest, of entities: EntityFile, to path: String,
        format: RowFormat = .parquet, engine chosen: OfflineEngine? = nil
    ) async throws -> HistorySummary {
        let wanted = try catalogue.selection(of: request)
        let staging = scratchPath("entities.parquet")
        let joined = scratchPath("joined.parquet")
        let transformed = scratchPath("transformed.parquet")
        defer { for file in [staging, joined, transformed] { try? FileManager.default.removeItem(atPath: file) } }
        let offline = chosen ?? offline
        var isLocal = false
        if case .local = offline { isLocal = true }
        let prepared = try await prepare(wanted, request, entities, staging: staging, mayCompute: isLocal)
        let context = "the features of \((entities.path as NSString).lastPathComponent)"
        let columns = prepared.rows.columns.map(\.name) + wanted.features
        let rows: Int64
        if isLocal, wanted.computed.isEmpty {
            rows = try await engine.run { connection in
                try prepared.query(on: connection, keepsRow: false) {
                    try connection.writeFile(query: $0, to: path, format: format, context: context)
                }
            }
        } else {
            try await join(prepared, on: offline, to: joined, staging: staging, context: context)
            var source = Self.reading(joined)
            if !wanted.computed.isEmpty {
                try await transforms(wanted).evaluate(over: joined, to: transformed, with: engine)
                source += " AS j JOIN \(Self.reading(transformed)) AS t USING (\(HistoryPlan.row))"
            }
            let list = columns.map(SQLText.identifier).joined(separator: ", ")
            let query = "SELECT \(list) FROM \(source) ORDER BY \(HistoryPlan.row)"
            rows = try await engine.run { connection in
                try connection.writeFile(query: query, to: path, format: format, context: context)
            }
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
            try await engine.run { connection in
                try prepared.query(on: connection, keepsRow: true) {
                    _ = try connection.writeParquet(query: $0, to: joined, context: context)
                }
            }
        case .spark(let spark):
            let entities = "\(staging).spark"
            defer { try? FileManager.default.removeItem(atPath: entities) }
            try await engine.writeParquet(
                query: "SELECT * FROM \(prepared.rows.relation)", to: entities, context: context)
            let job = SparkEngine.Job(
                prepared.plan, entities: entities, histories: prepared.paths, to: joined)
            try await spark.run([job], workingFile: scratchPath("spark"))
        }
    }

    static func reading(_ path: String) -> String { "read_parquet(\(SQLText.literal(path)))" }

    struct PreparedHistory {
        var plan: HistoryPlan
        var rows: EntityRows
        /// Where the rows of the joins' views come from, in order.
        var sources: [HistorySource]

        /// The files of the histories that are stored.
        var paths: [String] { sources.compactMap(\.path) }

        var digests: [String: Digest] {
            var digests: [String: Digest] = [:]
            for case .stored(let history, _) in sources { digests[history.view] = history.digest }
            return digests
        }

        /// Computes what is not stored, lends the query that joins, and removes what was computed.
        func query<Result>(
            on connection: ColumnarConnection, keepsRow: Bool, _ body: (String) throws -> Result
        ) throws -> Result {
            try connection.undoing {
                var plan = plan
                var tables: [String: String] = [:]
                var relations: [String] = []
                for source in sources {
                    guard case .computed(let history) = source else {
                        relations.append(source.relation)
                        continue
                    }
                    let places = sources.indices.filter { sources[$0].computedTable == history.table }
                    let table =
                        try tables[history.table] ?? history.make(for: &plan, places, rows, on: connection)
                    tables[history.table] = table
                    relations.append(table)
                }
                return try body(
                    DuckDBHistory().query(plan, entities: rows.relation, histories: relations, keepsRow: keepsRow))
            }
        }
    }

    /// Finds the histories, looks at the entity rows, and plans the join.
    /// - Parameter mayCompute: whether rows may be computed for this request alone; if not, histories that are not there
    ///   yet are computed and stored.
    func prepare(
        _ wanted: HistorySelection, _ request: HistoryRequest, _ entities: EntityFile, staging: String,
        mayCompute: Bool = false
    ) async throws -> PreparedHistory {
        var joins = try joins(of: wanted)
        var sources: [String: HistorySource] = [:]
        for index in joins.indices {
            if let lateData = request.lateData, joins[index].view.createdTime != nil {
                joins[index].view.lateData = lateData
            }
            let view = joins[index].view
            guard sources[view.name] == nil else { continue }
            sources[view.name] = try await historySource(of: view, mayCompute: mayCompute)
        }
        let kinds = try await keyKinds(joins, sources.mapValues(\.relation))
        let rows = try await engine.run { connection in
            try EntityReader(file: entities, time: request.time, keys: kinds, connection: connection, staging: staging)
                .rows()
        }
        try check(wanted, rows, entities)
        var plan = HistoryPlan(columns: rows.columns.map(\.name), joins: [], bounds: rows.bounds)
        for join in joins {
            plan.joins.append(
                .init(
                    name: join.name,
                    keys: join.keys.map {
                        .init(
                            column: $0.column, entityColumn: $0.entityColumn,
                            isWholeNumber: rows.wholeNumbers.contains($0.entityColumn))
                    }, asOf: join.view.joinTime, eventTime: join.view.eventTime, ttlSeconds: join.view.ttlSeconds,
                    outputs: join.outputs,
                    isSparse: sources[join.view.name]?.rows.map { rows.isFew(beside: $0) } ?? false))
        }
        return PreparedHistory(plan: plan, rows: rows, sources: joins.compactMap { sources[$0.view.name] })
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
        _ joins: [HistorySelection.Joined], _ relations: [String: String]
    ) async throws -> [String: KeyKind] {
        var kinds: [String: KeyKind] = [:]
        for join in joins {
            guard let relation = relations[join.view.name] else { continue }
            let found = try await engine.query(
                "DESCRIBE SELECT * FROM \(relation)", context: "features/\(join.view.name)")
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
