import Basics
import Foundation
import HTTP

/// How requests get to a factory.
public protocol FactoryTransport: Sendable {
    /// Sends one request and gives the whole answer, whatever its status.
    /// - Parameter target: path and query, percent-encoded.
    func send(
        _ method: HTTPMethod, _ target: String, headers: HTTPHeaders, body: [UInt8]
    ) async throws -> (status: Int, body: [UInt8])

    /// The same with a file as the body, which is not read into memory.
    func send(
        _ method: HTTPMethod, _ target: String, headers: HTTPHeaders, file: String
    ) async throws -> (status: Int, body: [UInt8])

    /// The same where the body of an answer of the 200s goes to an open file, and not into memory.
    func send(
        _ method: HTTPMethod, _ target: String, headers: HTTPHeaders, body: [UInt8], saving file: Int32
    ) async throws -> (status: Int, body: [UInt8])
}

/// For transports that hold what they carry in memory anyway.
extension FactoryTransport {
    public func send(
        _ method: HTTPMethod, _ target: String, headers: HTTPHeaders, file: String
    ) async throws -> (status: Int, body: [UInt8]) {
        guard let content = FileManager.default.contents(atPath: file) else {
            throw HTTPFailure.badFile(file, "it is not there, or may not be read")
        }
        return try await send(method, target, headers: headers, body: [UInt8](content))
    }

    public func send(
        _ method: HTTPMethod, _ target: String, headers: HTTPHeaders, body: [UInt8], saving file: Int32
    ) async throws -> (status: Int, body: [UInt8]) {
        let answer = try await send(method, target, headers: headers, body: body)
        guard (200..<300).contains(answer.status) else { return answer }
        try FileHandle(fileDescriptor: file).write(contentsOf: Data(answer.body))
        return (answer.status, [])
    }
}

extension HTTPClient: FactoryTransport {
    public func send(
        _ method: HTTPMethod, _ target: String, headers: HTTPHeaders, body: [UInt8]
    ) async throws -> (status: Int, body: [UInt8]) {
        try await Self.whole(try await send(method, target, headers: headers, body: body, timeout: nil))
    }

    public func send(
        _ method: HTTPMethod, _ target: String, headers: HTTPHeaders, file: String
    ) async throws -> (status: Int, body: [UInt8]) {
        try await Self.whole(try await send(method, target, headers: headers, file: file, timeout: nil))
    }

    public func send(
        _ method: HTTPMethod, _ target: String, headers: HTTPHeaders, body: [UInt8], saving file: Int32
    ) async throws -> (status: Int, body: [UInt8]) {
        try await Self.whole(try await send(method, target, headers: headers, body: body, saving: file, timeout: nil))
    }

    private static func whole(_ response: HTTPResponse) async throws -> (status: Int, body: [UInt8]) {
        (response.status.code, try await response.collect())
    }
}

/// A factory's own API as requests and documents; ``ModelworksClient`` puts types on it.
public struct FactoryConnection: Sendable {
    private let transport: any FactoryTransport
    private let principal: String?
    private let token: Secret?
    private static let prefix = "/api/works/v1"

    /// - Parameters:
    ///   - principal: as whom one asks, where the factory asks for no proof.
    ///   - token: the proof, where it does.
    public init(_ transport: any FactoryTransport, principal: String? = nil, token: Secret? = nil) {
        self.transport = transport
        self.principal = principal
        self.token = token
    }

    /// A parameter of a query; one without a value is left out.
    public typealias Parameter = (String, String?)

    /// Asks for a document; `JSONValue` where its shape does not matter.
    /// - Parameter path: below the API's own, with its parts escaped.
    /// - Throws: ``RemoteFailure`` for what the factory refuses, `HTTPFailure` where it is not reached.
    public func get<Value: Decodable>(
        _ path: String, _ query: [Parameter] = [], as type: Value.Type = JSONValue.self
    ) async throws -> Value {
        try JSON.decode(type, from: try await bytes(path, query))
    }

    /// Sends a document and gives the answer; `JSONValue` where its shape does not matter.
    /// - Throws: as ``get(_:_:as:)``.
    public func post<Value: Decodable>(
        _ path: String, _ body: some Encodable, as type: Value.Type = JSONValue.self
    ) async throws -> Value {
        try JSON.decode(type, from: try await exchange(.post, Self.prefix + path, try JSON.canonical(body)))
    }

