import Basics
import Documents
import Experiments
import HTTP
import ObjectStorage
import Security

extension MLflow {
    func installArtifacts(on router: Router) {
        call(.get, "/artifacts/list", needs: .read, on: router) { fields, _ in try await listArtifacts(fields) }
        let store = "/mlflow-artifacts/artifacts"
        route(.get, store, needs: .read, on: router) { request in
            let path = request.query("path") ?? ""
            let entries = try await experiments.artifacts(in: path.isEmpty ? nil : ArtifactPath(path))
            return Answer { $0.files(entries, below: "") }.response
        }
        route(.get, "\(store)/{path:path}", needs: .read, on: router) { request in
            try await attachment(at: try ArtifactPath(try request.parameter("path")))
        }
        route(.put, "\(store)/{path:path}", needs: .experiment, takesPieces: true, on: router) { request in
            let pieces = request.pieces
            try await experiments.putArtifact(at: try ArtifactPath(try request.parameter("path"))) {
                try await pieces.next()
            }
            return HTTPResponse()
        }
        route(.delete, "\(store)/{path:path}", needs: .experiment, on: router) { request in
            try await experiments.deleteArtifacts(at: try ArtifactPath(try request.parameter("path")))
            return Answer.empty.response
        }
        refuseParts(on: router)
    }

    /// Clients that were told to send files in parts, or to fetch them from elsewhere, send and fetch them whole.
    private func refuseParts(on router: Router) {
        func refuse(_ method: HTTPMethod, _ path: String, needs action: Action, _ what: String) {
            let refusal = MLflowFailure.notImplemented(
                "Multipart \(what) is not supported for the current artifact repository")
            route(method, "/mlflow-artifacts\(path)", needs: action, on: router) { _ in throw refusal }
        }
        for step in ["create", "complete", "abort"] {
            refuse(.post, "/mpu/\(step)/{path:path}", needs: .experiment, "upload")
        }
        refuse(.get, "/presigned/{path:path}", needs: .read, "download")
    }

    /// The files of a run.
    func listArtifacts(_ fields: Fields) async throws -> Answer {
        let run = try await experiments.record(try Self.runID(fields)).info
        return try await files(at: run.location, below: try fields.optionalText("path") ?? "")
    }

    /// A file, to be kept and not to be shown: what a run wrote must not act as a page of this server.
    func attachment(at path: ArtifactPath) async throws -> HTTPResponse {
        let name = path.description.split(separator: "/").last.map(String.init) ?? "artifact"
        let reader = try await experiments.artifactReader(at: path)
        // Where a short file is damaged, its failure is told.
        let first = try await reader.next() ?? []
        var body = HTTPResponse.Body.bytes(first)
        if reader.size > first.count {
            body = .stream { writer in
                var piece: [UInt8]? = first
                while let bytes = piece {
                    try await writer.write(bytes)
                    piece = try await reader.next()
                }
            }
        }
        return HTTPResponse(
            headers: [
                "Content-Type": MediaType.of(name),
                "Content-Disposition": "attachment; filename*=UTF-8''\(PercentCoding.encode(name))",
                "X-Content-Type-Options": "nosniff",
            ], body: body)
    }

    /// The entries of a folder of a run or a logged model.
    /// - Parameter folder: relative; empty for all of it.
    func files(at location: String, below folder: String) async throws -> Answer {
        guard let root = try ArtifactPath(location: location) else {
            throw MLflowFailure.notImplemented("the artifacts at '\(location)' can be listed by their clients only")
        }
        let folder = folder.hasSuffix("/") ? String(folder.dropLast()) : folder
        let entries = try await experiments.artifacts(in: folder.isEmpty ? root : root.appending(folder))
        return Answer { writer in
            writer.member("root_uri", location)
            writer.files(entries, below: folder)
        }
    }
}

extension JSONWriter {
    /// The entries of a folder; a folder has no size.
    mutating func files(_ entries: [ArtifactEntry], below folder: String) {
        objects("files", entries) {
            $0.member("path", folder.isEmpty ? $1.name : "\(folder)/\($1.name)")
            $0.member("is_dir", $1.bytes == nil)
            if let bytes = $1.bytes { $0.member("file_size", bytes) }
        }
    }
}

/// The media type of a file by the end of its name, for the kinds that runs have. What web pages show as text is
/// `text/plain`, whatever else it is.
enum MediaType {
    private static let texts: Set<String> = [
        "txt", "log", "err", "cfg", "conf", "cnf", "cf", "ini", "properties", "prop", "hocon", "toml", "yaml", "yml",
        "xml", "json", "js", "py", "py3", "csv", "tsv", "md", "rst", "ipynb", "MLmodel", "MLproject",
    ]
    private static let known = [
        "html": "text/html", "pdf": "application/pdf", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg",
        "gif": "image/gif", "svg": "image/svg+xml", "zip": "application/zip", "tar": "application/x-tar",
    ]

    /// What web pages are made of besides.
    private static let ofPages = [
        "js": "text/javascript", "css": "text/css", "json": "application/json", "svg": "image/svg+xml",
        "ico": "image/x-icon", "woff": "font/woff", "woff2": "font/woff2", "ttf": "font/ttf",
        "wasm": "application/wasm",
    ]

    static func of(_ name: String) -> String {
        let plain = name.hasSuffix(".gz") ? String(name.dropLast(3)) : name
        let end = ending(of: plain)
        return texts.contains(end) ? "text/plain" : known[end.lowercased()] ?? "application/octet-stream"
    }

    /// The media type of a file that a browser loads as part of a page; a run's files never count as one.
    static func ofPage(_ name: String) -> String { ofPages[ending(of: name).lowercased()] ?? of(name) }

    /// The whole name where it has none.
    private static func ending(of name: String) -> String {
        name.lastIndex(of: ".").map { String(name[name.index(after: $0)...]) } ?? name
    }
}
