import Basics
import Foundation

/// Artifacts in folders of this machine.
struct LocalArtifacts: Sendable {
    /// The folder that a server kept proxied artifacts in.
    let proxied: String?
    /// What relative locations start from.
    let base: String

    /// The plain path of a `file:` URI, or the text itself.
    static func path(of location: String) -> String {
        guard location.hasPrefix("file:") else { return location }
        var rest = location.dropFirst("file:".count)
        if rest.hasPrefix("//") { rest = rest.dropFirst(2).drop { $0 != "/" } }
        return String(rest).removingPercentEncoding ?? String(rest)
    }

    /// Whether the location is a folder of this machine, or a server's proxied one.
    func moves(_ location: String) -> Bool {
        location.hasPrefix("file:") || location.hasPrefix("mlflow-artifacts:") || !location.contains(":/")
    }

    /// The files below a location; links that lead elsewhere are passed over.
    /// - Throws: ``ImportFailure/noArtifacts(location:)`` for a proxied one whose folder is not known.
    func files(below location: String) async throws -> [SourceFile] {
        let folder = try folder(of: location)
        let paths = try await BlockingThread(name: "import.files").run { Self.paths(below: folder) }
        return paths.map { path in
            SourceFile(path: path) {
                try await BlockingThread(name: "import.file").run {
                    guard let bytes = FileManager.default.contents(atPath: "\(folder)/\(path)") else {
                        throw ImportFailure.notFound("\(folder)/\(path)")
                    }
                    return [UInt8](bytes)
                }
            }
        }
    }

    private func folder(of location: String) throws -> String {
        if location.hasPrefix("mlflow-artifacts:") {
            guard let proxied else { throw ImportFailure.noArtifacts(location: location) }
            var rest = location.dropFirst("mlflow-artifacts:".count)
            if rest.hasPrefix("//") { rest = rest.dropFirst(2).drop { $0 != "/" } }
            return proxied + (rest.hasPrefix("/") ? String(rest) : "/\(rest)")
        }
        let path = Self.path(of: location)
        return path.hasPrefix("/") ? path : "\(base)/\(path)"
    }

    private static func paths(below folder: String) -> [String] {
        guard let walk = FileManager.default.enumerator(atPath: folder) else { return [] }
        var paths: [String] = []
        while let path = walk.nextObject() as? String {
            if walk.fileAttributes?[.type] as? FileAttributeType == .typeRegular { paths.append(path) }
        }
        return paths.sorted()
    }
}
