import Basics

/// An answer: a status, headers and a body that is either whole or written piece by piece.
public struct HTTPResponse: Sendable {
    /// What follows the headers.
    public enum Body: Sendable {
        case bytes([UInt8])
        /// Called once; the answer ends when it returns. Where it throws, the connection is cut so that the peer sees
        /// that the answer is not whole. Its task is cancelled when the peer leaves.
        case stream(@Sendable (ResponseWriter) async throws -> Void)
    }

    public var status: HTTPStatus
    /// Content-Length, Transfer-Encoding, Connection and Date are the transport's; set here, they are left out.
    public var headers: HTTPHeaders
    public var body: Body

    public init(status: HTTPStatus = .ok, headers: HTTPHeaders = [:], body: Body = .bytes([])) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// JSON in canonical form.
    public static func json(_ value: some Encodable, status: HTTPStatus = .ok) throws -> HTTPResponse {
        .bytes(try JSON.canonical(value), contentType: "application/json", status: status)
    }

    /// Plain text in UTF-8.
    public static func text(_ text: String, status: HTTPStatus = .ok) -> HTTPResponse {
        .bytes(Array(text.utf8), contentType: "text/plain; charset=utf-8", status: status)
    }

    /// A page in UTF-8.
    public static func html(_ page: String, status: HTTPStatus = .ok) -> HTTPResponse {
        .bytes(Array(page.utf8), contentType: "text/html; charset=utf-8", status: status)
    }

    /// Bytes of any type.
    public static func bytes(_ bytes: [UInt8], contentType: String, status: HTTPStatus = .ok) -> HTTPResponse {
        HTTPResponse(status: status, headers: ["Content-Type": contentType], body: .bytes(bytes))
    }

    /// No body at all.
    public static func empty(status: HTTPStatus = .noContent) -> HTTPResponse { HTTPResponse(status: status) }

    /// An answer written piece by piece.
    public static func stream(
        contentType: String, status: HTTPStatus = .ok,
        _ write: @escaping @Sendable (ResponseWriter) async throws -> Void
    ) -> HTTPResponse {
        HTTPResponse(status: status, headers: ["Content-Type": contentType], body: .stream(write))
    }

    /// The whole body in memory, with a stream run to its end: for callers without a socket.
    public func collect() async throws -> [UInt8] {
        let collector = BodyCollector()
        try await write(to: collector)
        return collector.bytes
    }

    /// Hands on the body piece by piece: for callers without a socket.
    public func write(_ take: @escaping @Sendable ([UInt8]) async throws -> Void) async throws {
        try await write(to: PassingSink(take: take))
    }

    private func write(to sink: some ResponseSink) async throws {
        switch body {
        case .bytes(let bytes): try await sink.write(bytes)
        case .stream(let write): try await write(ResponseWriter(sink: sink))
        }
    }
}
