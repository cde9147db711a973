import Basics
import Telemetry

/// A request that has been read whole, or whose body its handler takes piece by piece.
public struct HTTPRequest: Sendable {
    public var method: HTTPMethod
    /// Decoded, without the query.
    public let path: String
    /// Decoded names and values in the order they came.
    public let query: [(String, String)]
    public var headers: HTTPHeaders
    /// Empty where the body is longer than what came with the headers and its route takes ``pieces``.
    public var body: [UInt8]
    /// The caller's `X-Request-Id` where it is fit for a log, else one made for this request.
    public var requestID: String
    /// The address of the peer, without its port; empty for requests that came by no socket.
    public var remoteAddress: String
    /// The subject of the client's certificate, as RFC 2253 text; nil where it showed none that was verified.
    public internal(set) var clientSubject: String?
    /// Who asks; nil where no guard stands before the routes.
    public internal(set) var caller: Caller?
    /// Decoded path parameters by name; set by the router.
    public internal(set) var parameters: [String: String] = [:]
    /// The pattern of the route that answers, such as `/v2/models/{name}`; empty before the router has found one.
    public internal(set) var route = ""
    /// Where it can be said how the request was answered; nil where nobody wants to know.
    public internal(set) var notes: RequestNotes?

    /// Where the pieces come from; nil where the body is whole.
    var source: RequestPieces?

    /// The body piece by piece; one that is whole is one piece. Each piece is handed out once.
    public var pieces: RequestPieces { source ?? RequestPieces(body) }

    let segments: [String]

    /// - Parameter target: path and query as they stand in the request line, percent-encoded.
    /// - Throws: `HTTPFailure.badTarget`.
    public init(
        method: HTTPMethod, target: String, headers: HTTPHeaders = [:], body: [UInt8] = [], requestID: String = "",
        remoteAddress: String = ""
    ) throws(HTTPFailure) {
        self.init(
            method: method, target: try RequestTarget(target.utf8), headers: headers, body: body,
            requestID: requestID, remoteAddress: remoteAddress)
    }

    /// A request whose body comes piece by piece: for callers without a socket.
    /// - Parameter pieces: gives the next piece, or nil at the end.
    /// - Throws: `HTTPFailure.badTarget`.
    public init(
        method: HTTPMethod, target: String, headers: HTTPHeaders = [:],
        pieces: @escaping @Sendable () async throws -> [UInt8]?
    ) throws(HTTPFailure) {
        try self.init(method: method, target: target, headers: headers)
        source = RequestPieces(pieces)
    }

    init(
        method: HTTPMethod, target: RequestTarget, headers: HTTPHeaders, body: [UInt8], requestID: String,
        remoteAddress: String
    ) {
        self.method = method
        path = target.path
        segments = target.segments
        query = target.query
        self.headers = headers
        self.body = body
        self.requestID = requestID
        self.remoteAddress = remoteAddress
    }

    /// The first value of a query parameter.
    public func query(_ name: String) -> String? { query.first { $0.0 == name }?.1 }

    /// A query parameter as a number or any other type that can be read from text; nil where it is not given.
    /// - Throws: `HTTPFailure.badParameter` where it is given but not of the type.
    public func query<Value: LosslessStringConvertible>(_ name: String, as type: Value.Type) throws -> Value? {
        guard let text = query(name) else { return nil }
        guard let value = Value(text) else {
            throw HTTPFailure.badParameter(name: name, reason: "is '\(text)', which is no \(type)")
        }
        return value
    }

    /// The name of who asks, such as `user:mina`; nil where nobody asked who it is.
    public var principal: String? { caller.flatMap { $0.isKnown ? $0.name : nil } }

    /// The first value of a header, its name compared without case.
    public func header(_ name: String) -> String? { headers[name] }

    /// A parameter of the path.
    /// - Throws: `HTTPFailure.badParameter` where the route has none of that name.
    public func parameter(_ name: String) throws -> String {
        guard let value = parameters[name] else {
            throw HTTPFailure.badParameter(name: name, reason: "is not part of the path '\(route)'")
        }
        return value
    }

    /// A parameter of the path as a number or any other type that can be read from text.
    public func parameter<Value: LosslessStringConvertible>(_ name: String, as type: Value.Type) throws -> Value {
        let text = try parameter(name)
        guard let value = Value(text) else {
            throw HTTPFailure.badParameter(name: name, reason: "is '\(text)', which is no \(type)")
        }
        return value
    }

    /// The body as JSON of the given shape.
    /// - Throws: `JSONFailure`.
    public func json<Value: Decodable>(_ type: Value.Type) throws -> Value { try JSON.decode(type, from: body) }

    /// Whether an id from outside may stand in logs and headers: 1 to 128 letters, digits, `.`, `_`, `-`, `:`.
    package static func isSaneID(_ bytes: some Collection<UInt8>) -> Bool {
        (1...128).contains(bytes.count)
            && bytes.allSatisfy {
                (48...58).contains($0) || (65...90).contains($0) || (97...122).contains($0)
                    || $0 == 45 || $0 == 46 || $0 == 95
            }
    }
}
