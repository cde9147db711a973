import Basics
import Foundation
import HTTP
import TestSupport
import Works

/// A small factory of a test's own: orders of five shops, which fail the more often the larger they are and the busier
/// their shop is. What the shop's load was is a feature; how large the order is comes with the request.
public final class Workshop: Sendable {
    public let folder: TemporaryFolder
    public let works: Works

    /// What a request was answered with.
    public struct Answer: Sendable {
        public let status: Int
        public let body: [UInt8]

        public init(status: Int, body: [UInt8]) {
            self.status = status
            self.body = body
        }

        public var text: String { String(decoding: body, as: UTF8.self) }

        /// The body as a document; null where it is none.
        public var json: JSONValue { (try? JSON.decode(JSONValue.self, from: body)) ?? .null }

        public func decoded<Value: Decodable>(_ type: Value.Type) throws -> Value { try JSON.decode(type, from: body) }
    }

    /// Something a test rests on did not go as it must.
    public struct Surprise: Error, CustomStringConvertible {
        public let description: String

        public init(description: String) { self.description = description }
    }

    /// Opens a factory in a folder of its own, or again in one that a closed factory left.
    /// - Parameter adjust: changes how it is opened.
    public init(
        in folder: TemporaryFolder? = nil, _ adjust: @Sendable (inout WorksOptions) -> Void = { _ in }
    ) async throws {
        let folder = try folder ?? TemporaryFolder()
        self.folder = folder
        var options = WorksOptions(root: "\(folder.path)/root")
        adjust(&options)
        works = try await Works.open(options)
    }

    /// Asks the factory's own API without a socket.
    public func send(_ method: HTTPMethod, _ path: String, _ body: JSONValue? = nil) async throws -> Answer {
        let bytes = try body.map { try JSON.canonical($0) } ?? []
        let answer = try await works.dispatch(
            method, "/api/works/v1" + path,
            headers: ["Content-Type": "application/json", "X-Modelworks-Principal": "user:test"], body: bytes)
        return Answer(status: answer.status, body: answer.body)
    }

    public func get(_ path: String) async throws -> Answer { try await send(.get, path) }

    /// Sends what must succeed.
    @discardableResult
    public func post(_ path: String, _ body: JSONValue = [:]) async throws -> JSONValue {
        let answer = try await send(.post, path, body)
        guard answer.status == 200 else { throw Surprise(description: "POST \(path): \(answer.status) \(answer.text)") }
        return answer.json
    }

    /// The body of a plan or apply of these files; data is read from the workshop's folder.
    public func directory(_ files: [String: String]) -> JSONValue {
        ["root": .string(folder.path), "files": .object(files.mapValues { .string($0) })]
    }

    /// Writes the raw rows, applies the definitions, and ingests.
    public func apply(_ files: [String: String] = Blueprint.files, rows: Rows = Rows()) async throws {
        try rows.write(to: folder)
        try await post("/apply", directory(files))
        try await post("/data/ingest")
    }

    /// Trains, promotes and deploys a version; the clock is put to the end of what it learnt from.
    ///
    /// - Returns: what the training answered.
    @discardableResult
    public func trainAndDeploy() async throws -> JSONValue {
        let result = try await post("/train/\(Blueprint.training)")
        try await post("/models/\(Blueprint.model)/versions/1/stage", ["stage": "Production", "reason": "first"])
        try await post("/endpoints/\(Blueprint.endpoint)/deploy", ["version": "order-failure/1", "reason": "first"])
        try await advance(to: Blueprint.trainedTo)
        return result
    }

    /// Moves the factory's clock and does what has become due.
    @discardableResult
    public func advance(to moment: Timestamp) async throws -> JSONValue {
        try await post("/clock", ["now": .string(moment.description)])
    }

    /// Entries of the journal, oldest first.
    public func journal(type: String? = nil) async throws -> [JSONValue] {
        let answer = try await get("/journal?limit=10000" + (type.map { "&type=\($0)" } ?? ""))
        return answer.json.array ?? []
    }

    /// Where the factory is served now, as `HOST:PORT`.
    public func address() throws -> String {
        guard let url = RootLock.serverURL(root: "\(folder.path)/root") else {
            throw Surprise(description: "the factory is not served")
        }
        return String(url.dropFirst("http://".count))
    }

    /// Serves on a free port while `body` runs, then drains and closes the factory.
    /// - Parameter security: who is let in.
    public func serving<Result: Sendable>(
        _ security: ServerSecurity = ServerSecurity(), _ body: @Sendable (HTTPClient) async throws -> Result
    ) async throws -> Result {
        let (addresses, announce) = AsyncStream<String>.makeStream()
        let (stops, stop) = AsyncStream<Void>.makeStream()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [works] in
                defer { announce.finish() }
                try await works.serve(host: "127.0.0.1", port: 0, security: security) {
                    announce.yield($0)
                } until: {
                    for await _ in stops { return }
                }
            }
            var addressed = addresses.makeAsyncIterator()
            guard let url = await addressed.next() else {
                try await group.waitForAll()
                throw Surprise(description: "the server ended before it was ready")
            }
            let outcome: Swift.Result<Result, any Error>
            do {
                outcome = .success(try await body(try HTTPClient(baseURL: url, connections: 1)))
            } catch {
                outcome = .failure(error)
            }
            stop.yield()
            try await group.waitForAll()
            return try outcome.get()
        }
    }
}

extension HTTPClient {
    /// Sends an Open Inference request and gives the whole answer.
    public func infer(_ endpoint: String, _ body: String) async throws -> Workshop.Answer {
        let response = try await send(
            .post, "/v2/models/\(endpoint)/infer", headers: ["Content-Type": "application/json"], body: Array(body.utf8)
        )
        return Workshop.Answer(status: response.status.code, body: try await response.collect())
    }
}
