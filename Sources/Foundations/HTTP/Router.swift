import Basics
import Synchronization
import Telemetry

/// Finds the handler of a request by method and path, and gives errors the shape of their protocol.
///
/// Patterns: `{name}` takes one segment, `{name:int}` a whole number, `{name:path}` the rest of the path. Literal
/// segments win over parameters. GET routes answer HEAD; OPTIONS lists the methods of a path. Routes registered after a
/// server has started are seen by `dispatch` only.
public final class Router: Sendable {
    /// Turns an error into an answer.
    public typealias ErrorHandler = @Sendable (any Error, HTTPRequest) -> HTTPResponse
    /// Gives a problem the body of a protocol.
    public typealias ErrorShape = @Sendable (HTTPProblem) -> HTTPResponse

    private struct State {
        var table = RouteTable()
        var onError: ErrorHandler?
        var shapes: [(prefix: String, shape: ErrorShape)] = []
    }

    private let state = Mutex(State())
    private let log: Logger

    /// - Parameter log: told of errors that are answered by a status of 500 or above.
    public init(log: Logger = .silent) { self.log = log }

    public func get(
        _ pattern: String, needs need: RouteNeed? = nil, about: RouteDocumentation? = nil,
        _ handler: @escaping HTTPHandler
    ) {
        route(.get, pattern, needs: need, about: about, handler)
    }

    public func post(
        _ pattern: String, needs need: RouteNeed? = nil, about: RouteDocumentation? = nil,
        _ handler: @escaping HTTPHandler
    ) {
        route(.post, pattern, needs: need, about: about, handler)
    }

    public func put(
        _ pattern: String, needs need: RouteNeed? = nil, about: RouteDocumentation? = nil,
        _ handler: @escaping HTTPHandler
    ) {
        route(.put, pattern, needs: need, about: about, handler)
    }

    public func patch(
        _ pattern: String, needs need: RouteNeed? = nil, about: RouteDocumentation? = nil,
        _ handler: @escaping HTTPHandler
    ) {
        route(.patch, pattern, needs: need, about: about, handler)
    }

    public func delete(
        _ pattern: String, needs need: RouteNeed? = nil, about: RouteDocumentation? = nil,
        _ handler: @escaping HTTPHandler
    ) {
        route(.delete, pattern, needs: need, about: about, handler)
    }

    /// Registers a handler; a pattern that is malformed or taken is told by `problems`, and no server starts with it.
    /// - Parameters:
    ///   - need: what it asks of its caller. Where there is none, a guard lets only callers with every right in.
    ///   - about: what it does, for descriptions of the whole interface.
    ///   - takesPieces: whether the handler reads the body by `HTTPRequest.pieces`, and is called as soon as the headers have
    ///     come. Such a body may be longer than memory.
    ///   - isBrief: whether what the handler does after each of its waits is so short that it may hold up the other
    ///     connections of its loop: then it goes on there, and its answer wakes no other thread.
    public func route(
        _ method: HTTPMethod, _ pattern: String, needs need: RouteNeed? = nil, about: RouteDocumentation? = nil,
        takesPieces: Bool = false, isBrief: Bool = false, _ handler: @escaping HTTPHandler
    ) {
        state.withLock {
            $0.table.add(
                method, pattern, needs: need, about: about, takesPieces: takesPieces, isBrief: isBrief, handler)
        }
    }

    /// Puts a guard before every route, those registered later too. Give it before the server starts.
    public func protect(with guardian: any AccessGuard) { state.withLock { $0.table.access = guardian } }

    /// Every route that was registered, in order.
    public var routes: [RouteDescription] { state.withLock { $0.table.routes } }

    /// Registers a handler for the hot path, called on the loop thread before any other route is looked at. It must not
    /// block. Where it returns false without a reply, the asynchronous route of the same path goes on; register one.
    /// Paths with percent escapes never come here.
    public func inline(
        _ method: HTTPMethod, _ pattern: String, needs need: RouteNeed? = nil, _ handler: @escaping InlineHandler
    ) {
        state.withLock { $0.table.addInline(method, pattern, needs: need, handler) }
    }

