import Basics
import Documents
import Experiments
import HTTP
import Registry
import Sealing
import Security

/// MLflow's REST protocol, so that its stock client tracks experiments, keeps artifacts and registers models here.
///
/// It differs where MLflow's own server misleads: an order with a key named twice is the caller's fault (400), as is a
/// new name that is taken (RESOURCE_ALREADY_EXISTS), an unknown status is refused, and a batch is kept whole or not at all.
public struct MLflow: Sendable {
    let experiments: ExperimentStore
    let registry: ModelRegistry
    let webhooks: WebhookStore
    let time: any TimeSource
    let tryWebhook: @Sendable (WebhookRequest) async -> WebhookTrial
    private let pages: WebPages?

    /// The version of MLflow whose protocol this is.
    static let version = "3.17.2"

    /// - Parameters:
    ///   - time: dates what a client gives no time for.
    ///   - pages: MLflow's web pages; nil where none are shown.
    ///   - tryWebhook: sends a request once and tells what came of it.
    public init(
        experiments: ExperimentStore, registry: ModelRegistry, webhooks: WebhookStore, time: any TimeSource,
        pages: WebPages? = nil, tryWebhook: @escaping @Sendable (WebhookRequest) async -> WebhookTrial
    ) {
        self.webhooks = webhooks
        self.tryWebhook = tryWebhook
        self.experiments = experiments
        self.registry = registry
        self.time = time
        self.pages = pages
    }

    /// Puts the protocol's routes on a router, with its own shape of errors.
    public func install(on router: Router) {
        for prefix in Self.prefixes {
            for part in ["mlflow", "mlflow-artifacts"] {
                router.errorShape(prefix: "\(prefix)/\(part)") { MLflowProblem(unhandled: $0).response }
            }
        }
        router.get("/version", needs: .nothing) { _ in .text(Self.version) }
        installServerInfo(on: router)
        installExperiments(on: router)
        installRuns(on: router)
        installLogging(on: router)
        installHistories(on: router)
        installArtifacts(on: router)
        installLoggedModels(on: router)
        installModels(on: router)
        installVersions(on: router)
        installWebhooks(on: router)
        installTraces(on: router)
        installTracePages(on: router)
        installPageRoutes(on: router)
        installPageQueries(on: router)
        pages?.install(on: router)
    }

    /// Python's clients use the first, web pages the second, of each version of the protocol.
    static let prefixes = ["/api/2.0", "/ajax-api/2.0", "/api/3.0", "/ajax-api/3.0"]

    /// Registers a handler below both prefixes of a version; its errors get the protocol's shape.
    /// - Parameter isBrief: as `Router.route` has it.
    func route(
        _ method: HTTPMethod, _ path: String, version: String = "2.0", needs action: Action, takesPieces: Bool = false,
        isBrief: Bool = false, on router: Router,
        _ handler: @escaping @Sendable (HTTPRequest) async throws -> HTTPResponse
    ) {
        let kind = ResourceKind(path: path)
        let need = kind.map { RouteNeed.right(to: action, onSome: $0.rawValue) } ?? .right(to: action)
        for prefix in ["/api", "/ajax-api"] {
            router.route(
                method, "\(prefix)/\(version)\(path)", needs: need, takesPieces: takesPieces, isBrief: isBrief
            ) { request in
                do {
                    if let kind { try await authorise(action, on: kind, path, request) }
                    return try await handler(request)
                } catch {
                    return MLflowProblem(error, requestID: request.requestID).response
                }
            }
        }
    }

    /// Registers a handler that takes fields and writes the members of its answer.
    func call(
        _ method: HTTPMethod, _ path: String, version: String = "2.0", needs action: Action, isBrief: Bool = false,
        on router: Router, _ handler: @escaping @Sendable (Fields, HTTPRequest) async throws -> Answer
    ) {
        route(method, "/mlflow\(path)", version: version, needs: action, isBrief: isBrief, on: router) { request in
            try await handler(try Fields(request), request).response
        }
    }

    /// Who asks, for the journal.
    static func principal(_ request: HTTPRequest) -> String { request.principal ?? "user:anonymous" }

    private func installServerInfo(on router: Router) {
        route(.get, "/mlflow/server-info", version: "3.0", needs: .read, on: router) { _ in
            Answer {
                $0.member("store_type", "SqlStore")
                $0.member("workspaces_enabled", false)
                $0.member("multipart_uploads_enabled", false)
                $0.member("multipart_downloads_enabled", false)
                $0.member("artifact_serving_enabled", true)
                $0.member("artifacts_presigned_only", false)
                $0.member("trace_archival_enabled", false)
            }.response
        }
    }
}

/// The members of an answer; what is not written is not there, which clients read as its default.
struct Answer {
    private let body: HTTPResponse.Body

    /// The answer `{}`.
    static let empty = Answer { _ in }

    init(capacity: Int = 256, _ members: (inout JSONWriter) throws -> Void) rethrows {
        var writer = JSONWriter(capacity: capacity)
        try writer.object(nil, members)
        body = .bytes(writer.bytes)
    }

    /// A long one, written piece by piece with its braces.
    init(pieces: @escaping @Sendable (ResponseWriter) async throws -> Void) { body = .stream(pieces) }

    /// The answer as a document.
    var document: JSONValue {
        guard case .bytes(let bytes) = body else { return .null }
        return (try? JSONTree.value(bytes)) ?? .null
    }

    var response: HTTPResponse {
        HTTPResponse(
            headers: ["Content-Type": "application/json", "X-Content-Type-Options": "nosniff"], body: body)
    }
}

/// Where the next page of a search begins, as clients carry it around.
enum PageToken {
    /// - Throws: ``MLflowFailure/pageToken``.
    static func offset(_ fields: Fields) throws -> Int {
        guard let token = try fields.optionalText("page_token"), !token.isEmpty else { return 0 }
        guard let bytes = Base64.bytes(token), let document = try? JSONTree.value(bytes),
            let offset = document["offset"]?.integer, (0...Int64(Int32.max)).contains(offset)
        else { throw MLflowFailure.pageToken }
        return Int(offset)
    }

    static func text(_ offset: Int) -> String { Base64.text(Array("{\"offset\": \(offset)}".utf8)) }
}
