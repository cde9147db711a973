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

    /// MLflow's web pages as its wheel carries them; nil where there are none.
    static let pages: String? = {
        guard let python else { return nil }
        let libraries = URL(filePath: python).deletingLastPathComponent().appending(path: "../lib").standardizedFileURL
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: libraries.path)) ?? []
        return versions.map { "\(libraries.path)/\($0)/site-packages/mlflow/server/js/build" }.first {
            FileManager.default.fileExists(atPath: "\($0)/index.html")
        }
    }()

    private static let scripts = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "../../Conformance"
    ).standardizedFileURL.path

    /// Runs the checks of a script against a server, off the cooperative pool.
    /// - Returns: what it printed and whether it was content.
    static func check(
        _ url: String, by script: String = "mlflow_tracking.py"
    ) async throws -> (text: String, isGood: Bool) {
        try await BlockingThread(name: "mlflow").run {
            let process = Process()
            process.executableURL = URL(filePath: python ?? "")
            process.arguments = ["\(scripts)/\(script)", url]
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

    private func check(_ shop: Workshop) async throws {
        let outcomes = try await shop.serving { _ in
            let url = "http://\(try shop.address())"
            return [
                try await StockMLflow.check(url), try await StockMLflow.check(url, by: "mlflow_traces.py"),
            ]
        }
        for outcome in outcomes { #expect(outcome.isGood, "\(outcome.text)") }
    }
}
