internal import CTransport
import Foundation

/// One connection to a server, kept open from request to request: blocking, for one thread at a time.
///
/// Where the server has closed the idle connection and not one byte of an answer has come, it connects anew and sends
/// once more.
public final class HTTPConnection {
    /// Seconds for a whole exchange, from connecting to the last byte.
    public var timeout: Double
    /// Bytes an answer may have.
    public var answerLimit = HTTPConnection.answerLimit
    /// Bytes an answer may have where nothing else is said.
    public static let answerLimit = 256 << 20

    private let client: OpaquePointer
    private let endpoint: HTTPEndpoint
    private var head: [UInt8] = []

    /// - Parameter url: such as `http://127.0.0.1:5000`; a path in it goes before the path of each request.
    /// - Parameter identity: the client's own certificate.
    /// - Throws: `HTTPFailure.badURL`. No connection is made before the first request.
    public convenience init(
        url: String, timeout: Double = 30, trust: HTTPTrust = .system, identity: HTTPIdentity? = nil
    ) throws(HTTPFailure) {
        try self.init(endpoint: HTTPEndpoint(url), timeout: timeout, trust: trust, identity: identity)
    }

    init(
        endpoint: HTTPEndpoint, timeout: Double, trust: HTTPTrust, identity: HTTPIdentity? = nil
    ) throws(HTTPFailure) {
        self.endpoint = endpoint
        self.timeout = timeout
        let made: OpaquePointer? =
            switch trust {
            case .system: mw_client_new(endpoint.host, endpoint.port, endpoint.tls ? 1 : 0, 1, nil)
            case .authority(let path): mw_client_new(endpoint.host, endpoint.port, endpoint.tls ? 1 : 0, 1, path)
            case .anybody: mw_client_new(endpoint.host, endpoint.port, endpoint.tls ? 1 : 0, 0, nil)
            }
        guard let made else { throw .badURL(endpoint.description) }
        client = made
        if let identity { mw_client_set_identity(made, identity.chainPath, identity.keyPath) }
    }

    deinit { mw_client_free(client) }

    /// Sends a request and reads the whole answer, whatever its status.
    /// - Parameter target: path and query, percent-encoded.
    /// - Throws: `HTTPFailure.cannotConnect`, `timedOut`, `connectionLost`, `badAnswer`.
    public func send(
        _ method: HTTPMethod, _ target: String, headers: HTTPHeaders = [:], body: [UInt8] = []
    ) throws(HTTPFailure) -> HTTPResponse {
        try answer(body.withUnsafeBytes { send(method, target, headers, $0) })
    }

    /// The same with a file as the body, which is not read into memory.
    /// - Throws: besides, `HTTPFailure.badFile` where it can not be read.
    public func send(
        _ method: HTTPMethod, _ target: String, headers: HTTPHeaders = [:], file: String
    ) throws(HTTPFailure) -> HTTPResponse {
        let content: Data
        do { content = try Data(contentsOf: URL(filePath: file), options: .alwaysMapped) } catch {
            throw .badFile(file, error.localizedDescription)
        }
        return try answer(content.withUnsafeBytes { send(method, target, headers, $0) })
    }

    /// The same where the body of an answer of the 200s, however long, goes to an open file, and not into memory.
    public func send(
        _ method: HTTPMethod, _ target: String, headers: HTTPHeaders = [:], body: [UInt8] = [], saving file: Int32
    ) throws(HTTPFailure) -> HTTPResponse {
        try answer(body.withUnsafeBytes { send(method, target, headers, $0, sink: file) })
    }

    private func answer(_ outcome: (mw_outcome, String)) throws(HTTPFailure) -> HTTPResponse {
        guard outcome.0 == MW_OK else { throw failure(outcome.0, outcome.1) }
        var fields = HTTPHeaders()
        for index in 0..<mw_client_header_count(client) {
            var name = mw_slice()
            var value = mw_slice()
            mw_client_header_at(client, index, &name, &value)
            fields.add(String(name), String(value))
        }
        let bytes = [UInt8](UnsafeRawBufferPointer(mw_client_body(client)))
        return HTTPResponse(
            status: HTTPStatus(Int(mw_client_status(client))), headers: fields, body: .bytes(bytes))
    }

    private func send(
        _ method: HTTPMethod, _ target: String, _ headers: HTTPHeaders, _ body: UnsafeRawBufferPointer,
        sink: Int32 = -1
    ) -> (mw_outcome, String) {
        head.removeAll(keepingCapacity: true)
        append(method.rawValue, " ", endpoint.pathPrefix)
        if !target.hasPrefix("/") { append("/") }
        // A blank or a line break would end the request line early.
        head.append(contentsOf: target.utf8.filter { $0 > 32 && $0 != 127 })
        append(" HTTP/1.1\r\nHost: ", endpoint.authority, "\r\n")
        if !body.isEmpty || (method != .get && method != .head && method != .delete) {
            append("Content-Length: ", body.count.description, "\r\n")
        }
        if !headers.fields.isEmpty {
            head += headers.lines(leavingOut: ["content-length", "transfer-encoding", "host"])
        }
        append("\r\n")
        var text = [CChar](repeating: 0, count: 256)
        let outcome = head.withUnsafeBytes { raw in
            mw_client_send(
                client, mw_slice(data: raw.baseAddress?.assumingMemoryBound(to: CChar.self), size: raw.count),
                body.baseAddress, body.count, method == .head ? 1 : 0, sink, milliseconds(timeout),
                max(0, answerLimit), &text, text.count)
        }
        return (outcome, outcome == MW_OK ? "" : nullTerminated(text))
    }

    private func append(_ parts: String...) {
        for part in parts { head.append(contentsOf: part.utf8) }
    }

    private func failure(_ outcome: mw_outcome, _ reason: String) -> HTTPFailure {
        switch outcome {
        case MW_BAD_HOST, MW_CONNECT_FAILED, MW_BAD_TLS: .cannotConnect(endpoint.description, reason)
        case MW_TIMED_OUT: .timedOut(endpoint.description, seconds: timeout)
        case MW_BAD_RESPONSE, MW_TOO_LARGE: .badAnswer(endpoint.description, reason)
        default: .connectionLost(endpoint.description, reason)
        }
    }
}
