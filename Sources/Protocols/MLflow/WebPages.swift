import Basics
import Foundation
import HTTP
import Security

/// MLflow's own web pages, as its wheel carries them in `mlflow/server/js/build`: files that a browser loads from the
/// server it then asks.
///
/// Which files there are is looked up once. A request finds a file by its name in that list and reaches no other, whatever
/// its path says; a link that leads out of the folder is not in the list.
public struct WebPages: Sendable {
    private let files: [String: String]
    private let thread = BlockingThread(name: "mlflow.pages")
    /// Four weeks; the names of these files change with what is in them.
    private static let keeping = "public, max-age=2419200"

    /// - Parameter directory: the folder with `index.html` in it.
    /// - Throws: ``MLflowFailure`` where there is none, naming where the wheel has it.
    public init(directory: String) throws {
        let root = URL(filePath: directory, directoryHint: .isDirectory).resolvingSymlinksInPath().path
        let start = root.hasSuffix("/") ? root : root + "/"
        var files: [String: String] = [:]
        for case let name as String in FileManager.default.enumerator(atPath: root) ?? .init() {
            let path = URL(filePath: start + name).resolvingSymlinksInPath().path
            var isFolder: ObjCBool = false
            guard path.hasPrefix(start), FileManager.default.fileExists(atPath: path, isDirectory: &isFolder),
                !isFolder.boolValue
            else { continue }
            files[name] = path
        }
        guard files[Self.start] != nil else { throw MLflowFailure.noPages(directory) }
        self.files = files
    }

    private static let start = "index.html"

    /// Puts the pages at `/` and what they load at `/static-files/`.
    func install(on router: Router) {
        router.get("/", needs: .right(to: .read)) { _ in
            try await file(Self.start, ["Cache-Control": "no-cache"])
        }
        router.get("/static-files/{path:path}", needs: .right(to: .read)) { request in
            try await file(try request.parameter("path"), ["Cache-Control": Self.keeping])
        }
    }

    private func file(_ name: String, _ headers: HTTPHeaders) async throws -> HTTPResponse {
        guard let path = files[name] else { throw HTTPFailure.unknownPath("/static-files/\(name)") }
        let content = try await thread.run { FileManager.default.contents(atPath: path) }
        guard let content else { throw HTTPFailure.unknownPath("/static-files/\(name)") }
        var headers = headers
        headers["Content-Type"] = MediaType.ofPage(name)
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Frame-Options"] = "SAMEORIGIN"
        return HTTPResponse(headers: headers, body: .bytes(Array(content)))
    }
}
