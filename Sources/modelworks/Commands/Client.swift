import Basics
import Foundation
import HTTP
import Works

/// Speaks to a factory: over HTTP where a server runs, else in this process over the same routes.
struct Client: Sendable {
    private enum Way: Sendable {
        case server(HTTPClient)
        case here(Works)
    }

    private let way: Way
    private let principal: String
    private let token: Secret?
    private static let prefix = "/api/works/v1"

    /// - Throws: a `UsageError` for a URL that is none, or what opening the root throws.
    static func open(_ arguments: Arguments, _ context: Context) async throws -> Client {
        let principal = "user:\(context.environment["USER"] ?? "operator")"
        let root = context.root(arguments)
        let given = arguments.option("url") ?? context.environment["MODELWORKS_URL"]
        if let url = given ?? RootLock.serverURL(root: root) {
            return try Client(
                url: url, principal: principal, token: try ClientProof.token(arguments, context),
                trust: ClientProof.trust(context), identity: try ClientProof.identity(context))
        }
        return Client(way: .here(try await Works.open(context.works(arguments))), principal: principal)
    }

    init(
        url: String, principal: String, token: Secret? = nil, trust: HTTPTrust = .system, identity: HTTPIdentity? = nil
    ) throws {
        self.init(
            way: .server(
                try HTTPClient(baseURL: url, connections: 1, timeout: 3600, trust: trust, identity: identity)),
            principal: principal, token: token)
    }

    private init(way: Way, principal: String, token: Secret? = nil) {
        self.way = way
        self.principal = principal
        self.token = token
    }

    /// Asks for a document; `JSONValue` where its shape does not matter.
    func get<Value: Decodable>(_ path: String, _ query: [(String, String?)] = [], as type: Value.Type = JSONValue.self)
        async throws -> Value
    {
        let pairs = query.compactMap { name, value in value.map { "\(name)=\(Client.escape($0))" } }
        let target = path + (pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&"))
        return try JSON.decode(type, from: try await exchange(.get, target, nil))
    }

    /// Sends a document and gives the answer; `JSONValue` where its shape does not matter.
    func post<Value: Decodable>(_ path: String, _ body: some Encodable, as type: Value.Type = JSONValue.self)
        async throws -> Value
    {
        try JSON.decode(type, from: try await exchange(.post, path, try JSON.canonical(body)))
    }

    /// Asks for bytes that are no document.
    func bytes(_ path: String, _ query: [(String, String?)] = []) async throws -> [UInt8] {
        let pairs = query.compactMap { name, value in value.map { "\(name)=\(Client.escape($0))" } }
        return try await exchange(.get, path + (pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&")), nil)
    }

    /// Sends bytes that are no document, and gives what comes back as it is.
    func send(
        _ path: String, _ query: [(String, String?)], _ bytes: [UInt8], contentType: String
    ) async throws -> [UInt8] {
        let pairs = query.compactMap { name, value in value.map { "\(name)=\(Client.escape($0))" } }
        let target = path + (pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&"))
        return try await exchange(.post, target, bytes, contentType: contentType)
    }

    /// The bytes of an object.
    func object(_ digest: Digest) async throws -> [UInt8] {
        try await exchange(.get, "/objects/\(digest.hex)", nil)
    }

    /// A page outside the API, such as `/metrics`.
    func operatorPage(_ path: String) async throws -> [UInt8] { try await exchange(.get, path, nil, prefix: "") }

    /// Stores bytes by content.
    func put(_ bytes: [UInt8]) async throws -> Digest {
        struct Stored: Decodable { var digest: Digest }
        return try JSON.decode(Stored.self, from: try await exchange(.post, "/objects", bytes)).digest
    }

    /// Ends the work of a factory opened in this process.
    func close() async {
        if case .here(let works) = way { await works.close() }
    }

    private func exchange(
        _ method: HTTPMethod, _ path: String, _ body: [UInt8]?, prefix: String = Client.prefix,
        contentType: String = "application/json"
    ) async throws -> [UInt8] {
        let target = prefix + path
        var headers: HTTPHeaders = ["X-Modelworks-Principal": principal, "Content-Type": contentType]
        if let token { headers["Authorization"] = "Bearer \(token.revealed)" }
        let (status, bytes): (Int, [UInt8])
        switch way {
        case .server(let client):
            let response = try await client.send(method, target, headers: headers, body: body ?? [])
            (status, bytes) = (response.status.code, try await response.collect())
        case .here(let works):
            let response = try await works.dispatch(method, target, headers: headers, body: body ?? [])
            (status, bytes) = (response.status, response.body)
        }
        guard (200..<300).contains(status) else {
            throw RemoteFailure(status: status, body: bytes, hadToken: token != nil)
        }
        return bytes
    }

    static func escape(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(.init(charactersIn: "-._~"))) ?? text
    }
}

/// An error that a server answered with.
struct RemoteFailure: Failure {
    let code: FailureCode
    let message: String
    let remedy: String?

    init(status: Int, body: [UInt8], hadToken: Bool = false) {
        struct Body: Decodable {
            var error: String
            var code: FailureCode?
        }
        let decoded = try? JSON.decode(Body.self, from: body)
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

/// A verb that asks the API and shows the answer.
protocol ClientCommand: Command {
    func run(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output
}

extension ClientCommand {
    func run(_ arguments: Arguments, _ context: Context) async throws -> Output {
        try await runWithClient(arguments, context)
    }

    /// Runs the verb with a client that is closed after it.
    func runWithClient(_ arguments: Arguments, _ context: Context) async throws -> Output {
        let client = try await Client.open(arguments, context)
        do {
            let output = try await run(arguments, client, context)
            await client.close()
            return output
        } catch {
            await client.close()
            throw error
        }
    }
}

extension JSONValue {
    /// A short text for a table's cell.
    var cell: String {
        switch self {
        case .null: "–"
        case .bool(let value): value ? "yes" : "no"
        case .integer(let value): "\(value)"
        case .number(let value): String(format: "%.4g", value)
        case .string(let value): value.hasPrefix("sha256:") ? String(value.dropFirst(7).prefix(12)) : value
        case .array(let items): items.map { $0["kind"]?.cell ?? $0.cell }.joined(separator: ", ")
        case .object(let members):
            members.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.cell)" }.joined(separator: " ")
        }
    }

    /// The member at a path such as `candidate.metrics.auc`.
    func at(_ path: String) -> JSONValue? {
        path.split(separator: ".").reduce(Optional(self)) { $0?[String($1)] }
    }
}

/// Objects of an array as a table with the columns asked for.
func table(_ document: JSONValue, _ columns: [(title: String, path: String)], empty: String) -> String {
    let rows = document.array ?? []
    guard !rows.isEmpty else { return empty }
    var table = TextTable(columns.map(\.title))
    for row in rows { table.add(columns.map { (row.at($0.path) ?? .null).cell }) }
    return table.rendered()
}