    /// Asks for bytes that are no document.
    /// - Throws: as ``get(_:_:as:)``.
    public func bytes(_ path: String, _ query: [Parameter] = []) async throws -> [UInt8] {
        try await exchange(.get, Self.prefix + Self.target(path, query), [])
    }

    /// Sends bytes that are no document, and gives what comes back as it is.
    /// - Parameter accepts: the content type of the answer, where there is a choice.
    /// - Throws: as ``get(_:_:as:)``.
    public func send(
        _ path: String, _ query: [Parameter] = [], _ bytes: [UInt8], contentType: String, accepts: String? = nil
    ) async throws -> [UInt8] {
        try await exchange(
            .post, Self.prefix + Self.target(path, query), bytes, contentType: contentType, accepts: accepts)
    }

    /// Sends a file, however large, and gives what comes back as it is.
    /// - Throws: as ``get(_:_:as:)``, and `HTTPFailure.badFile` where it can not be read.
    public func send(
        _ path: String, _ query: [Parameter] = [], file: String, contentType: String
    ) async throws -> [UInt8] {
        let target = Self.prefix + Self.target(path, query)
        return try checked(
            try await transport.send(.post, target, headers: headers(contentType), file: file))
    }

    /// Asks for bytes that are no document, however many, and writes them to an open file.
    /// - Throws: as ``get(_:_:as:)``; a part of them may then be in the file.
    public func save(_ path: String, _ query: [Parameter] = [], to file: Int32) async throws {
        let target = Self.prefix + Self.target(path, query)
        _ = try checked(
            try await transport.send(.post, target, headers: headers("application/json"), body: [], saving: file))
    }

    /// A page outside the API, such as `/metrics`.
    /// - Throws: as ``get(_:_:as:)``.
    public func page(_ path: String) async throws -> [UInt8] { try await exchange(.get, path, []) }

    /// Puts bytes on a path, such as a file's.
    /// - Throws: as ``get(_:_:as:)``.
    public func put(_ path: String, _ bytes: [UInt8]) async throws {
        _ = try await exchange(.put, Self.prefix + path, bytes, contentType: "application/octet-stream")
    }

    private func exchange(
        _ method: HTTPMethod, _ target: String, _ body: [UInt8], contentType: String = "application/json",
        accepts: String? = nil
    ) async throws -> [UInt8] {
        var headers = headers(contentType)
        if let accepts { headers["Accept"] = accepts }
        return try checked(try await transport.send(method, target, headers: headers, body: body))
    }

    private func headers(_ contentType: String) -> HTTPHeaders {
        var headers: HTTPHeaders = ["Content-Type": contentType]
        if let principal { headers["X-Modelworks-Principal"] = principal }
        if let token { headers["Authorization"] = "Bearer \(token.revealed)" }
        return headers
    }

    private func checked(_ answer: (status: Int, body: [UInt8])) throws -> [UInt8] {
        guard (200..<300).contains(answer.status) else {
            throw RemoteFailure(status: answer.status, body: answer.body, hadToken: token != nil)
        }
        return answer.body
    }

    /// A part of a path or a query with everything escaped that means something there.
    public static func escape(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(.init(charactersIn: "-._~"))) ?? text
    }

    private static func target(_ path: String, _ query: [Parameter]) -> String {
        let pairs = query.compactMap { name, value in value.map { "\(name)=\(escape($0))" } }
        return path + (pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&"))
    }
}

/// An error that a factory answered with.
public struct RemoteFailure: Failure {
    /// The kind of the failure, as the factory told it.
    public let code: FailureCode
    /// What happened, with what to do about it where the factory told that.
    public let message: String
    /// What the client itself can say about it.
    public let remedy: String?
    /// The status of the answer.
    public let status: Int

    /// - Parameter hadToken: whether the request carried a token.
    public init(status: Int, body: [UInt8], hadToken: Bool = false) {
        struct Body: Decodable {
            var error: String
            var code: FailureCode?
        }
        let decoded = try? JSON.decode(Body.self, from: body)
        self.status = status
        code = decoded?.code ?? .internal
        remedy =
            status == 401
            ? (hadToken
                ? "The token in use does not work: put a valid one in MODELWORKS_TOKEN or name its file with --token-file"
                : "This server wants a token: put it in MODELWORKS_TOKEN or name its file with --token-file") : nil
        message =
            decoded?.error ?? "the server answered \(status): \(String(decoding: body.prefix(300), as: UTF8.self))"
    }
}
