import Basics

/// Tells an orchestrator, or a person, how many replicas each model's load asks for.
struct AutoscaleCommand: ClientCommand {
    let usage = Usage(
        name: "autoscale", summary: "Show how many replicas the load of each model asks for", positionals: ["[MODEL]"],
        example: "modelworks autoscale orders --url http://models:5000 --json")

    private static let table = Listing(
        "/scaling",
        [
            "model": "model", "version": "version", "desired": "desired", "running": "running", "least": "minimum",
            "most": "maximum", "because of": "reason", "under way": "concurrency", "target": "targetConcurrency",
            "requests/s": "requestsPerSecond", "p95 s": "p95Seconds",
        ], empty: "No model has a scaling policy. Serve with --python-workers MIN:MAX, or give one 'scaling'.")

    func run(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        guard let model = arguments.positional(0) else {
            let document = try await client.get(Self.table.path)
            return Output(document: document, text: Self.table.text(document["models"] ?? []))
        }
        let document = try await client.get("/scaling/\(Client.escape(model))")
        return Output(document: document, text: "\(document["desired"]?.integer ?? 0)")
    }
}
