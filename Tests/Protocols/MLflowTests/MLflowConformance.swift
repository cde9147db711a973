import Basics
import Engines
import Foundation
import HTTP
import TestSupport
import Testing
import Works
import Workshop

/// The stock MLflow client of PyPI.
enum StockMLflow {
    /// Its interpreter; nil where it was not set up.
    static let python: String? = {
        let path = ProcessInfo.processInfo.environment["MODELWORKS_MLFLOW"] ?? ".deps/mlflow"
        let file = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        return FileManager.default.isExecutableFile(atPath: file + "/bin/python") ? file + "/bin/python" : nil
    }()

    /// Runs the checks of a script against a server, off the cooperative pool.
    /// - Returns: what it printed and whether it was content.
    static func check(
        _ url: String, by name: String = "mlflow_tracking.py"
    ) async throws -> (text: String, isGood: Bool) {
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../Conformance/\(name)"
        ).standardizedFileURL.path
        return try await BlockingThread(name: "mlflow").run {
            let process = Process()
            process.executableURL = URL(filePath: python ?? "")
            process.arguments = [script, url]
            let output = Pipe()
            process.standardOutput = output
            process.standardError = output
            try process.run()
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            return (text, process.terminationStatus == 0)
        }
    }
}

/// The stock client does what it does with MLflow's own server, where the same script finds nothing either.
@Suite(.serialized, .enabled(if: StockMLflow.python != nil, "the stock MLflow client is not set up"))
struct MLflowConformance {
    @Test func theStockClientFindsMLflowOnSQLite() async throws {
        try await check(try await Workshop())
    }

    @Test func theStockClientFindsMLflowOnPostgreSQL() async throws {
        let server = try await SharedPostgres.only.server()
        let environment = [
            "MODELWORKS_SQL":
                "postgresql://works@127.0.0.1:\(server.port)/works?schema=mlflow&sslmode=disable&password_env=PASSWORD",
            "PASSWORD": server.password,
        ]
        try await check(try await Workshop { $0.environment = environment })
    }

    @Test func theStockClientIsToldOfChanges() async throws {
        let shop = try await Workshop()
        let outcome = try await shop.serving { _ in
            try await StockMLflow.check("http://\(try shop.address())", by: "mlflow_webhooks.py")
        }
        #expect(outcome.isGood, "\(outcome.text)")
    }

    private func check(_ shop: Workshop) async throws {
        let outcome = try await shop.serving { _ in
            try await StockMLflow.check("http://\(try shop.address())")
        }
        #expect(outcome.isGood, "\(outcome.text)")
    }
}
