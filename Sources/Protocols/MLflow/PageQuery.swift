import Basics

/// A question of MLflow's web pages, which ask four of theirs in the language GraphQL: one field with one input, and the
/// names of what they want to see of it.
///
/// `query GetRun($data: Input!) { mlflowGetRun(input: $data) { run { info { runName } } } }`. Of the language it takes
/// names, selections in braces, arguments and directives (both are passed over but for the name of the input), and
/// nothing else: no fragments, aliases or literals.
struct PageQuery: Equatable {
    /// A name, and what is wanted of it; nothing for a plain value.
    struct Selection: Equatable {
        var name: String
        var selections: [Selection] = []
    }

    /// What is asked for, such as `mlflowGetRun`.
    var root: Selection
    /// The variable that holds the input.
    var variable: String

    private static let lengthLimit = 64 << 10
    private static let depthLimit = 16

    /// - Throws: ``MLflowFailure/invalid(_:)``.
    init(_ text: String) throws {
        guard text.utf8.count <= Self.lengthLimit else {
            throw MLflowFailure.invalid("the query is longer than \(Self.lengthLimit) bytes")
        }
        var reader = Reader(rest: Array(text.utf8)[...])
        try reader.skipHead()
        let fields = try reader.selections(depth: 0)
        guard let root = fields.first, fields.count == 1, reader.isAtEnd, let variable = reader.variable else {
            throw Self.refusal("it must be one operation that asks for one field with `input: $variable`")
        }
        self.root = root
        self.variable = variable
    }

    private static func refusal(_ reason: String) -> MLflowFailure { .invalid("Can not answer the query: \(reason)") }

    /// Reads a query from its start to its end.
    private struct Reader {
        var rest: ArraySlice<UInt8>
        /// The variable of the outermost field's input.
        var variable: String?

        var isAtEnd: Bool {
            mutating get {
                skipBlanks()
                return rest.isEmpty
            }
        }

        /// Goes to the first brace: over the kind and name of the operation, its variables and directives.
        mutating func skipHead() throws {
            skipBlanks()
            if let word = name(), word != "query", word != "mutation" { throw refusal("'\(word)' is no operation") }
            skipBlanks()
            _ = name()
            skipBlanks()
            _ = try arguments()
            try skipDirectives()
        }

        mutating func selections(depth: Int) throws -> [Selection] {
            guard depth < depthLimit else { throw refusal("it is nested more than \(depthLimit) deep") }
            guard take("{") else { throw refusal("'{' is missing") }
            var found: [Selection] = []
            var names: Set<String> = []
            skipBlanks()
            while !take("}") {
                guard let word = name() else { throw refusal("a name is missing; fragments can not be asked for") }
                skipBlanks()
                guard rest.first != UInt8(ascii: ":") else { throw refusal("'\(word)' is an alias") }
                let input = try arguments()
                if depth == 0 { variable = input }
                try skipDirectives()
                var selection = Selection(name: word)
                if rest.first == UInt8(ascii: "{") { selection.selections = try selections(depth: depth + 1) }
                guard names.insert(word).inserted else { throw refusal("'\(word)' is asked for twice in one place") }
                found.append(selection)
                skipBlanks()
            }
            return found
        }

        /// Goes over arguments in brackets.
        /// - Returns: the name of the first variable among them.
        private mutating func arguments() throws -> String? {
            guard take("(") else { return nil }
            var variable: String?
            while !take(")") {
                guard let byte = rest.popFirst() else { throw refusal("')' is missing") }
                if byte == UInt8(ascii: "$"), variable == nil { variable = name() }
                if byte == UInt8(ascii: "\"") { try skipText() }
            }
            skipBlanks()
            return variable
        }

        private mutating func skipDirectives() throws {
            skipBlanks()
            while take("@") {
                _ = name()
                _ = try arguments()
                skipBlanks()
            }
        }

        private mutating func skipText() throws {
            while let byte = rest.popFirst() {
                if byte == UInt8(ascii: "\"") { return }
                if byte == UInt8(ascii: "\\") { _ = rest.popFirst() }
            }
            throw refusal("a text is not closed")
        }

        private mutating func name() -> String? {
            let word = rest.prefix { byte in
                (65...90).contains(byte) || (97...122).contains(byte) || (48...57).contains(byte)
                    || byte == UInt8(ascii: "_")
            }
            rest = rest.dropFirst(word.count)
            return word.isEmpty ? nil : String(decoding: word, as: UTF8.self)
        }

        private mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard rest.first == UInt8(ascii: character) else { return false }
            rest.removeFirst()
            return true
        }

        private mutating func skipBlanks() {
            while let byte = rest.first, byte == 32 || byte == UInt8(ascii: ",") || (9...13).contains(byte) {
                rest.removeFirst()
            }
        }
    }
}

extension PageQuery.Selection {
    /// 64-bit numbers, which go as text so that JavaScript does not round them.
    private static let long: Set<String> = [
        "timestamp", "step", "startTime", "endTime", "creationTime", "lastUpdateTime", "creationTimestamp",
        "lastUpdatedTimestamp", "fileSize",
    ]

    /// Lists, which REST leaves out where they are empty.
    private static let lists: Set<String> = [
        "aliases", "datasetInputs", "datasetSummaries", "files", "metrics", "modelInputs", "modelOutputs",
        "modelVersions", "params", "runs", "tags",
    ]

    /// What is wanted of a message of the REST protocol; what the message does not have is null, or an empty list.
    /// - Parameter ofMetrics: whether it is a metric, whose value is null where JSON has no number for it.
    func choose(from message: JSONValue, ofMetrics: Bool = false) -> JSONValue {
        switch message {
        case .array(let items): return .array(items.map { choose(from: $0, ofMetrics: ofMetrics) })
        case .object(let members):
            var chosen: [String: JSONValue] = [:]
            for wanted in selections where wanted.name != "__typename" {
                let found = members[wanted.snake] ?? (Self.lists.contains(wanted.name) ? [] : .null)
                switch found {
                case .array, .object:
                    chosen[wanted.name] =
                        wanted.selections.isEmpty
                        ? found : wanted.choose(from: found, ofMetrics: wanted.name == "metrics")
                case .integer(let number) where Self.long.contains(wanted.name):
                    chosen[wanted.name] = .string(String(number))
                case .string where ofMetrics && wanted.name == "value": chosen[wanted.name] = .null
                default: chosen[wanted.name] = found
                }
            }
            return .object(chosen)
        default: return message
        }
    }

    /// The selection of a name in it.
    func selection(_ name: String) -> Self? { selections.first { $0.name == name } }

    /// `runName` as REST has it, `run_name`; what has no capital letters stays.
    private var snake: String {
        var text = ""
        for character in name {
            if character.isUppercase { text += "_" }
            text += character.lowercased()
        }
        return text
    }
}
