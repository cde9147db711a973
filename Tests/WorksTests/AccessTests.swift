import Basics
import Foundation
import HTTP
import Security
import Synchronization
import Telemetry
import TestSupport
import Testing
import Works
import Workshop

/// Who may do what in a whole factory.
@Suite(.serialized) struct AccessTests {
    private static func bearer(_ secret: Secret) -> HTTPHeaders { ["Authorization": "Bearer \(secret.revealed)"] }

    private static func token(_ shop: Workshop, _ name: String, _ role: Role) async throws -> Secret {
        try await shop.works.access.createToken(
            TokenRequest(principal: try PrincipalID(name), roleOfNewPrincipal: role), by: "user:root"
        ).secret
    }

    @Test func everyRouteDeclaresWhatItNeeds() async throws {
        let shop = try await Workshop()
        let routes = shop.works.router.routes
        #expect(routes.count > 40)
        for route in routes {
            let name = "\(route.method.rawValue) \(route.pattern)"
            guard let need = route.need else {
                Issue.record("\(name) declares nothing")
                continue
            }
            if need == .nothing {
                let open = ["/health", "/version", "/v2/health/live", "/v2/health/ready"]
                #expect(open.contains(route.pattern), "\(name) is open")
            } else {
                let action = Action(rawValue: need.action ?? "")
                #expect(action != nil, "\(name) needs \(need)")
                if route.method == .get { #expect([.read, .administer].contains(action), "\(name) needs \(need)") }
            }
        }
        await shop.works.close()
    }

    @Test func everyRoleGetsIntoTheRoutesItMayUse() async throws {
        let shop = try await Workshop()
        let works = shop.works
        works.router.protect(with: Authenticator(store: works.access, time: SystemTime()))
        var tokens: [Role: Secret] = [:]
        for role in Role.allCases { tokens[role] = try await Self.token(shop, role.rawValue, role) }
        for route in works.router.routes where !route.isInline {
            let path = route.pattern.split(separator: "/").map {
                $0.hasSuffix(":int}") ? "1" : $0.hasPrefix("{") ? "x" : $0
            }.joined(separator: "/")
            func status(_ headers: HTTPHeaders) async throws -> Int {
                // No body that could be carried out: what gets past the guard is refused for other reasons.
                try await works.dispatch(route.method, "/\(path)", headers: headers, body: Array("[]".utf8)).status
            }
            let name = "\(route.method.rawValue) /\(path)"
            guard let action = route.need?.action.flatMap(Action.init) else {
                #expect(try await status([:]) == 200, "\(name)")
                continue
            }
            #expect(try await status([:]) == 401, "\(name)")
            for (role, secret) in tokens {
                let code = try await status(Self.bearer(secret))
                #expect((code == 403) == (role < action.role) && code != 401, "\(name) as \(role): \(code)")
            }
        }
        await works.close()
    }

    @Test func aRoleOnOneEndpointReachesThatEndpoint() async throws {
        let shop = try await Workshop()
        try await shop.apply()
        let works = shop.works
        let secret = try await Self.token(shop, "mina", .viewer)
        let mina = try PrincipalID("mina")
        try await works.access.grant(.operator, to: mina, on: try AccessResource("endpoint/orders"), by: "user:root")
        works.router.protect(with: Authenticator(store: works.access, time: SystemTime()))
        func roll(_ endpoint: String) async throws -> (status: Int, body: [UInt8]) {
            try await works.dispatch(
                .post, "/api/works/v1/endpoints/\(endpoint)/rollback", headers: Self.bearer(secret), body: [])
        }
        #expect(try await roll("orders").status == 412)
        let refused = try await roll("others")
        #expect(refused.status == 403)
        let text = String(decoding: refused.body, as: UTF8.self)
        #expect(text.contains("user:mina may not rollback on endpoint/others: that needs the role operator"))
        await works.close()
    }

    @Test func registeringNeedsItsOwnRight() async throws {
        let shop = try await Workshop()
        try await shop.apply()
        let works = shop.works
        let secret = try await Self.token(shop, "sam", .scientist)
        works.router.protect(with: Authenticator(store: works.access, time: SystemTime()))
        func train(_ body: String) async throws -> Int {
            try await works.dispatch(
                .post, "/api/works/v1/train/\(Blueprint.training)", headers: Self.bearer(secret),
                body: Array(body.utf8)
            ).status
        }
        #expect(try await train("{}") == 403)
        #expect(try await train("{\"register\":false}") == 200)
        await works.close()
    }

    /// A whole run over the network: the journal names who it was, and the token is nowhere to be found.
    @Test func theTokenIsSeenByNobodyAndItsPrincipalByAll() async throws {
        let written = Mutex<[UInt8]>([])
        let shop = try await Workshop { options in
            options.logLevel = .debug
            options.logSink = LogSink { bytes in written.withLock { $0 += bytes } }
        }
        let secret = try await Self.token(shop, "mina", .admin)
        let once = try await Self.token(shop, "service:shop", .viewer)
        try Rows().write(to: shop.folder)
        let directory = try JSON.canonical(shop.directory(Blueprint.files))
        let order = try #require(Rows().orders.first { $0.placed >= Blueprint.trainedTo })
        let question = Array(try Blueprint.request(order).utf8)
        let answers = Mutex<[UInt8]>([])

        try await shop.serving(ServerSecurity(access: .on)) { client in
            @discardableResult
            func ask(
                _ path: String, _ body: [UInt8], as header: String, expect code: Int = 200, user: String = "user:root"
            ) async throws -> HTTPResponse {
                let answer = try await client.send(
                    .post, path,
                    headers: ["Authorization": header, "X-Modelworks-Principal": user], body: body, timeout: 120)
                let bytes = try await answer.collect()
                answers.withLock { $0 += bytes }
                #expect(answer.status.code == code, "\(path): \(String(decoding: bytes, as: UTF8.self))")
                return answer
            }
            let api = "/api/works/v1"
            let bearer = "Bearer \(secret.revealed)"
            try await ask("\(api)/apply", directory, as: bearer)
            try await ask("\(api)/data/ingest", [], as: bearer)
            try await ask("\(api)/train/\(Blueprint.training)", [], as: bearer)
            try await ask(
                "\(api)/models/\(Blueprint.model)/versions/1/stage",
                Array(#"{"stage":"Production","reason":"first"}"#.utf8), as: bearer)
            try await ask(
                "\(api)/endpoints/orders/deploy", Array(#"{"version":"order-failure/1"}"#.utf8), as: bearer)

            let infer = "/v2/models/orders/infer"
            for _ in 0..<3 { try await ask(infer, question, as: "Bearer \(once.revealed)") }
            let basic = Data("token:\(once.revealed)".utf8).base64EncodedString()
            for _ in 0..<3 { try await ask(infer, question, as: "Basic \(basic)") }
            try await ask("\(api)/endpoints/orders/rollback", [], as: "Bearer \(once.revealed)", expect: 403)
            let wrong = String(once.revealed.dropLast()) + (once.revealed.hasSuffix("a") ? "b" : "a")
            let turned = try await ask(infer, question, as: "Bearer \(wrong)", expect: 401)
            #expect(turned.headers["WWW-Authenticate"] == "Bearer realm=\"modelworks\"")
            try await ask(infer, question, as: wrong, expect: 401)
            let nameless = try await client.send(.post, infer, body: question)
            #expect(nameless.status == .unauthorized)
            #expect(String(decoding: try await nameless.collect(), as: UTF8.self).hasPrefix("{\"error\":\"the request"))

            let tokens = try await client.get("\(api)/tokens", headers: ["Authorization": bearer])
            let listed = try await tokens.collect()
            answers.withLock { $0 += listed }
            let journal = try await client.get("\(api)/journal?limit=1000", headers: ["Authorization": bearer])
            let entries = try await journal.collect()
            answers.withLock { $0 += entries }
            let documents = try JSON.decode([JSONValue].self, from: entries)
            let mine = documents.filter { ["factory.applied", "endpoint.deployed"].contains($0["type"]?.string) }
            #expect(mine.count == 2 && mine.allSatisfy { $0["principal"] == "user:mina" })
            #expect(!documents.contains { $0["principal"] == "user:root" && $0["type"] == "factory.applied" })

            let id = try #require(
                try JSON.decode([JSONValue].self, from: listed).first { $0["principal"] == "service:shop" }?["id"]?
                    .string)
            try await ask("\(api)/tokens/\(id)/revoke", [], as: bearer)
            try await ask(infer, question, as: "Bearer \(once.revealed)", expect: 401)
        }
        shop.works.logger.flush()
        let texts = [
            "log": written.withLock { $0 }, "answers": answers.withLock { $0 },
            "metrics": Array(shop.works.metrics.prometheusText().utf8),
        ]
        #expect(texts.values.allSatisfy { !$0.isEmpty })
        let halves = [secret, once].flatMap { [$0.revealed, String($0.revealed.dropFirst(15).prefix(24))] }
        for half in halves {
            let needle = Data(half.utf8)
            for (name, bytes) in texts { #expect(Data(bytes).range(of: needle) == nil, "\(name)") }
            let files = FileManager.default.enumerator(atPath: shop.folder.path)
            while let file = files?.nextObject() as? String {
                guard let bytes = FileManager.default.contents(atPath: shop.folder(file)) else { continue }
                #expect(bytes.range(of: needle) == nil, "\(file)")
            }
        }
    }

    @Test func noServerIsExposedUnprotected() async throws {
        let shop = try await Workshop()
        for security in [ServerSecurity(), ServerSecurity(access: .on)] {
            await #expect(throws: AccessFailure.self) {
                try await shop.works.serve(host: "0.0.0.0", port: 0, security: security) { _ in
                } until: {
                }
            }
        }
        await shop.works.close()
    }
}
