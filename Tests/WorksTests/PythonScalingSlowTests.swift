import Basics
import Foundation
import HTTP
import Inference
import Serving
import Synchronization
import Telemetry
import TestSupport
import Testing
import Works

/// Real Python processes that come and go with the load: `scripts/setup-wheels serving` installs their Python.
@Suite(.serialized, .timeLimit(.minutes(5))) struct PythonScalingSlowTests {
    private static let python =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/../../.deps/serving/bin/python"

    /// A model that takes a third of a second and says which process it is.
    private static func write(to folder: TemporaryFolder) throws {
        try folder.write(
            """
            flavors:
              python_function:
                code: code
                loader_module: slow_served
                python_version: 3.11.2
            mlflow_version: 3.17.2
            model_uuid: 6a1f4b1c7d5e4f2f9a3c2b1d0e9f8a7c
            signature:
              inputs: '[{"type": "double", "name": "x", "required": true}]'
              outputs: '[{"type": "double", "name": "y", "required": true}]'
              params: null
            """, to: "models/slow/MLmodel")
        try folder.write(
            """
            import os, time

            class Model:
                def predict(self, table, params=None):
                    time.sleep(0.3)
                    return table.assign(y=float(os.getpid()))[["y"]]

            def _load_pyfunc(path):
                return Model()
            """, to: "models/slow/code/slow_served.py")
    }

    private static func report(_ client: HTTPClient) async throws -> ScalingReport? {
        struct Reports: Decodable { let models: [ScalingReport] }
        let response = try await client.get("/scaling")
        return try JSON.decode(Reports.self, from: try await response.collect()).models.first
    }

    private static func until(
        _ what: Comment, _ client: HTTPClient, _ holds: (ScalingReport) -> Bool
    ) async throws -> ScalingReport {
        let end = SystemTime.monotonicNanoseconds + 120_000_000_000
        while true {
            if let report = try await report(client), holds(report) { return report }
            try #require(SystemTime.monotonicNanoseconds < end, what)
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    @Test func processesGrowWithTheLoadAndGoWithoutOne() async throws {
        let folder = try TemporaryFolder()
        try Self.write(to: folder)
        var repository = RepositoryOptions(folder: folder("models"))
        repository.load = { path in
            var options = ModelOptions()
            options.python.python = Self.python
            return try ModelFolder.load(at: path, options: options)
        }
        var policy = ScalingPolicy(minimum: 0, maximum: 3)
        policy.stableSeconds = 6
        policy.panicSeconds = 2
        policy.zeroGraceSeconds = 2
        repository.processes = policy
        var options = ModelServerOptions(repository)
        options.port = 0
        options.grpcPort = nil
        options.logSink = .none()
        try await FolderServer.run(options) { address in
            let client = try HTTPClient(baseURL: address.url, connections: 8, timeout: 180)
            let callers = Callers(client)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<6 {
                    group.addTask { await callers.askOn() }
                }
                let busy = try await Self.until("all processes answer", client) { report in
                    report.running == 3 && callers.processes.count == 3
                }
                // Six callers ask for six, and may have three.
                #expect(busy.desired == 3 && busy.reason == .maximum)
                callers.stop()
                try await group.waitForAll()
            }
            let idle = try await Self.until("no process is left", client) { $0.running == 0 }
            #expect(idle.desired == 0 && idle.reason == .idle)
            for pid in callers.processes {
                let end = SystemTime.monotonicNanoseconds + 60_000_000_000
                while kill(Int32(pid), 0) == 0, SystemTime.monotonicNanoseconds < end { await Task.yield() }
                #expect(kill(Int32(pid), 0) != 0)
            }
            // Held until there is a process again.
            await callers.ask()
            #expect(callers.failed == 0 && callers.processes.count == 4)
            let metrics = String(decoding: try await client.get("/metrics").collect(), as: UTF8.self)
            #expect(metrics.contains("modelworks_desired_replicas{model=\"slow\",version=\"1\"} "))
        }
    }
}

/// Who asks a model, and which processes have answered.
private final class Callers: Sendable {
    private let client: HTTPClient
    private let isOver = Atomic<Bool>(false)
    private let failures = Atomic<Int>(0)
    private let answered = Mutex<Set<Double>>([])

    init(_ client: HTTPClient) { self.client = client }

    var processes: Set<Double> { answered.withLock { $0 } }
    var failed: Int { failures.load(ordering: .acquiring) }

    func stop() { isOver.store(true, ordering: .releasing) }

    func askOn() async { while !isOver.load(ordering: .acquiring) { await ask() } }

    func ask() async {
        guard let response = try? await FolderServer.send(client, "slow", 1), response.status == .ok,
            let process = try? await FolderServer.number(response)
        else {
            failures.add(1, ordering: .relaxed)
            return
        }
        answered.withLock { _ = $0.insert(process) }
    }
}
