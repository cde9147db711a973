import Basics

/// What can go wrong in the transport and the router.
public enum HTTPFailure: Failure, Equatable {
    /// Path or query can not be decoded, and why.
    case badTarget(String)
    /// No route has this path.
    case unknownPath(String)
    /// The path exists, for the methods listed.
    case methodNotAllowed(method: String, path: String, allowed: [HTTPMethod])
    /// A path or query parameter is missing or not of its type.
    case badParameter(name: String, reason: String)
    /// Routes that contradict each other or can not be parsed.
    case badRoutes([String])
    /// The host of the configuration can not be listened on, and why.
    case badHost(String, String)
    case portInUse(host: String, port: Int)
    /// The system does not let this user listen on the port.
    case portNotPermitted(host: String, port: Int)
    /// Certificate or key can not be used, and why.
    case badCertificate(String)
    case cannotListen(String)
    case badURL(String)
    /// The client could not connect to a server, and why.
    case cannotConnect(String, String)
    case timedOut(String, seconds: Double)
    /// The connection ended in the middle of an exchange.
    case connectionLost(String, String)
    case badAnswer(String, String)
    /// The file that is to be sent can not be read, and why.
    case badFile(String, String)
    /// It is not known who asks, and why; and what to do about it.
    case unauthenticated(String, remedy: String)
    /// The body of a request can not be read to its end, and why.
    case badBody(String)
    /// What is said to be an origin of pages is none.
    case badOrigin(String)
    /// A request took longer than any may.
    case tooSlow(seconds: Double)
    /// The peer has left in the middle of a body or of a streamed answer.
    case peerGone

    public var code: FailureCode {
        switch self {
        case .badTarget, .badParameter, .badRoutes, .badHost, .badCertificate, .badURL, .methodNotAllowed,
            .badBody, .badFile, .badOrigin:
            .invalidArgument
        case .unknownPath: .notFound
        case .portInUse, .cannotListen: .failedPrecondition
        case .portNotPermitted, .unauthenticated: .permissionDenied
        case .cannotConnect, .connectionLost, .peerGone: .unavailable
        case .timedOut, .tooSlow: .deadlineExceeded
        case .badAnswer: .internal
        }
    }

    public var message: String {
        switch self {
        case .badTarget(let reason): "the request target is malformed: \(reason)"
        case .unknownPath(let path): "no resource has the path '\(path)'"
        case .methodNotAllowed(let method, let path, _): "'\(path)' does not support \(method)"
        case .badParameter(let name, let reason): "the parameter '\(name)' \(reason)"
        case .badRoutes(let problems): "the routes are wrong: \(problems.joined(separator: "; "))"
        case .badHost(let host, let reason): "the host '\(host)' can not be listened on: \(reason)"
        case .portInUse(let host, let port): "port \(port) on \(host) is in use by another process"
        case .portNotPermitted(let host, let port): "this user may not listen on port \(port) on \(host)"
        case .badCertificate(let reason): "the TLS certificate or key can not be used: \(reason)"
        case .cannotListen(let reason): "the HTTP server can not start: \(reason)"
        case .badURL(let url): "'\(url)' is no http or https URL"
        case .cannotConnect(let server, let reason): "no connection to \(server): \(reason)"
        case .timedOut(let server, let seconds): "\(server) did not answer within \(seconds) s"
        case .connectionLost(let server, let reason): "the connection to \(server) was lost: \(reason)"
        case .badAnswer(let server, let reason): "the answer of \(server) can not be used: \(reason)"
        case .badFile(let path, let reason): "'\(path)' can not be sent: \(reason)"
        case .unauthenticated(let reason, _): reason
        case .badBody(let reason): "the body can not be read: \(reason)"
        case .badOrigin(let text): "'\(text.prefix(200))' is no origin"
        case .tooSlow(let seconds): "the request was not answered within \(seconds) s"
        case .peerGone: "the peer has closed the connection"
        }
    }

    public var remedy: String? {
        switch self {
        case .portInUse: "Stop the process that holds it, or choose another port"
        case .portNotPermitted: "Choose a port above 1023"
        case .badHost: "Use an address of this machine, such as 127.0.0.1 or 0.0.0.0"
        case .badCertificate: "Give a PEM certificate chain and the unencrypted PEM key that belongs to it"
        case .methodNotAllowed(_, _, let allowed): "Use \(allowed.map(\.rawValue).joined(separator: ", "))"
        case .unauthenticated(_, let remedy): remedy
        case .badOrigin: "Write scheme, host and port in lower case, such as https://shop.example, or * for all"
        case .tooSlow: "Ask for less at once, or raise --request-timeout"
        case .cannotConnect: "Check that the server is running and the address is right"
        default: nil
        }
    }
}
