import Configuration

/// What stands in a document of `kind: score` beside what every job has: `modelworks score` with these options.
struct ScoreStep {
    /// The program that is run.
    let program: String
    let arguments: [String]

    /// Keys that stand for an option of the same name, whose value is one word.
    private static let words: [String: String] = [
        "input": "input", "query": "query", "input_table": "input-table", "input_format": "input-format",
        "output": "output", "table": "table", "partitions": "partitions", "rows_per_partition": "rows-per-partition",
        "batch": "batch", "threads": "threads", "on_error": "on-error", "memory": "memory", "engine": "engine",
        "spark": "spark",
    ]
    /// Those whose value is a list.
    private static let lists = ["keep", "features", "outputs"]

    static let keys = words.keys.sorted() + lists + ["model", "columns", "overwrite", "program"]

    /// - Throws: `ConfigurationFailure`.
    init(_ map: ConfigurationMapping) throws {
        program = try map.optionalString("program") ?? "modelworks"
        var arguments = ["score", try map.string("model"), "--json"]
        for required in ["input", "output"] { _ = try map.string(required) }
        for (key, option) in Self.words.sorted(by: { $0.key < $1.key }) {
            // Numbers are words of a command line as well.
            if let value = try map.node(key)?.string() { arguments.append("--\(option)=\(value)") }
        }
        for key in Self.lists where map.node(key) != nil {
            arguments.append("--\(key)=\(try map.strings(key).joined(separator: ","))")
        }
        let columns = try map.node("columns")?.mapping().entries ?? []
        if !columns.isEmpty {
            let pairs = try columns.map { "\($0.key)=\(try $0.value.string())" }
            arguments.append("--columns=\(pairs.joined(separator: ","))")
        }
        if try map.bool("overwrite", default: false) { arguments.append("--overwrite") }
        self.arguments = arguments
    }
}
