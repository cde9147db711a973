import GRPC

extension OpenInference {
    /// Puts the protocol's gRPC service on a router, whose server has to be the one of the protocol's other routes: both
    /// answer on its loops.
    public func install(on calls: GRPCRouter) {
        InferenceService(
            directory: directory, version: version, loops: infer.loops, workers: infer.workers,
            answersOnLoops: infer.answersOnLoops
        ).install(on: calls)
    }
}
