import Basics
import Columnar
import TestSupport

/// What callers were told, and whether the records say the same.
struct AnswerLedger: Sendable {
    /// An answer that came.
    struct Told: Sendable {
        var model: AskedModels.Name
        var input: [Double]
        var output: [Double]
    }

    /// By the request's id.
    private(set) var told: [String: Told] = [:]

    mutating func add(_ id: String, _ answer: Told) { told[id] = answer }

    /// Those that `other` has not.
    func without(_ other: AnswerLedger) -> AnswerLedger {
        var rest = self
        rest.told = told.filter { other.told[$0.key] == nil }
        return rest
    }

    /// Compares with records as the API lists them.
    /// - Returns: what is wrong: an answer whose record is not there or says something else, or one that is there twice.
    func faults(in records: [JSONValue]) -> [String] {
        var faults: [String] = []
        var found: [String: JSONValue] = [:]
        for record in records {
            let id = record["id"]?.string ?? "?"
            if found.updateValue(record, forKey: id) != nil { faults.append("\(id) is there twice") }
        }
        for (id, answer) in told {
            guard let record = found[id] else {
                faults.append("\(id) of \(answer.model) is lost")
                continue
            }
            func numbers(_ part: String) -> [Double] {
                (record[part]?.array?.first?["data"]?.array ?? []).compactMap(\.double)
            }
            if record["model"]?.string != answer.model.rawValue || record["outcome"]?.string != "answered"
                || numbers("inputs") != answer.input || numbers("outputs") != answer.output
            {
                faults.append("\(id) was \(answer), and is kept as \(record)")
            }
        }
        return faults
    }

    /// Has everything taken into Parquet, and looks there as any other program would.
    /// - Parameter kept: the folder that the server keeps its records in.
    /// - Returns: the ids that are there twice, or that were told and are not there, or not as they were told.
    func faultsInParquet(_ server: Server, kept: String, _ folder: TemporaryFolder) throws -> [String] {
        try API(url: server.url).post("/predictions/compact", [:])
        let connection = try ColumnarEngine(ColumnarOptions(temporaryDirectory: folder("spill"))).connect()
        return try Set(told.values.map(\.model)).flatMap { model in
            let lines = told.filter { $0.value.model == model }.map { id, answer in
                "\(id);\(answer.input);\(answer.output)\n"
            }
            let list = try folder.write("id;input;output\n" + lines.joined(), to: "told-\(model).csv")
            let found = try connection.query(
                """
                SELECT coalesce(told.id, kept.id) AS id, count(kept.id) AS times, bool_or(told.id IS NOT NULL) AS isTold,
                  bool_and(told.input IS NOT DISTINCT FROM kept."input:\(model.input)"
                    AND told.output IS NOT DISTINCT FROM kept."output:\(model.output)") AS isSame
                FROM read_csv('\(list)', header = true, delim = ';',
                  columns = {'id': 'VARCHAR', 'input': 'DOUBLE[]', 'output': 'DOUBLE[]'}) AS told
                FULL JOIN read_parquet('\(kept)/history/requests/\(model)/*/*.parquet', union_by_name = true) AS kept
                  ON told.id = kept.id
                GROUP BY ALL HAVING times > 1 OR (isTold AND NOT isSame)
                """)
            return try zip(found.strings("id"), found.integers("times")).map { id, times in
                "\(id ?? "?") of \(model) is in Parquet \(times ?? 0) times, or otherwise than it was told"
            }
        }
    }
}
