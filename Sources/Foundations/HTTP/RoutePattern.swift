/// A path with parameters: `/models/{name}/versions/{version:int}`, or `/files/{path:path}` for all that follows.
struct RoutePattern: Sendable {
    enum Segment: Sendable, Hashable {
        case literal(String)
        case text(String)
        case integer(String)
        case rest(String)

        var parameter: String? {
            switch self {
            case .literal: nil
            case .text(let name), .integer(let name), .rest(let name): name
            }
        }
    }

    let text: String
    let segments: [Segment]

    /// The pattern, or why the text can not be understood.
    static func parse(_ text: String) -> Result<RoutePattern, PatternProblem> {
        guard text.hasPrefix("/") else { return .failure(PatternProblem("'\(text)' does not start with '/'")) }
        var segments: [Segment] = []
        var names: Set<String> = []
        for piece in text.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            if case .rest = segments.last {
                return .failure(PatternProblem("'\(text)' goes on after a parameter that takes the rest of the path"))
            }
            guard piece.hasPrefix("{") else {
                guard !piece.contains("{"), !piece.contains("}") else {
                    return .failure(PatternProblem("'\(text)' has braces within the segment '\(piece)'"))
                }
                segments.append(.literal(String(piece)))
                continue
            }
            guard piece.hasSuffix("}") else { return .failure(PatternProblem("'\(text)' has an open brace")) }
            let parts = piece.dropFirst().dropLast().split(separator: ":", omittingEmptySubsequences: false)
            let name = String(parts.first ?? "")
            guard !name.isEmpty, names.insert(name).inserted else {
                return .failure(PatternProblem("'\(text)' has a parameter with no name or a name used twice"))
            }
            switch parts.dropFirst().first {
            case nil, "string": segments.append(.text(name))
            case "int": segments.append(.integer(name))
            case "path": segments.append(.rest(name))
            case let kind?: return .failure(PatternProblem("'\(text)' has a parameter of unknown type '\(kind)'"))
            }
        }
        return .success(RoutePattern(text: text, segments: segments))
    }
}

/// Why a pattern can not be used.
struct PatternProblem: Error {
    let text: String

    init(_ text: String) { self.text = text }
}
