import Basics
import HTTP
import Testing

struct RouterTests {
    private struct Planted: Failure {
        let code: FailureCode
        let message = "it broke"
        var remedy: String? { "Mend it" }
    }

    private static func router() -> Router {
        let router = Router()
        router.get("/models/{name}") { .text("model \(try $0.parameter("name"))") }
        router.get("/models/latest") { _ in .text("literal") }
        router.get("/models/{name}/versions/{version:int}") {
            .text("\(try $0.parameter("name")) \(try $0.parameter("version", as: Int.self) + 1)")
        }
        router.get("/models/{name}/versions/{alias}") { .text("alias \(try $0.parameter("alias"))") }
        router.get("/files/{path:path}") { .text("file \(try $0.parameter("path"))") }
        router.get("/files/index") { _ in .text("index") }
        router.post("/models/{name}") { _ in .text("posted") }
        router.get("/query") { .text("\($0.query("a") ?? "-") \(try $0.query("n", as: Int.self) ?? 0)") }
        router.get("/v2/nothing") { _ in throw Planted(code: .notFound) }
        router.get("/v20/nothing") { _ in throw Planted(code: .notFound) }
        for code in FailureCode.allCases { router.get("/fail/\(code.rawValue)") { _ in throw Planted(code: code) } }
        router.get("/secret") { _ in throw Unnamed() }
        router.errorShape(prefix: "/v2") { problem in
            .text("v2: \(problem.text)", status: problem.status)
        }
        return router
    }

    private struct Unnamed: Error { let password = "hunter2" }

    private func text(_ method: HTTPMethod, _ target: String) async throws -> String {
        let response = await Self.router().dispatch(try HTTPRequest(method: method, target: target))
        return "\(response.status.code) " + String(decoding: try await response.collect(), as: UTF8.self)
    }

    @Test(
        "Paths find their handlers; literal segments win over numbers, numbers over text, text over the rest",
        arguments: [
            ("/models/a", "200 model a"), ("/models/latest", "200 literal"),
            ("/models/latest/versions/3", "200 latest 4"), ("/models/m/versions/best", "200 alias best"),
            ("/models/m/versions/99999999999999999999", "200 alias 99999999999999999999"),
            ("/files/a/b/c.txt", "200 file a/b/c.txt"), ("/files/index", "200 index"),
            ("/files/index/x", "200 file index/x"),
            ("/models/a%20b%2Fc%C3%BC", "200 model a b/cü"), ("/query?a=x+y%26&n=7&a=z", "200 x y& 7"),
            ("/query?flag", "200 - 0"), ("http://host:80/models/a?x=1", "200 model a"),
        ])
    func paths(target: String, expected: String) async throws {
        #expect(try await text(.get, target) == expected)
    }

    @Test(
        "Targets that can not be decoded or step up are refused",
        arguments: [
            "/a%", "/a%2", "/a%zz", "/a%00", "/%ff", "/files/../x", "/files/%2e%2e/x", "/files/a%2F..%2Fb",
            // With a mark that joins the slash to one character.
            "/files/a%2F..%2F%CD%85b", "x",
            "/q?a=%",
        ])
    func badTargets(target: String) {
        #expect(throws: HTTPFailure.self) { try HTTPRequest(method: .get, target: target) }
    }

    @Test("An unknown path is 404, a known one with another method 405 with Allow")
    func unknown() async throws {
        #expect(try await text(.get, "/nowhere").hasPrefix("404 {\"code\":\"NOT_FOUND\""))
        #expect(try await text(.get, "/models/").hasPrefix("404"))
        let router = Self.router()
        let refused = await router.dispatch(try HTTPRequest(method: .delete, target: "/models/a"))
        #expect(refused.status == .methodNotAllowed)
        #expect(refused.headers["allow"] == "GET, HEAD, POST, OPTIONS")
        let options = await router.dispatch(try HTTPRequest(method: .options, target: "/models/a"))
        #expect(options.status == .noContent)
        #expect(options.headers["allow"] == "GET, HEAD, POST, OPTIONS")
    }

    @Test("Each kind of failure has its status")
    func statuses() async throws {
        let expected: [FailureCode: Int] = [
            .invalidArgument: 400, .notFound: 404, .alreadyExists: 409, .failedPrecondition: 412,
            .permissionDenied: 403, .resourceExhausted: 429, .unavailable: 503, .deadlineExceeded: 504,
            .dataLoss: 500, .internal: 500,
        ]
        for (code, status) in expected {
            #expect(
                try await text(.get, "/fail/\(code.rawValue)")
                    == "\(status) {\"code\":\"\(code.rawValue)\",\"error\":\"it broke. Mend it\"}")
        }
    }

    @Test("Errors take the shape of their prefix, and only of whole segments")
    func shapes() async throws {
        #expect(try await text(.get, "/v2/nothing") == "404 v2: it broke. Mend it")
        #expect(try await text(.get, "/v2/unknown").hasPrefix("404 v2: no resource has the path"))
        #expect(try await text(.get, "/v20/nothing").hasPrefix("404 {"))
    }

    @Test("The text of an unknown error stays inside")
    func unknownError() async throws {
        let answer = try await text(.get, "/secret")
        #expect(answer.hasPrefix("500 "))
        #expect(!answer.contains("hunter2"))
    }

    @Test("onError takes the place of the mapping")
    func onError() async throws {
        let router = Self.router()
        router.onError = { _, request in .text("mine \(request.path)", status: HTTPStatus(418)) }
        let response = await router.dispatch(try HTTPRequest(method: .get, target: "/nowhere"))
        #expect(response.status.code == 418)
    }

    @Test("Numbers in the query must be numbers")
    func badQuery() async throws {
        #expect(try await text(.get, "/query?n=x").hasPrefix("400 "))
    }
}
