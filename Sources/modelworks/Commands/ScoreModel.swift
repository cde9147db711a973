import Basics
import Foundation
import Inference
import Scoring

/// The model that a command line names: a file, a folder, or `models:/NAME/VERSION` and `models:/NAME@ALIAS` of a factory.
struct ScoreModel {
    private static let scheme = "models:/"
    private let reference: String
    private let threads: Int

    init(_ reference: String, threads: Int) {
        self.reference = reference
        self.threads = threads
    }

    /// - Throws: `InferenceError`, `CommandFailure`, or a `UsageError` for a reference that is none.
    func load(_ arguments: Arguments, _ context: Context) async throws -> ScoredModel {
        guard reference.hasPrefix(Self.scheme) else {
            let path = context.absolute(reference)
            var options = ModelOptions()
            options.slots = threads
            options.onnx.keepsMemory = true
            let chosen = options
            return try await BlockingThread(name: "model").run { try ScoredModel(path: path, options: chosen) }
        }
        let client = try await Client.open(arguments, context)
        do {
            let model = try await registered(client)
            await client.close()
            return model
        } catch {
            await client.close()
            throw error
        }
    }

    private func registered(_ client: Client) async throws -> ScoredModel {
        let (name, version) = try await resolve(client)
        let document = try await client.get(try versionPath("\(name)/\(version)"))
        guard let bundle = document["bundle"]?.string.flatMap({ Digest($0) }) else {
            throw CommandFailure(.internal, "\(name)/\(version) has no bundle", remedy: nil)
        }
        let manifest = try await client.object(bundle)
        var files: [Digest: [UInt8]] = [:]
        for file in try BundleManifest(decoding: manifest).files.values { files[file] = try await client.object(file) }
        let (content, slots) = (files, threads)
        return try await BlockingThread(name: "model").run {
            let loaded = try ModelBundle.load(manifest: manifest, expected: bundle, slots: slots, runtimes: .all) {
                content[$0] ?? []
            }
            return ScoredModel(name: name, version: version, loaded)
        }
    }

    /// The name and the number of the version that is meant.
    private func resolve(_ client: Client) async throws -> (name: String, version: String) {
        let rest = reference.dropFirst(Self.scheme.count)
        if let at = rest.lastIndex(of: "@") {
            let (name, alias) = (String(rest[..<at]), String(rest[rest.index(after: at)...]))
            let page = try await client.operatorPage(
                "/api/2.0/mlflow/registered-models/alias?name=\(Client.escape(name))&alias=\(Client.escape(alias))")
            let document = try JSON.decode(JSONValue.self, from: page)
            guard let version = document.at("model_version.version")?.cell else {
                throw CommandFailure(.notFound, "'\(name)' has no alias '\(alias)'", remedy: "Set it in the registry.")
            }
            return (name, version)
        }
        let parts = rest.split(separator: "/").map(String.init)
        guard parts.count == 2, let name = parts.first, let version = parts.last, Int(version) != nil else {
            throw UsageError(
                "'\(reference)' is no model of a registry", remedy: "Write models:/NAME/VERSION or models:/NAME@ALIAS.")
        }
        return (name, version)
    }
}
