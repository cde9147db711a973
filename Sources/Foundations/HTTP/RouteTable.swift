/// What a handler of the router looks like.
public typealias HTTPHandler = @Sendable (HTTPRequest) async throws -> HTTPResponse

/// The routes as a tree of segments; literal segments win over whole numbers, those over text, those over the rest.
struct RouteTable: Sendable {
    struct Endpoint: Sendable {
        let pattern: RoutePattern
        let need: RouteNeed?
        let takesPieces: Bool
        let isBrief: Bool
        let handler: HTTPHandler
    }

    struct Match: Sendable {
        let endpoint: Endpoint
        let parameters: [String: String]
    }

    enum Outcome: Sendable {
        case found(Match)
        case otherMethods([HTTPMethod])
        case unknown
    }

    private struct Node: Sendable {
        var literals: [String: Int] = [:]
        var integer: Int?
        var text: Int?
        var rest: Int?
        var endpoints: [HTTPMethod: Endpoint] = [:]
    }

    private var nodes = [Node()]
    private(set) var inline: [InlineRoute] = []
    private(set) var problems: [String] = []
    private(set) var routes: [RouteDescription] = []
    var access: (any AccessGuard)?

    mutating func add(
        _ method: HTTPMethod, _ text: String, needs need: RouteNeed?, about: RouteDocumentation?,
        takesPieces: Bool = false, isBrief: Bool = false, _ handler: @escaping HTTPHandler
    ) {
        switch RoutePattern.parse(text) {
        case .failure(let problem): problems.append(problem.text)
        case .success(let pattern):
            var place = 0
            for segment in pattern.segments { place = child(of: place, for: segment) }
            guard nodes[place].endpoints[method] == nil else {
                problems.append("\(method.rawValue) '\(text)' is registered twice")
                return
            }
            noteMissing(need, pattern)
            nodes[place].endpoints[method] = Endpoint(
                pattern: pattern, need: need, takesPieces: takesPieces, isBrief: isBrief, handler: handler)
            routes.append(
                RouteDescription(method: method, pattern: text, need: need, isInline: false, documentation: about))
        }
    }

    mutating func addInline(
        _ method: HTTPMethod, _ text: String, needs need: RouteNeed?, _ handler: @escaping InlineHandler
    ) {
        switch RoutePattern.parse(text) {
        case .failure(let problem): problems.append(problem.text)
        case .success(let pattern):
            guard let route = InlineRoute(method: method, pattern: pattern, need: need, handler: handler) else {
                problems.append("'\(text)' has more than \(InlineParameters.limit) parameters for an inline route")
                return
            }
            noteMissing(need, pattern)
            inline.append(route)
            routes.append(
                RouteDescription(method: method, pattern: text, need: need, isInline: true, documentation: nil))
        }
    }

    private mutating func noteMissing(_ need: RouteNeed?, _ pattern: RoutePattern) {
        guard let name = need?.parameter, !pattern.segments.contains(where: { $0.parameter == name }) else { return }
        problems.append("'\(pattern.text)' has no parameter '\(name)' to name the resource it needs a right on")
    }

    func find(_ method: HTTPMethod, _ segments: [String]) -> Outcome {
        var allowed: Set<HTTPMethod> = []
        var values: [String] = []
        if let endpoint = walk(0, method, segments[...], &values, &allowed) {
            let names = endpoint.pattern.segments.compactMap(\.parameter)
            return .found(Match(endpoint: endpoint, parameters: Dictionary(zip(names, values)) { _, last in last }))
        }
        guard !allowed.isEmpty else { return .unknown }
        if allowed.contains(.get) { allowed.insert(.head) }
        allowed.insert(.options)
        return .otherMethods(HTTPMethod.allCases.filter(allowed.contains))
    }

    private func walk(
        _ place: Int, _ method: HTTPMethod, _ segments: ArraySlice<String>, _ values: inout [String],
        _ allowed: inout Set<HTTPMethod>
    ) -> Endpoint? {
        let node = nodes[place]
        guard let first = segments.first else { return endpoint(of: node, method, &allowed) }
        if let next = node.literals[first],
            let found = walk(next, method, segments.dropFirst(), &values, &allowed)
        {
            return found
        }
        let isInteger = first.utf8.count <= 19 && Int64(first) != nil && !first.hasPrefix("+")
        for next in [isInteger ? node.integer : nil, first.isEmpty ? nil : node.text].compactMap({ $0 }) {
            values.append(first)
            if let found = walk(next, method, segments.dropFirst(), &values, &allowed) { return found }
            values.removeLast()
        }
        if let next = node.rest, !first.isEmpty {
            values.append(segments.joined(separator: "/"))
            if let found = endpoint(of: nodes[next], method, &allowed) { return found }
            values.removeLast()
        }
        return nil
    }

    private func endpoint(
        of node: Node, _ method: HTTPMethod, _ allowed: inout Set<HTTPMethod>
    ) -> Endpoint? {
        if let endpoint = node.endpoints[method] ?? (method == .head ? node.endpoints[.get] : nil) { return endpoint }
        allowed.formUnion(node.endpoints.keys)
        return nil
    }

    private mutating func child(of place: Int, for segment: RoutePattern.Segment) -> Int {
        let known: Int? =
            switch segment {
            case .literal(let text): nodes[place].literals[text]
            case .integer: nodes[place].integer
            case .text: nodes[place].text
            case .rest: nodes[place].rest
            }
        if let known { return known }
        nodes.append(Node())
        let made = nodes.count - 1
        switch segment {
        case .literal(let text): nodes[place].literals[text] = made
        case .integer: nodes[place].integer = made
        case .text: nodes[place].text = made
        case .rest: nodes[place].rest = made
        }
        return made
    }
}
