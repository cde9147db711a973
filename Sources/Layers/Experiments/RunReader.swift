import Basics
import SQL

extension ExperimentStore {
    /// All columns of runs, called `r`.
    static let selectRuns = "SELECT \(runColumns) FROM runs AS r"
    static let runColumns = """
        r.number, r.id, r.experiment, r.name, r.user_name, r.status, r.stage, r.location, r.started, r.ended
        """

    static func record(_ id: String, in transaction: Transaction) throws -> RunRecord {
        let rows = try transaction.query("\(selectRuns) WHERE r.id = ?", [.text(id)])
        guard let record = try records(of: rows, in: transaction).first else {
            throw ExperimentsFailure.unknownRun(id)
        }
        return record
    }

    /// Runs by their numbers, in the order given.
    static func records(ofNumbers numbers: [Int64], in transaction: Transaction) throws -> [RunRecord] {
        var rows: [Int64: Row] = [:]
        for block in numberBlocks(numbers.sorted()) {
            let marks = SearchStatement.marks(block.count)
            for row in try transaction.query("\(selectRuns) WHERE r.number IN (\(marks))", block) {
                rows[try row.integer("number")] = row
            }
        }
        return try records(of: numbers.compactMap { rows[$0] }, in: transaction)
    }

    static func info(_ row: Row) throws -> RunInfo {
        RunInfo(
            id: try row.string("id"), experiment: try row.integer("experiment"), name: try row.string("name"),
            user: try row.string("user_name"), status: RunStatus(rawValue: try row.string("status")) ?? .failed,
            stage: LifecycleStage(rawValue: try row.string("stage")) ?? .deleted,
            location: try row.string("location"), started: try row.timestamp("started"),
            ended: try row.optionalTimestamp("ended"))
    }

    /// The runs of some rows with all that was logged to them, read table by table.
    static func records(of rows: [Row], in transaction: Transaction) throws -> [RunRecord] {
        var records = try rows.map { RunRecord(info: try info($0)) }
        var places: [Int64: Int] = [:]
        for (index, row) in rows.enumerated() { places[try row.integer("number")] = index }
        func each(_ columns: String, of table: String, _ body: (inout RunRecord, Row) throws -> Void) throws {
            for block in numberBlocks(places.keys.sorted()) {
                let marks = SearchStatement.marks(block.count)
                try transaction.forEach(
                    "SELECT t.run, \(columns) FROM \(table) WHERE t.run IN (\(marks))", block
                ) { row in
                    guard case .integer(let number)? = row.values.first, let index = places[number],
                        records.indices.contains(index)
                    else { return }
                    try body(&records[index], row)
                }
            }
        }
        try each("t.key, t.value, t.is_nan, t.step, t.time", of: "run_metrics AS t") { record, row in
            // By position: there are thousands of these in a page.
            guard row.values.count == 6, case .text(let key) = row.values[1], case .integer(let isNaN) = row.values[3],
                case .integer(let step) = row.values[4], case .integer(let time) = row.values[5]
            else { return }
            record.metrics.append(
                MetricPoint(
                    key: key, value: isNaN == 1 ? .nan : try row.double("value"), step: step,
                    time: Timestamp(microseconds: time)))
        }
        func pairs(of table: String, _ add: (inout RunRecord, Pair) -> Void) throws {
            try each("t.key, t.value", of: table) { record, row in
                guard row.values.count == 3, case .text(let key) = row.values[1], case .text(let value) = row.values[2]
                else { return }
                add(&record, Pair(key: key, value: value))
            }
        }
        try pairs(of: "run_parameters AS t") { $0.parameters.append($1) }
        try pairs(of: "run_tags AS t") { $0.tags.append($1) }
        try each("t.direction, t.model, t.step", of: "run_models AS t") { record, row in
            let link = ModelLink(model: try row.string("model"), step: try row.integer("step"))
            if try row.string("direction") == "input" {
                record.modelInputs.append(link)
            } else {
                record.modelOutputs.append(link)
            }
        }
        try each(
            "d.id, d.name, d.digest, d.source_type, d.source, d.schema_text, d.profile",
            of: "run_datasets AS t JOIN datasets AS d ON d.id = t.dataset"
        ) { record, row in
            let tags = try transaction.query(
                """
                SELECT g.key, g.value FROM run_dataset_tags AS g WHERE g.run = ? AND g.dataset = ? ORDER BY g.key
                """, [try row.value("run"), try row.value("id")]
            ).map(pair)
            record.datasets.append(
                DatasetInput(
                    name: try row.string("name"), digest: try row.string("digest"),
                    sourceType: try row.string("source_type"), source: try row.string("source"),
                    schema: try row.optionalString("schema_text"), profile: try row.optionalString("profile"),
                    tags: tags))
        }
        for index in records.indices {
            records[index].metrics.sort { $0.key < $1.key }
            records[index].parameters.sort { $0.key < $1.key }
            records[index].tags.sort { $0.key < $1.key }
        }
        return records
    }

    static func point(_ row: Row) throws -> MetricPoint {
        MetricPoint(
            key: try row.string("key"), value: try row.bool("is_nan") ? .nan : row.double("value"),
            step: try row.integer("step"), time: try row.timestamp("time"))
    }

    static func pair(_ row: Row) throws -> Pair {
        Pair(key: try row.string("key"), value: try row.string("value"))
    }

    /// Blocks of few sizes, the last filled up by repeating a number, so that few statements have to be prepared.
    private static func numberBlocks(_ numbers: [Int64]) -> [[SQLValue]] {
        stride(from: 0, to: numbers.count, by: 512).map { start in
            var block = numbers[start..<min(start + 512, numbers.count)].map { SQLValue.integer($0) }
            guard let last = block.last else { return block }
            var size = 1
            while size < block.count { size *= 2 }
            block += [SQLValue](repeating: last, count: size - block.count)
            return block
        }
    }
}
