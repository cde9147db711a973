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

    /// Runs a script of checks against a server, off the cooperative pool.
    /// - Parameter more: arguments after the server's URL.
    /// - Returns: what it printed and whether it was content.
    static func check(
        _ script: String, _ url: String, _ more: [String] = []
    ) async throws -> (text: String, isGood: Bool) {
        try await BlockingThread(name: "mlflow").run {
            let process = Process()
            process.executableURL = URL(filePath: python ?? "")
            process.arguments = ["\(scripts)/\(script)", url] + more
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

/// A factory's server on one of its stores, and the scripts of checks that are played on it.
enum MLflowServer: CaseIterable {
    case onSQLite, onPostgreSQL

    private func shop() async throws -> Workshop {
        guard self == .onPostgreSQL else { return try await Workshop() }
        let server = try await SharedPostgres.only.server()
        let address = "postgresql://works@127.0.0.1:\(server.port)/works"
        let environment = [
            // A schema of its own for each.
            "MODELWORKS_SQL":
                "\(address)?schema=mlflow_\(UInt64.random(in: 0 ..< .max))&sslmode=disable&password_env=PASSWORD",
            "PASSWORD": server.password,
        ]
        return try await Workshop { $0.environment = environment }
    }

    func check(_ scripts: [(name: String, arguments: [String])]) async throws {
        let shop = try await shop()
        let outcomes = try await shop.serving { _ in
            var outcomes: [(text: String, isGood: Bool)] = []
            for script in scripts {
                outcomes.append(
                    try await StockMLflow.check(script.name, "http://\(try shop.address())", script.arguments))
            }
            return outcomes
        }
        for outcome in outcomes { #expect(outcome.isGood, "\(outcome.text)") }
    }
}

/// The stock client does what it does with MLflow's own server, where the same scripts find nothing either.
@Suite(.serialized, .enabled(if: StockMLflow.python != nil, "the stock MLflow client is not set up"))
struct MLflowConformance {
    @Test(arguments: MLflowServer.allCases) func theStockClientFindsMLflow(_ server: MLflowServer) async throws {
        try await server.check([("mlflow_tracking.py", []), ("mlflow_traces.py", [])])
    }

    @Test func librariesLogByThemselves() async throws {
        try await MLflowServer.onSQLite.check([("mlflow_libraries.py", [])])
    }

    @Test(arguments: MLflowServer.allCases) func nothingBadGetsThrough(_ server: MLflowServer) async throws {
        try await server.check([("mlflow_bad_input.py", [])])
    }
}

/// Documented behaviours, played on a factory's server and on a real MLflow server side by side: no difference but those
/// that the guide justifies.
@Suite(.serialized, .enabled(if: StockMLflow.python != nil, "the stock MLflow client is not set up"))
struct MLflowBehaviourConformance {
    @Test func oneBehaviourOfTenIsMLflows() async throws {
        try await MLflowServer.onSQLite.check([("mlflow_behaviours", ["--sample", "10"])])
    }
}

/// All of them, on every store.
@Suite(
    .serialized, .enabled(if: StockMLflow.python != nil, "the stock MLflow client is not set up"),
    .enabled(if: ProcessInfo.processInfo.environment["MODELWORKS_SOAK"] == "1", "make soak runs it"))
struct MLflowBehaviourSoak {
    @Test(arguments: MLflowServer.allCases) func everyBehaviourIsMLflows(_ server: MLflowServer) async throws {
        try await server.check([("mlflow_behaviours", [])])
    }

    @Test(arguments: MLflowServer.allCases) func librariesLogByThemselves(_ server: MLflowServer) async throws {
        try await server.check([("mlflow_libraries.py", [])])
    }
}
