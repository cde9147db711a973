import Basics
import Documents
import Experiments
import HTTP
import Registry
import Security

extension MLflow {
    private static let uploadLimit = 10 << 20

    /// What MLflow's web pages ask for and its Python client does not.
    func installPageRoutes(on router: Router) {
        page("/get-artifact", on: router) { request in
            let run = try await experiments.record(try Self.runID(try Fields(request))).info
            return try await attachment(request.query("path"), below: run.location)
        }
        page("/model-versions/get-artifact", on: router) { request in
            let version = try await registry.registered(try Self.versionID(try Fields(request)))
            return try await attachment(request.query("path"), below: version.location)
        }
        route(.get, "/mlflow/logged-models/{id}/artifacts/files", needs: .read, on: router) { request in
            let model = try await experiments.loggedModel(try request.parameter("id"))
            return try await attachment(request.query("artifact_file_path"), below: model.location)
        }
        route(.post, "/mlflow/upload-artifact", needs: .experiment, on: router) { request in
            guard let run = request.query("run_uuid"), !run.isEmpty else { throw MLflowFailure.missing("run_uuid") }
            guard let path = request.query("path"), !path.isEmpty else { throw MLflowFailure.missing("path") }
            guard !request.body.isEmpty else { throw MLflowFailure.invalid("Request must specify data.") }
            guard request.body.count <= Self.uploadLimit else {
                throw MLflowFailure.invalid("Artifact size is too large. Max size is 10MB.")
            }
            try await experiments.attach(request.body, as: path, to: run)
            return Answer.empty.response
        }
        call(.post, "/experiments/search-datasets", needs: .read, on: router) { fields, _ in
            try await searchDatasets(fields)
        }
        // Pages that list what stands behind a gateway, or what models are judged by, list nothing.
        call(.get, "/gateway-proxy", needs: .read, on: router) { _, _ in Answer { $0.array("endpoints") { _ in } } }
        call(.post, "/datasets/search", version: "3.0", needs: .read, on: router) { _, _ in .empty }
        route(.get, "/mlflow/ui-telemetry", version: "3.0", needs: .read, on: router) { _ in
            Answer { $0.member("disable_ui_telemetry", true) }.response
        }
    }

    /// The datasets that runs of experiments read.
    func searchDatasets(_ fields: Fields) async throws -> Answer {
        let ids = try Self.experimentIDs(fields)
        guard !ids.isEmpty else {
            throw MLflowFailure.invalid("SearchDatasets request must specify at least one experiment_id.")
        }
        guard ids.count <= 20 else {
            throw MLflowFailure.invalid(
                "SearchDatasets request cannot specify more than 20 experiment_ids. Received \(ids.count) "
                    + "experiment_ids.")
        }
        let found = try await experiments.datasets(of: ids)
        return Answer { writer in
            writer.objects("dataset_summaries", found) {
                $0.member("experiment_id", String($1.experiment))
                $0.member("name", $1.name)
                $0.member("digest", $1.digest)
                if let context = $1.context { $0.member("context", context) }
            }
        }
    }

    /// Registers a handler of a path that pages use and no prefix has; its errors get the protocol's shape.
    private func page(
        _ path: String, on router: Router, _ handler: @escaping @Sendable (HTTPRequest) async throws -> HTTPResponse
    ) {
        router.errorShape(prefix: path) { MLflowProblem(unhandled: $0).response }
        router.get(path, needs: .right(to: .read)) { request in
            do { return try await handler(request) } catch {
                return MLflowProblem(error, requestID: request.requestID).response
            }
        }
    }

    /// A file below a location.
    func attachment(_ path: String?, below location: String) async throws -> HTTPResponse {
        guard let path, !path.isEmpty else { throw MLflowFailure.missing("path") }
        guard let root = try ArtifactPath(location: location) else {
            throw MLflowFailure.notImplemented("the artifacts at '\(location)' can be read by their clients only")
        }
        return try await attachment(at: root.appending(path))
    }
}
