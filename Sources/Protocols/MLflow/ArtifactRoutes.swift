import Basics
import Documents
import Experiments
import HTTP
import ObjectStorage
import Security

extension MLflow {
    func installArtifacts(on router: Router) {
        call(.get, "/artifacts/list", needs: .read, on: router) { fields, _ in
            let run = try await experiments.record(try Self.runID(fields)).info
            return try await files(at: run.location, below: try fields.optionalText("path") ?? "")
        }
        let store = "/mlflow-artifacts/artifacts"
        route(.get, store, needs: .read, on: router) { request in
            let path = request.query("path") ?? ""
            let entries = try await experiments.artifacts(in: path.isEmpty ? nil : ArtifactPath(path))
            return Answer { $0.files(entries, below: "") }.response
        }
        route(.get, "\(store)/{path:path}", needs: .read, on: router) { request in
            let path = try ArtifactPath(try request.parameter("path"))
            let name = path.description.split(separator: "/").last.map(String.init) ?? "artifact"
            let reader = try await experiments.artifactReader(at: path)
            // A damaged file that is not long has its failure told.
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
        route(.put, "\(store)/{path:path}", needs: .experiment, takesPieces: true, on: router) { request in
            let pieces = request.pieces
            try await experiments.putArtifact(at: try ArtifactPath(try request.parameter("path"))) {
                try await pieces.next()
            }
            return Answer.empty.response
        }
        route(.delete, "\(store)/{path:path}", needs: .experiment, on: router) { request in
            try await experiments.deleteArtifacts(at: try ArtifactPath(try request.parameter("path")))
            return Answer.empty.response
        }
    }

    /// The entries of a folder of a run or a logged model.
    /// - Parameter folder: relative; empty for all of it.
    func files(at location: String, below folder: String) async throws -> Answer {
        guard let root = try ArtifactPath(location: location) else {
            throw MLflowFailure.notImplemented("the artifacts at '\(location)' can be listed by their clients only")
        }
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

/// The media type of a file by the end of its name, for the kinds that runs have.
enum MediaType {
    private static let known = [
        "txt": "text/plain", "log": "text/plain", "md": "text/plain", "yaml": "text/plain", "yml": "text/plain",
        "py": "text/plain", "csv": "text/csv", "html": "text/html", "json": "application/json",
        "pdf": "application/pdf", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif",
        "svg": "image/svg+xml",
    ]

    static func of(_ name: String) -> String {
        guard let dot = name.lastIndex(of: ".") else { return "application/octet-stream" }
        return known[String(name[name.index(after: dot)...]).lowercased()] ?? "application/octet-stream"
    }
}
