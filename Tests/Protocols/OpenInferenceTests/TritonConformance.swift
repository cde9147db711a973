import Basics
import Foundation
import HTTP
import Testing
import Workshop

/// What `scripts/setup-wheels` made.
enum StockClients {
    /// Its interpreter; nil where it was not run.
    static let python: String? = {
        let folder = ProcessInfo.processInfo.environment["MODELWORKS_PEERS"] ?? ".deps/peers"
        let path = "\(folder)/bin/python"
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }()
}

/// The stock `tritonclient` of PyPI, with JSON and with bytes, against a served endpoint.
@Suite(.serialized, .enabled(if: StockClients.python != nil, "the stock clients are not set up"))
struct TritonConformance {
    private static let script = """
        import json, sys
        import numpy as np
        import tritonclient.http as triton
        from tritonclient.utils import InferenceServerException

        client = triton.InferenceServerClient(sys.argv[1])
        seen = {"live": client.is_server_live(), "ready": client.is_server_ready(),
                "model_ready": client.is_model_ready("orders"), "nobody_ready": client.is_model_ready("nobody"),
                "server": client.get_server_metadata()["name"], "metadata": client.get_model_metadata("orders")}

        def given(name, datatype, values):
            array = np.array(values, dtype=np.object_ if datatype == "BYTES" else None)
            array = array if datatype == "BYTES" else array.astype({"FP64": np.float64, "FP32": np.float32, "INT64": np.int64}[datatype])
            tensor = triton.InferInput(name, list(array.shape), datatype)
            tensor.set_data_from_numpy(array, binary_data=False)
            return tensor

        rows = [given("shop", "BYTES", ["north", "south", "caf\\u00e9 \\"0\\""]), given("size", "FP64", [0.1, 0.2, 0.9]),
                given("event_time", "INT64", [1705276800000000] * 3)]
        asked = [triton.InferRequestedOutput("score", binary_data=False)]
        answer = client.infer("orders", rows, outputs=asked, request_id="triton")
        seen["scores"] = answer.as_numpy("score").tolist()
        seen["dtype"] = str(answer.as_numpy("score").dtype)
        seen["response"] = answer.get_response()
        seen["unasked"] = client.infer("orders", rows).as_numpy("score").tolist()
        one = [given("shop", "BYTES", ["north"]), given("size", "FP32", [0.5]), given("event_time", "INT64", [1705276800000000])]
        seen["one"] = client.infer("orders", one).as_numpy("score").tolist()
        pending = [client.async_infer("orders", rows, outputs=asked) for _ in range(5)]
        seen["async"] = [p.get_result().as_numpy("score").tolist() for p in pending]

        def refusal(name, inputs):
            try:
                client.infer(name, inputs)
            except InferenceServerException as error:
                return [error.status(), error.message()]

        seen["unknown"] = refusal("nobody", rows)
        seen["missing"] = refusal("orders", rows[1:])
        binary = triton.InferInput("size", [1], "FP64")
        binary.set_data_from_numpy(np.array([0.5]), binary_data=True)
        seen["binary"] = client.infer("orders", [one[0], binary, one[2]]).as_numpy("score").tolist()
        print(json.dumps(seen))
        """

    /// Runs the script off the cooperative pool and gives what it printed last.
    private static func run(against url: String) async throws -> JSONValue {
        try await BlockingThread(name: "triton").run {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: StockClients.python ?? "")
            process.arguments = ["-c", script, url]
            let output = Pipe()
            process.standardOutput = output
            let errors = Pipe()
            process.standardError = errors
            try process.run()
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            let complaint = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            guard process.terminationStatus == 0 else { throw Workshop.Surprise(description: complaint) }
            return try JSON.decode(JSONValue.self, from: text)
        }
    }

    @Test func theStockClientAsksAndIsAnswered() async throws {
        let shop = try await Workshop()
        try await shop.apply()
        try await shop.trainAndDeploy()
        try await shop.serving { client in
            let url = try shop.address()
            let seen = try await Self.run(against: url)
            for name in ["live", "ready", "model_ready"] { #expect(seen[name] == true, "\(name)") }
            #expect(seen["nobody_ready"] == false)
            #expect(seen["server"] == "modelworks")
            #expect(seen["metadata"]?["outputs"]?.array?.first?["datatype"] == "FP64")

            let plain = try await client.infer(
                "orders",
                Requests.body(
                    Requests.input("shop", "BYTES", try JSON.string(["north", "south", "café \"0\""]), shape: "[3]"),
                    Requests.input("size", "FP64", "[0.1,0.2,0.9]", shape: "[3]"),
                    Requests.input(
                        "event_time", "INT64", "[1705276800000000,1705276800000000,1705276800000000]", shape: "[3]")))
            let scores = try #require(plain.json["outputs"]?.array?.first?["data"])
            #expect(scores.array?.count == 3)
            #expect(seen["scores"] == scores)
            #expect(seen["unasked"] == scores)
            #expect(seen["async"]?.array == Array(repeating: scores, count: 5))
            #expect(seen["dtype"] == "float64")
            #expect(seen["response"]?["id"] == "triton")
            #expect(seen["response"]?["model_version"] == "1")
            #expect(seen["one"]?.array?.count == 1)

            #expect(seen["unknown"]?.array == ["404", "there is no endpoint 'nobody'. Known: orders."])
            #expect(
                seen["missing"]?.array == [
                    "400", "the input 'shop' is missing. The inputs are: shop, size, event_time.",
                ])
            #expect(seen["binary"] == seen["one"])
        }
    }
}
