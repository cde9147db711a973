import Basics
import HTTP
import Synchronization
import Telemetry
import Testing

/// Lets in whom the header names; what the loop thread may know by itself is set by the test.
private final class Doorman: AccessGuard {
    let knows: Bool
    let admitted = Atomic<Int>(0)
    let gate: Gate?

    init(knows: Bool, gate: Gate? = nil) {
        self.knows = knows
        self.gate = gate
    }

    func verdict(
        on credentials: InlineCredentials, for need: RouteNeed?, resource: UnsafeRawBufferPointer?
    ) -> AccessVerdict {
        guard knows else { return .unknown }
        let name = credentials.authorization.map { String(decoding: $0, as: UTF8.self) }
        do {
            try Doorman.check(name, need, resource.map { String(decoding: $0, as: UTF8.self) })
            return .allowed()
        } catch {
            return .refused(error)
        }
    }

    func admit(_ credentials: RequestCredentials) async throws -> Caller {
        admitted.add(1, ordering: .relaxed)
        await gate?.wait()
        let name = credentials.authorization
        guard let name else { throw HTTPFailure.unauthenticated("who are you", remedy: "Say so") }
        return Caller(name: name) { try Doorman.check(name, $0, $1) }
    }

    private static func check(_ name: String?, _ need: RouteNeed?, _ resource: String?) throws {
        guard let name else { throw HTTPFailure.unauthenticated("who are you", remedy: "Say so") }
        let wanted = "\(need?.action ?? "anything") \(need?.kind ?? "-") \(resource ?? "-")"
        guard name == "root" || name == wanted else { throw Refused(wanted: wanted) }
    }

    struct Refused: Failure {
        let code = FailureCode.permissionDenied
        let wanted: String
        var message: String { "that needs \(wanted)" }
    }
}

@Suite struct AccessTests {
    private static func router(_ guardian: Doorman) -> Router {
        let router = Router()
        let deploy = RouteNeed.action("deploy", on: "model", named: "name")
        router.get("/health", needs: .nothing) { .text("open \($0.principal ?? "-")") }
        router.get("/plain") { .text($0.principal ?? "-") }
        router.get("/list", needs: .action("read")) { .text($0.principal ?? "-") }
        router.post("/models/{name}", needs: deploy) { .text("\($0.principal ?? "-") \($0.body.count)") }
        router.inline(.post, "/fast/{other}/{name}", needs: deploy) { exchange in
            if exchange.parameterText(0) == "fall" { return false }
            var text = "\(exchange.loopIndex >= 0) \(exchange.parameterText(1)) \(exchange.body.count)"
            text.withUTF8 { exchange.reply(.ok, contentType: "text/plain", UnsafeRawBufferPointer($0)) }
            return true
        }
        router.post("/fast/{other}/{name}", needs: deploy) { .text("slow \($0.principal ?? "-") \($0.body.count)") }
        router.errorShape(prefix: "/fast") { .text("fast: \($0.text)", status: $0.status) }
        router.protect(with: guardian)
        return router
    }

    private static func serve(_ guardian: Doorman) throws -> (client: HTTPClient, server: HTTPServer) {
        let server = HTTPServer(
            configuration: HTTPServerConfiguration(), router: router(guardian), log: .silent,
            metrics: MetricsRegistry())
        let port = try server.start()
        return (try HTTPClient(baseURL: "http://127.0.0.1:\(port)", connections: 1, timeout: 10), server)
    }

    private static func ask(
        _ client: HTTPClient, _ method: HTTPMethod, _ path: String, as name: String?, bytes: Int = 0
    ) async throws -> String {
        var headers = HTTPHeaders()
        headers["Authorization"] = name
        let body = [UInt8](repeating: 120, count: bytes)
        let answer = try await client.send(method, path, headers: headers, body: body)
        return "\(answer.status.code) " + String(decoding: try await answer.collect(), as: UTF8.self)
    }

    private static func code(
        _ client: HTTPClient, _ method: HTTPMethod, _ path: String, as name: String?
    ) async throws -> Int {
        try await Int(ask(client, method, path, as: name).prefix(3)) ?? 0
    }

