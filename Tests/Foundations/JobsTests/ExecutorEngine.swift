import Basics
import Engines
import Foundation
import TestSupport
import Testing

@testable import Jobs

/// The executors that every case runs on.
enum ExecutorEngine: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case local, ray, slurm

    var testDescription: String { rawValue }
    /// Whether the environment of a job can be kept from other users of the executor.
    var keepsSecrets: Bool { self != .ray }

    private static let rayServer = RayServer()
    private static let slurmCluster = SlurmCluster()

    /// An executor over files in `folder`, as a process makes it at its start.
    func executor(in folder: TemporaryFolder) async throws -> any JobExecutor {
        var environment = ["PATH": "/usr/bin:/bin"]
        let address: String
        switch self {
        case .local: address = "local:?slots=8"
        case .ray: address = "ray://127.0.0.1:\(try await Self.rayServer.running().port)"
        case .slurm:
            do {
                environment = try await Self.slurmCluster.running().environment
            } catch let reason as EngineUnavailable {
                // The one engine that may be missing: its daemons need root and their packages.
                announceSkippedEngine("slurm", why: "\(reason)")
                try Test.cancel("slurm: skipped: \(reason)")
            }
            address = "slurm:?partition=batch&timeout=20"
        }
        return try JobExecutors.open(
            try StoreURL(address, secrets: SecretSource(environment: [:])), folder: folder.path,
            environment: environment)
    }
}

/// Waits until an execution has ended.
func ended(_ handle: String, at executor: any JobExecutor, within seconds: Double = 60) async throws -> JobExecution {
    let deadline = SystemTime.monotonicNanoseconds + UInt64(seconds * 1e9)
    while true {
        let execution = try await executor.status(handle)
        if execution.state.isFinal { return execution }
        guard SystemTime.monotonicNanoseconds < deadline else {
            throw EngineUnavailable("\(handle) is \(execution) after \(seconds) s")
        }
        try await Task.sleep(for: .milliseconds(20))
    }
}

/// Waits until something holds.
func until(_ what: String, within seconds: Double = 30, _ holds: () async throws -> Bool) async throws {
    let deadline = SystemTime.monotonicNanoseconds + UInt64(seconds * 1e9)
    while try await !holds() {
        guard SystemTime.monotonicNanoseconds < deadline else { throw EngineUnavailable("\(what): not in time") }
        try await Task.sleep(for: .milliseconds(10))
    }
}
