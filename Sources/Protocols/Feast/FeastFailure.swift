import Basics

/// What can be wrong with a request in Feast's protocol before it reaches the feature store.
enum FeastFailure: Failure {
    /// The body is no JSON.
    case malformed(String, where: String, limit: Bool)
    /// The body has another shape than its route asks for.
    case shape([ShapeProblem])
    case value(String, remedy: String?)
    /// Outputs that would have one name.
    case collision([String])
    case pushSource(String, known: [String])

    var code: FailureCode { .invalidArgument }

    var message: String {
        switch self {
        case .malformed(let problem, let place, _): place.isEmpty ? problem : "\(problem) at \(place)"
        case .shape(let problems):
            problems.map { "\($0.place): \($0.message)" }.joined(separator: "; ")
        case .value(let problem, _): problem
        case .collision(let names): "several features would be called \(names.joined(separator: ", "))"
        case .pushSource(let name, _): "Unable to find push source '\(name)'."
        }
    }

    var remedy: String? {
        switch self {
        case .value(_, let remedy): remedy
        case .collision: "Set full_feature_names, or ask for each feature once."
        case .pushSource(_, let known):
            known.isEmpty ? nil : "Known: \(known.sorted().joined(separator: ", "))."
        case .malformed, .shape: nil
        }
    }
}

/// One thing about a body that its route does not take, in the words of the validator that Feast's server uses.
struct ShapeProblem: Sendable, Equatable {
    enum Step: Sendable, Equatable {
        case member(String)
        case element(Int)
    }

    /// Such as `missing` or `list_type`.
    var type: String
    /// From the body on.
    var path: [Step]
    var message: String

    static func missing(_ name: String) -> ShapeProblem {
        ShapeProblem(type: "missing", path: [.member(name)], message: "Field required")
    }

    static func wrong(_ kind: Kind, _ path: Step...) -> ShapeProblem {
        ShapeProblem(type: kind.rawValue, path: path, message: kind.message)
    }

    enum Kind: String {
        case list = "list_type"
        case text = "string_type"
        case truth = "bool_type"
        case members = "dict_type"
        case body = "model_attributes_type"

        var message: String {
            switch self {
            case .list: "Input should be a valid list"
            case .text: "Input should be a valid string"
            case .truth: "Input should be a valid boolean"
            case .members: "Input should be a valid dictionary"
            case .body: "Input should be a valid dictionary or object to extract fields from"
            }
        }
    }

    var place: String {
        path.reduce("body") { text, step in
            switch step {
            case .member(let name): "\(text).\(name)"
            case .element(let index): "\(text)[\(index)]"
            }
        }
    }

    /// As an item of the answer's `detail`.
    func json(_ body: JSONValue) -> JSONValue {
        var input = body
        for step in type == "missing" ? path.dropLast() : path[...] {
            switch (step, input) {
            case (.member(let name), _): input = input[name] ?? .null
            case (.element(let index), .array(let items)) where items.indices.contains(index): input = items[index]
            case (.element, _): input = .null
            }
        }
        let place = path.map { step -> JSONValue in
            switch step {
            case .member(let name): .string(name)
            case .element(let index): .integer(Int64(index))
            }
        }
        return [
            "type": .string(type), "loc": .array([.string("body")] + place), "msg": .string(message), "input": input,
        ]
    }
}
