import Basics
import Configuration

/// A verb whose first argument is a word that says what to do: `modelworks data ingest flights`.
protocol WordedCommand: ClientCommand {
    /// What it can do; the first where no word is given.
    var words: [Word] { get }
}

/// One thing that a verb can do.
struct Word: Sendable {
    let name: String
    /// What must follow the word, such as `ID`.
    let needs: [String]
    let run: @Sendable (Arguments, Client, Context) async throws -> Output

    init(
        _ name: String, needs: String...,
        run: @escaping @Sendable (Arguments, Client, Context) async throws -> Output
    ) {
        self.name = name
        self.needs = needs
        self.run = run
    }

    init(_ name: String, needs: String..., run: @escaping @Sendable (Arguments, Client) async throws -> Output) {
        self.name = name
        self.needs = needs
        self.run = { arguments, client, _ in try await run(arguments, client) }
    }

    /// The word `list`: every row of a table.
    /// - Parameter query: parameters of the request and the options they are taken from.
    static func list(_ table: Listing, query: [(parameter: String, option: String)] = []) -> Word {
        Word("list") { arguments, client in
            try await table.read(client, query.map { ($0.parameter, arguments.option($0.option)) })
        }
    }
}

extension WordedCommand {
    func run(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        try await choose(arguments, client, context)
    }

    /// Runs the word that the first argument names.
    func choose(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        let given = arguments.positional(0)
        guard let word = given.map({ name in words.first { $0.name == name } }) ?? words.first else {
            let names = words.map(\.name)
            let list = names.count > 1 ? "\(names.dropLast().joined(separator: ", ")) or \(names.last ?? "")" : names[0]
            throw UsageError("'modelworks \(usage.name)' knows no '\(given ?? "")'", remedy: "Use \(list).")
        }
        for (index, need) in word.needs.enumerated() where arguments.positional(index + 1) == nil {
            throw UsageError("'modelworks \(usage.name) \(word.name)' needs \(need)")
        }
        return try await word.run(arguments, client, context)
    }
}

/// A document of the API that people read as a table.
struct Listing: Sendable {
    let path: String
    let columns: [(title: String, path: String)]
    /// What is said where there are no rows.
    let empty: String

    init(_ path: String, _ columns: KeyValuePairs<String, String>, empty: String) {
        self.path = path
        self.columns = columns.map { (title: $0.key, path: $0.value) }
        self.empty = empty
    }

    func read(_ client: Client, _ query: [(String, String?)] = []) async throws -> Output {
        show(try await client.get(path, query))
    }

    /// The table of a document that holds such rows.
    func show(_ document: JSONValue) -> Output { Output(document: document, text: text(document)) }

    func text(_ document: JSONValue) -> String { table(document, columns, empty: empty) }
}