    /// Takes the place of the mapping of errors; `problemResponse` is what it would have answered.
    public var onError: ErrorHandler {
        get {
            let own: ErrorHandler? = state.withLock { $0.onError }
            guard let own else { return { [self] error, request in problemResponse(error, request) } }
            return own
        }
        set { state.withLock { $0.onError = newValue } }
    }

    /// Gives the errors of all paths below `prefix` a shape of their own; the longest prefix wins.
    public func errorShape(prefix: String, _ shape: @escaping ErrorShape) {
        state.withLock { state in
            state.shapes.append((prefix, shape))
            state.shapes.sort { $0.prefix.utf8.count > $1.prefix.utf8.count }
        }
    }

    /// Patterns that could not be registered.
    public var problems: [String] { state.withLock { $0.table.problems } }

    /// Answers a request; errors become answers. Needs no socket.
    public func dispatch(_ request: HTTPRequest) async -> HTTPResponse {
        let table = table
        return await dispatch(request, to: table.find(request.method, request.segments), in: table).response
    }

    /// The answer for an error in the shape of its path.
    public func problemResponse(_ error: any Error, _ request: HTTPRequest) -> HTTPResponse {
        let problem = HTTPProblem(error, requestID: request.requestID)
        var response = shape(for: request.path)(problem)
        if case HTTPFailure.methodNotAllowed(_, _, let allowed) = error {
            response.headers["Allow"] = allowed.map(\.rawValue).joined(separator: ", ")
        }
        if problem.status == .unauthorized {
            response.headers.add("WWW-Authenticate", "Bearer realm=\"modelworks\"")
            response.headers.add("WWW-Authenticate", "Basic realm=\"modelworks\", charset=\"UTF-8\"")
        }
        for (name, value) in problem.headers.fields { response.headers[name] = value }
        return response
    }

    /// The routes as they are now.
    var table: RouteTable { state.withLock { $0.table } }

    /// - Parameters:
    ///   - outcome: what the table has found for the request.
    ///   - isAdmitted: whether the caller was let in before, by an inline route of the same path.
    func dispatch(
        _ request: HTTPRequest, to outcome: RouteTable.Outcome, in table: RouteTable, isAdmitted: Bool = false
    ) async -> (response: HTTPResponse, route: String, principal: String?) {
        var request = request
        do {
            switch outcome {
            case .found(let match):
                request.parameters = match.parameters
                request.route = match.endpoint.pattern.text
                if let access = table.access, match.endpoint.need != .nothing {
                    let need = match.endpoint.need
                    let caller = try await access.admit(RequestCredentials(request))
                    request.caller = caller
                    if !isAdmitted {
                        try caller.require(need, on: need?.parameter.flatMap { request.parameters[$0] })
                    }
                }
                return (try await match.endpoint.handler(request), request.route, request.principal)
            case .otherMethods(let allowed):
                if request.method == .options {
                    let names = allowed.map(\.rawValue).joined(separator: ", ")
                    return (HTTPResponse(status: .noContent, headers: ["Allow": names]), "unmatched", nil)
                }
                throw HTTPFailure.methodNotAllowed(
                    method: request.method.rawValue, path: request.path, allowed: allowed)
            case .unknown: throw HTTPFailure.unknownPath(request.path)
            }
        } catch {
            let response = onError(error, request)
            if response.status.code >= 500 {
                log.with(requestID: request.requestID).error(
                    "a request failed",
                    [
                        "method": .string(request.method.rawValue), "path": .string(request.path),
                        "status": .integer(Int64(response.status.code)), "error": .string("\(error)"),
                    ])
            }
            return (response, request.route.isEmpty ? "unmatched" : request.route, request.principal)
        }
    }

    func shape(for path: String) -> ErrorShape {
        let shapes = state.withLock { $0.shapes }
        let found = shapes.first { entry in
            path.hasPrefix(entry.prefix)
                && (entry.prefix.hasSuffix("/") || path.utf8.count == entry.prefix.utf8.count
                    || path.dropFirst(entry.prefix.count).hasPrefix("/"))
        }
        guard let found else { return { $0.standardResponse } }
        return found.shape
    }
}
