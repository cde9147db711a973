import HTTP
import Security

/// Parts of Triton's protocol that this server does not have, told as such rather than as unknown paths: clients tell
/// the two apart.
struct RefusedRoutes: Sendable {
    func install(on router: Router) {
        for call in ["generate", "generate_stream"] {
            refuse("the generate extension", .infer, on: router, [.post], "/v2/models/{name}/\(call)")
            refuse(
                "the generate extension", .infer, on: router, [.post], "/v2/models/{name}/versions/{version}/\(call)")
        }
        for path in ["/v2/trace/setting", "/v2/models/{name}/trace/setting"] {
            refuse("the trace extension", .operate, on: router, [.get, .post], path)
        }
        refuse("the logging extension", .operate, on: router, [.get, .post], "/v2/logging")
        for kind in ["system", "cuda"] {
            let root = "/v2/\(kind)sharedmemory"
            refuse("shared memory", .operate, on: router, [.get], "\(root)/status")
            refuse("shared memory", .operate, on: router, [.post], "\(root)/unregister")
            refuse("shared memory", .operate, on: router, [.get], "\(root)/region/{name}/status")
            for call in ["register", "unregister"] {
                refuse("shared memory", .operate, on: router, [.post], "\(root)/region/{name}/\(call)")
            }
        }
    }

    private func refuse(
        _ what: String, _ action: Action, on router: Router, _ methods: [HTTPMethod], _ pattern: String
    ) {
        for method in methods {
            router.route(method, pattern, needs: .right(to: method == .get ? .read : action)) { request in
                try await InferProblem.answering(request) { throw OpenInferenceFailure.notOffered(what) }
            }
        }
    }
}
