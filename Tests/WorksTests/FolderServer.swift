import Basics
import HTTP
import Inference
import Works

/// Servers of folders of models, in this process.
enum FolderServer {
    /// Runs a server while `body` does.
    static func run(
        _ options: ModelServerOptions, _ body: @Sendable (ModelServer.Address) async throws -> Void
    ) async throws {
        let (addresses, address) = AsyncStream<ModelServer.Address>.makeStream()
        let (stop, stopper) = AsyncStream<Void>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { address.finish() }
                try await ModelServer(options).serve(
                    ready: { address.yield($0) }, until: { for await _ in stop { return } })
            }
            defer { stopper.finish() }
            for await place in addresses {
                try await body(place)
                break
            }
            stopper.finish()
            try await group.waitForAll()
        }
    }

    /// A request for what a model makes of one number.
    /// - Parameter padding: bytes of blanks that make it longer.
    static func send(
        _ client: HTTPClient, _ model: String, _ value: Double, headers: HTTPHeaders = [:], padding: Int = 0
    ) async throws -> HTTPResponse {
        let blanks = String(repeating: " ", count: padding)
        let body = #"{"inputs":[{"name":"x","datatype":"FP64","shape":[1,1],"data":[\#(value)]}]\#(blanks)}"#
        var headers = headers
        headers["Content-Type"] = "application/json"
        return try await client.send(.post, "/v2/models/\(model)/infer", headers: headers, body: Array(body.utf8))
    }

    /// The first number of the first output.
    static func number(_ response: HTTPResponse) async throws -> Double? {
        let answer = try JSON.decode(JSONValue.self, from: try await response.collect())
        return answer["outputs"]?.array?.first?["data"]?.array?.first?.double
    }
}

/// A model that multiplies.
struct Multiplier: TensorModel {
    let factor: Double
    let platform = "multiplier"
    let inputs = [TensorSpec(name: "x", datatype: .fp64, shape: [-1, 1])]
    let outputs = [TensorSpec(name: "y", datatype: .fp64, shape: [-1, 1])]
    let stacksRows = true
    let byteCount = 8

    func run(_ inputs: [Tensor], wanted: [Int]) throws -> [Tensor] {
        try inputs.map { input in
            try Tensor(.fp64, shape: input.shape, values: (input.values(as: Double.self) ?? []).map { $0 * factor })
        }
    }
}
