/// What a route asks of its caller, declared where the route is registered.
public struct RouteNeed: Sendable, Hashable {
    /// What the caller wants to do, such as `deploy`; nil where anybody may, known or not.
    public let action: String?
    /// The kind of the resource that the action is done to, such as `model`; nil where it concerns the whole factory.
    public let kind: String?
    /// The parameter of the path that names the resource.
    public let parameter: String?

    private init(action: String?, kind: String? = nil, parameter: String? = nil) {
        self.action = action
        self.kind = kind
        self.parameter = parameter
    }

    /// Open to everybody: health checks.
    public static let nothing = RouteNeed(action: nil)

    /// An action that concerns the whole factory.
    public static func action(_ name: String) -> RouteNeed { RouteNeed(action: name) }

    /// An action on one resource.
    /// - Parameters:
    ///   - kind: such as `model`.
    ///   - parameter: the parameter of the path that names it; the kind itself where nothing else is said.
    public static func action(_ name: String, on kind: String, named parameter: String? = nil) -> RouteNeed {
        RouteNeed(action: name, kind: kind, parameter: parameter ?? kind)
    }

    /// An action on a resource that only the handler can name, because it stands in the body: who may do it to none of the
    /// kind is turned away by the router, and the handler asks ``Caller/require(_:on:)`` for the one that is meant.
    public static func action(_ name: String, onSome kind: String) -> RouteNeed { RouteNeed(action: name, kind: kind) }

    /// Whether the handler names the resource, and not the path.
    public var isNamedByHandler: Bool { kind != nil && parameter == nil }
}

/// A route as it was registered.
public struct RouteDescription: Sendable {
    public let method: HTTPMethod
    public let pattern: String
    /// Nil where the route declares none: with a guard on the router only callers with every right get there.
    public let need: RouteNeed?
    /// Whether it is answered on the loop thread.
    public let isInline: Bool
    public let documentation: RouteDocumentation?

    /// The parameters of its path, in order: names, and whether each is a whole number.
    public var parameters: [(name: String, isInteger: Bool)] {
        guard case .success(let pattern) = RoutePattern.parse(self.pattern) else { return [] }
        return pattern.segments.compactMap { segment in
            guard let name = segment.parameter else { return nil }
            if case .integer = segment { return (name, true) }
            return (name, false)
        }
    }

    /// The path with parameters as `{name}`, without their types.
    public var path: String {
        guard case .success(let pattern) = RoutePattern.parse(self.pattern) else { return self.pattern }
        return pattern.segments.map { segment in
            if case .literal(let text) = segment { return "/\(text)" }
            return "/{\(segment.parameter ?? "")}"
        }.joined()
    }
}
