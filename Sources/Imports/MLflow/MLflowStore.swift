import Basics
import Foundation

/// Finds out which kind of MLflow's stores an address names.
public enum MLflowStore {
    /// - Parameters:
    ///   - address: `sqlite:///FILE` or the file itself, a folder such as `mlruns` or `file:///FOLDER`, or `http://HOST:PORT`.
    ///   - artifacts: the folder that a server kept proxied artifacts in; nil looks for `mlartifacts` beside the store.
    ///   - folder: what relative paths start from.
    ///   - environment: has the credentials for a server, as MLflow's own clients read them.
    /// - Throws: ``ImportFailure``, or what the store can not be opened with.
    public static func open(
        _ address: String, artifacts: String?, from folder: String, environment: [String: String]
    ) async throws -> any ArchiveSource {
        func absolute(_ path: String) -> String { path.hasPrefix("/") ? path : "\(folder)/\(path)" }
        if address.hasPrefix("http://") || address.hasPrefix("https://") {
            return try MLflowServer(address, environment: environment)
        }
        var path = address
        if address.hasPrefix("sqlite:") {
            path = String(address.dropFirst("sqlite:".count))
            // As SQLAlchemy has it, three slashes begin a relative path; many mean an absolute one.
            if path.hasPrefix("///") { path = String(path.dropFirst(3)) }
            path = kind(absolute(path)) == nil && !path.hasPrefix("/") ? "/\(path)" : absolute(path)
        } else if address.hasPrefix("file:") {
            path = LocalArtifacts.path(of: address)
        } else if address.contains("://") {
            throw ImportFailure.unknownSource(address)
        }
        path = absolute(path)
        let beside = (path as NSString).deletingLastPathComponent
        let given = artifacts.map(absolute)
        let local = LocalArtifacts(
            proxied: given ?? (kind("\(beside)/mlartifacts") == true ? "\(beside)/mlartifacts" : nil), base: beside)
        if let given, kind(given) != true { throw ImportFailure.notFound(given) }
        switch kind(path) {
        case true?: return MLflowFolder(path, local)
        case false?: return try await MLflowDatabase(path, local)
        case nil: throw ImportFailure.notFound(path)
        }
    }

    /// Whether there is a folder; nil where there is nothing.
    private static func kind(_ path: String) -> Bool? {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) ? isFolder.boolValue : nil
    }

    /// Milliseconds since 1970 as a moment, within what a moment can be.
    static func moment(_ milliseconds: Int64) -> Timestamp {
        let (product, isOver) = milliseconds.multipliedReportingOverflow(by: 1000)
        return Timestamp(microseconds: isOver ? (milliseconds < 0 ? .min : .max) : product)
    }

    /// The logged model that a source such as `models:/m-0123` names.
    static func loggedModel(of source: String) -> String? {
        let id = source.hasPrefix("models:/m-") ? String(source.dropFirst("models:/".count)) : nil
        return id?.contains("/") == false ? id : nil
    }
}
