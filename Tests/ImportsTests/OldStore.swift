import Basics
import Foundation
import HTTP
import ModelworksClient
import TestSupport
import Works
import Workshop

@testable import Imports

/// A store that MLflow's own classes filled, and the stock client's view of it beside a server's.
struct OldStore {
    enum Kind: String {
        case sqlite, folder
    }

    static let python: String? = {
        let path = ProcessInfo.processInfo.environment["MODELWORKS_MLFLOW"] ?? ".deps/mlflow"
        let file = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        return FileManager.default.isExecutableFile(atPath: file + "/bin/python") ? file + "/bin/python" : nil
    }()

    let kind: Kind
    let folder: TemporaryFolder

    init(_ kind: Kind, runs: Int) async throws {
        self.kind = kind
        folder = try TemporaryFolder()
        let outcome = try await Self.run(["make", folder.path, kind.rawValue, "\(runs)"])
        guard outcome.isGood else { throw Workshop.Surprise(description: outcome.text) }
    }

    var address: String { kind == .sqlite ? "sqlite:///\(folder.path)/mlflow.db" : "\(folder.path)/mlruns" }

    func source() async throws -> any ArchiveSource {
        try await MLflowStore.open(address, artifacts: nil, from: "/", environment: [:])
    }

    /// What the stock client finds in the store and on the server, run by run and file by file.
    func compare(with url: String) async throws -> (text: String, isGood: Bool) {
        try await Self.run(["compare", folder.path, kind.rawValue, url])
    }

    private static let script = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "../Conformance/mlflow_store.py"
    ).standardizedFileURL.path

    private static func run(_ words: [String]) async throws -> (text: String, isGood: Bool) {
        try await BlockingThread(name: "mlflow").run {
            let process = Process()
            process.executableURL = URL(filePath: python ?? "")
            process.arguments = [script] + words
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

/// One folder that all tests read: it takes longer to make than to import.
actor SharedFolder {
    static let only = SharedFolder()
    private var made: Task<OldStore, any Error>?

    func store() async throws -> OldStore {
        let task = made ?? Task { try await OldStore(.folder, runs: 21) }
        made = task
        return try await task.value
    }
}

extension Workshop {
    /// The factory's own interface without a socket.
    var connection: FactoryConnection { FactoryConnection(Transport(shop: self), principal: "user:test") }

    private struct Transport: FactoryTransport {
        let shop: Workshop

        func send(
            _ method: HTTPMethod, _ target: String, headers: HTTPHeaders, body: [UInt8]
        ) async throws -> (status: Int, body: [UInt8]) {
            let answer = try await shop.works.dispatch(method, target, headers: headers, body: body)
            return (answer.status, answer.body)
        }
    }
}
