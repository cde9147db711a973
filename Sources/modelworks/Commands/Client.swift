import Basics
import Foundation
import HTTP
import ModelworksClient
import Works

/// Speaks to a factory: over HTTP where a server runs, else in this process over the same routes.
struct Client: Sendable {
    /// A factory opened in this process.
    private struct Here: FactoryTransport {
        let works: Works

        func send(
            _ method: HTTPMethod, _ target: String, headers: HTTPHeaders, body: [UInt8]
        ) async throws -> (status: Int, body: [UInt8]) {
            try await works.dispatch(method, target, headers: headers, body: body)
        }

        func send(
            _ method: HTTPMethod, _ target: String, headers: HTTPHeaders, file: String
        ) async throws -> (status: Int, body: [UInt8]) {
            guard let handle = FileHandle(forReadingAtPath: file) else {
                throw HTTPFailure.badFile(file, String(cString: strerror(errno)))
            }
            let thread = BlockingThread(name: "body")
            let request = try HTTPRequest(method: method, target: target, headers: headers) {
                try await thread.run { try handle.read(upToCount: 1 << 20).flatMap { $0.isEmpty ? nil : [UInt8]($0) } }
            }
            let response = await works.router.dispatch(request)
            return (response.status.code, try await response.collect())
        }

        func send(
            _ method: HTTPMethod, _ target: String, headers: HTTPHeaders, body: [UInt8], saving file: Int32
        ) async throws -> (status: Int, body: [UInt8]) {
            let response = await works.router.dispatch(
                try HTTPRequest(method: method, target: target, headers: headers, body: body))
            guard (200..<300).contains(response.status.code) else {
                return (response.status.code, try await response.collect())
            }
            let (thread, handle) = (BlockingThread(name: "body"), FileHandle(fileDescriptor: file))
            try await response.write { bytes in try await thread.run { try handle.write(contentsOf: Data(bytes)) } }
            return (response.status.code, [])
        }
    }

    let connection: FactoryConnection
    /// To be closed at the end, where it was opened here.
    private let works: Works?

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
        let works = try await Works.open(context.works(arguments))
        return Client(FactoryConnection(Here(works: works), principal: principal), works)
    }

    init(
        url: String, principal: String, token: Secret? = nil, trust: HTTPTrust = .system, identity: HTTPIdentity? = nil
    ) throws {
        let client = try HTTPClient(baseURL: url, connections: 1, timeout: 3600, trust: trust, identity: identity)
        self.init(FactoryConnection(client, principal: principal, token: token), nil)
    }

    private init(_ connection: FactoryConnection, _ works: Works?) {
        self.connection = connection
        self.works = works
    }

    /// The features with their types.
    var features: FeatureClient { ModelworksClient(connection).features }

    /// Asks for a document; `JSONValue` where its shape does not matter.
    func get<Value: Decodable>(_ path: String, _ query: [(String, String?)] = [], as type: Value.Type = JSONValue.self)
        async throws -> Value
    {
        try await connection.get(path, query, as: type)
    }

    /// Sends a document and gives the answer; `JSONValue` where its shape does not matter.
    func post<Value: Decodable>(_ path: String, _ body: some Encodable, as type: Value.Type = JSONValue.self)
        async throws -> Value
    {
        try await connection.post(path, body, as: type)
    }

    /// Asks for bytes that are no document.
    func bytes(_ path: String, _ query: [(String, String?)] = []) async throws -> [UInt8] {
        try await connection.bytes(path, query)
    }

    /// Sends bytes that are no document, and gives what comes back as it is.
    func send(
        _ path: String, _ query: [(String, String?)], _ bytes: [UInt8], contentType: String
    ) async throws -> [UInt8] {
        try await connection.send(path, query, bytes, contentType: contentType)
    }

    /// Sends a file, however large, and gives what comes back as it is.
    func send(_ path: String, file: String, contentType: String) async throws -> [UInt8] {
        try await connection.send(path, file: file, contentType: contentType)
    }

    /// Asks for bytes, however many, and writes them to an open file.
    func save(_ path: String, to file: Int32) async throws { try await connection.save(path, to: file) }

    /// The bytes of an object.
    func object(_ digest: Digest) async throws -> [UInt8] { try await bytes("/objects/\(digest.hex)") }

    /// A page outside the API, such as `/metrics`.
    func operatorPage(_ path: String) async throws -> [UInt8] { try await connection.page(path) }

    /// Stores bytes by content.
    func put(_ bytes: [UInt8]) async throws -> Digest {
        struct Stored: Decodable { var digest: Digest }
        let answer = try await send("/objects", [], bytes, contentType: "application/octet-stream")
        return try JSON.decode(Stored.self, from: answer).digest
    }

    /// Ends the work of a factory opened in this process.
    func close() async { await works?.close() }

    static func escape(_ text: String) -> String { FactoryConnection.escape(text) }
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
