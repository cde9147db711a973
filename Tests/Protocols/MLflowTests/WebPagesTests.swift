import Basics
import Foundation
import HTTP
import TestSupport
import Testing
import Works
import Workshop

/// MLflow's own web pages, from the wheel of its stock client, over our server.
@Suite(.serialized) struct WebPagesTests {
    private static let browser = ["chromium", "chromium-browser"].map { "/usr/bin/\($0)" }.first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    @Test(
        .enabled(if: StockMLflow.pages != nil, "the stock MLflow client is not set up"),
        .enabled(if: browser != nil, "Chromium is not installed"))
    func aBrowserShowsRunsPlotsAndModels() async throws {
        let shop = try await Workshop { $0.mlflowPages = StockMLflow.pages }
        let outcome = try await shop.serving { _ in
            try await StockMLflow.check("mlflow_pages.py", "http://\(try shop.address())")
        }
        #expect(outcome.isGood, "\(outcome.text)")
    }

    @Test func onlyFilesOfTheFolderAreServed() async throws {
        let folder = try TemporaryFolder()
        let pages = "\(folder.path)/pages"
        let files = FileManager.default
        try files.createDirectory(atPath: "\(pages)/static/js", withIntermediateDirectories: true)
        try Data("<html>".utf8).write(to: URL(filePath: "\(pages)/index.html"))
        try Data("let a = 1".utf8).write(to: URL(filePath: "\(pages)/static/js/main.js"))
        try Data("what nobody may see".utf8).write(to: URL(filePath: "\(folder.path)/secret.txt"))
        try files.createSymbolicLink(
            atPath: "\(pages)/leak.txt", withDestinationPath: "\(folder.path)/secret.txt")
        let shop = try await Workshop { $0.mlflowPages = pages }
        func get(_ path: String) async throws -> HTTPAnswer {
            guard let request = try? HTTPRequest(method: .get, target: path) else {
                return HTTPAnswer(status: 400, type: "", body: [])
            }
            let answer = await shop.works.router.dispatch(request)
            return HTTPAnswer(
                status: answer.status.code, type: answer.headers["Content-Type"] ?? "",
                body: try await answer.collect())
        }
        #expect(try await get("/") == HTTPAnswer(status: 200, type: "text/html", body: Array("<html>".utf8)))
        #expect(
            try await get("/static-files/static/js/main.js")
                == HTTPAnswer(status: 200, type: "text/javascript", body: Array("let a = 1".utf8)))
        for path in [
            "leak.txt", "static", "static/js", "none.js", "", "../secret.txt", "%2e%2e/secret.txt",
            "static/..%2f..%2fsecret.txt", "..%5csecret.txt", "/etc/passwd", "%2fetc%2fpasswd", "static/js/main.js%00",
        ] {
            let answer = try await get("/static-files/\(path)")
            #expect(answer.status == 404 || answer.status == 400, "\(path): \(answer.status)")
            #expect(!answer.body.contains(Array("nobody".utf8)), "\(path)")
        }
    }

    @Test func aFolderWithoutPagesIsRefused() async throws {
        let folder = try TemporaryFolder()
        await #expect(throws: (any Error).self) { _ = try await Workshop { $0.mlflowPages = folder.path } }
        let plain = try await Workshop()
        #expect(try await plain.works.dispatch(.get, "/", headers: [:], body: []).status == 404)
    }

    private struct HTTPAnswer: Equatable {
        var status: Int
        var type: String
        var body: [UInt8]
    }
}
