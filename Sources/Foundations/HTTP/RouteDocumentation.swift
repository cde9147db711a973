import Basics

/// What a route does and how it is spoken to, told where it is registered.
public struct RouteDocumentation: Sendable {
    /// A type that JSON decodes to.
    public typealias JSONType = any (Decodable & SendableMetatype).Type

    /// One sentence, without a full stop.
    public let summary: String
    /// Parameters of the query.
    public let query: [Parameter]
    /// Nil where the route takes no body.
    public let body: Content?
    public let answer: Content
    /// The status of a good answer.
    public let status: Int

    public init(
        _ summary: String, query: [Parameter] = [], body: Content? = nil, answer: Content, status: Int = 200
    ) {
        self.summary = summary
        self.query = query
        self.body = body
        self.answer = answer
        self.status = status
    }

    /// A body in one or several forms, of which the first is the usual one.
    public struct Content: Sendable {
        /// Content types, each with what its JSON decodes to; nil where it is no JSON.
        public let forms: [(type: String, schema: JSONType?)]

        /// JSON of a type.
        public static func json(_ type: JSONType) -> Content { Content(forms: [("application/json", type)]) }

        /// Anything but JSON, by content type.
        public static func bytes(_ types: String...) -> Content { Content(forms: types.map { ($0, nil) }) }

        /// The same in other content types, too.
        public func or(_ types: String...) -> Content { Content(forms: forms + types.map { ($0, nil) }) }
    }

    /// A parameter of the query.
    public struct Parameter: Sendable {
        public let name: String
        public let summary: String
        public let type: JSONType
        public let isRequired: Bool

        /// A parameter that may be left out.
        /// - Parameter type: `String`, `Int`, `Bool` or `Timestamp`.
        public static func optional(
            _ name: String, _ summary: String, _ type: JSONType = String.self
        ) -> Parameter { Parameter(name: name, summary: summary, type: type, isRequired: false) }

        /// A parameter that must be given.
        public static func required(
            _ name: String, _ summary: String, _ type: JSONType = String.self
        ) -> Parameter { Parameter(name: name, summary: summary, type: type, isRequired: true) }
    }
}
