import Basics
import HTTP
import Security
import Serving

/// The Open Inference Protocol v2 over HTTP, as KServe and Triton speak it, with Triton's extensions for binary tensors,
/// the model repository, configuration and statistics.
///
/// An endpoint is a model of the protocol: its inputs are the service's join keys (BYTES), its request features (FP64)
/// and, optionally, `event_time`; its one output is `score`. Models of a repository stand beside the endpoints, with
/// inputs and outputs of their own.
public struct OpenInference: Sendable {
    let directory: Directory
    let version: String
    let infer: InferRoutes

    /// - Parameters:
    ///   - models: models beside those of the endpoints; nil for none.
    ///   - version: of the program, as the server's metadata have it.
    ///   - loops: the number of network threads; each has a session and a slot of its own, from 0.
    ///   - workers: the number of threads that answer what a loop does not; their slots follow.
    ///   - answersOnLoops: false where reading features waits for a network.
    public init(
        table: EndpointTable, models: ModelRepository? = nil, version: String, time: any TimeSource,
        random: any RandomSource, loops: Int, workers: Int, answersOnLoops: Bool
    ) {
        let (loops, workers) = (max(1, loops), max(1, workers))
        func session(_ slot: Int) -> InferenceSession {
            InferenceSession(slot: slot, time: time, random: random)
        }
        self.version = version
        directory = Directory(endpoints: table, models: models)
        infer = InferRoutes(
            directory: directory, loops: (0..<loops).map(session),
            workers: InferenceWorkers((loops..<loops + workers).map(session)), answersOnLoops: answersOnLoops)
    }

    /// Puts the protocol's routes on a router, with its own shape of errors.
    public func install(on router: Router) {
        router.errorShape(prefix: "/v2") { problem in
            .bytes(InferProblem.body(problem), contentType: "application/json", status: problem.status)
        }
        MetadataRoutes(directory: directory, version: version).install(on: router)
        infer.install(on: router)
        RepositoryRoutes(directory: directory).install(on: router)
        RefusedRoutes().install(on: router)
    }
}