    @Test(arguments: [true, false])
    func theGuardStandsBeforeEveryRoute(_ knows: Bool) async throws {
        let (client, server) = try Self.serve(Doorman(knows: knows))
        #expect(try await Self.ask(client, .get, "/health", as: nil) == "200 open -")
        #expect(try await Self.code(client, .get, "/list", as: nil) == 401)
        #expect(try await Self.ask(client, .get, "/list", as: "read - -") == "200 read - -")
        #expect(try await Self.code(client, .head, "/list", as: nil) == 401)
        #expect(try await Self.code(client, .get, "/plain", as: "read - -") == 403)
        #expect(try await Self.ask(client, .get, "/plain", as: "root") == "200 root")
        let one = "deploy model one"
        #expect(try await Self.ask(client, .post, "/models/one", as: one, bytes: 9) == "200 \(one) 9")
        #expect(try await Self.code(client, .post, "/models/two", as: one) == 403)
        #expect(try await Self.code(client, .post, "/models/%6Fne", as: one) == 200)
        #expect(try await Self.ask(client, .post, "/fast/a/one", as: one, bytes: 70_000) == "200 true one 70000")
        #expect(try await Self.ask(client, .post, "/fast/a/one?x=1", as: one) == "200 true one 0")
        #expect(
            try await Self.ask(client, .post, "/fast/a/two", as: one) == "403 fast: that needs deploy model two")
        #expect(try await Self.ask(client, .post, "/fast/a/one", as: nil) == "401 fast: who are you. Say so")
        #expect(try await Self.ask(client, .post, "/fast/fall/one", as: one, bytes: 5) == "200 slow \(one) 5")
        #expect(try await Self.ask(client, .post, "/fast/a/%6Fne", as: one) == "200 slow \(one) 0")
        #expect(try await Self.code(client, .post, "/fast/a/%6Fne", as: nil) == 401)
        #expect(try await Self.code(client, .get, "/nothing", as: nil) == 404)
        await server.shutdown(drainSeconds: 1)
    }

    @Test func aRefusalSaysHowToSignIn() async throws {
        let (client, server) = try Self.serve(Doorman(knows: true))
        for (method, path) in [(HTTPMethod.get, "/list"), (.post, "/fast/a/one")] {
            let answer = try await client.send(method, path)
            #expect(answer.status == .unauthorized)
            let schemes = answer.headers.fields.filter { $0.name == "WWW-Authenticate" }.map(\.value)
            #expect(schemes == ["Bearer realm=\"modelworks\"", "Basic realm=\"modelworks\", charset=\"UTF-8\""])
            #expect(answer.headers["X-Request-Id"] != nil)
        }
        await server.shutdown(drainSeconds: 1)
    }

    @Test func withoutAGuardNothingIsAsked() async throws {
        let router = Router()
        router.get("/list", needs: .action("read")) { .text($0.principal ?? "-") }
        let answer = await router.dispatch(try HTTPRequest(method: .get, target: "/list"))
        #expect(answer.status == .ok)
    }

    @Test func aNeedNamesAParameterOfItsPath() throws {
        let router = Router()
        router.get("/models/{model}", needs: .action("read", on: "model")) { _ in .text("") }
        #expect(router.problems.isEmpty)
        router.inline(.get, "/fast/{name}", needs: .action("read", on: "model")) { _ in true }
        #expect(
            router.problems == ["'/fast/{name}' has no parameter 'model' to name the resource it needs a right on"])
        #expect(router.routes.map(\.pattern) == ["/models/{model}", "/fast/{name}"])
        #expect(router.routes.map(\.isInline) == [false, true])
    }

    @Test func whoIsLookedUpDuringShutdownIsCutAndNothingBreaks() async throws {
        let gate = Gate()
        let guardian = Doorman(knows: false, gate: gate)
        let (client, server) = try Self.serve(guardian)
        let asked = Task { try await Self.ask(client, .post, "/fast/a/one", as: "root") }
        while guardian.admitted.load(ordering: .relaxed) == 0 { await Task.yield() }
        await server.shutdown(drainSeconds: 0.05)
        gate.open()
        _ = await asked.result
        await server.shutdown(drainSeconds: 1)
    }
}
