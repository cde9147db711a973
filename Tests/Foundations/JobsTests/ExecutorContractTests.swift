import Basics
import Engines
import Foundation
import TestSupport
import Testing

@testable import Jobs

/// What every executor must do. The cases of one executor run side by side, because starting a job costs seconds on
/// some.
@Suite struct ExecutorContractTests {
    private struct Case: Sendable {
        let name: String
        let spec: JobSpec
        let state: JobExecution.State
        var code: Int?
    }

    private static func shell(
        _ script: String, environment: [String: String] = [:], secrets: [String: Secret] = [:],
        folder: String? = nil, seconds: Int? = nil
    ) -> JobSpec {
        JobSpec(
            "sh", ["-c", script], environment: environment, secrets: secrets, workingDirectory: folder,
            limits: JobSpecLimits(timeSeconds: seconds))
    }

    @Test(arguments: ExecutorEngine.allCases)
    func runsFollowsAndEndsJobs(_ engine: ExecutorEngine) async throws {
        let folder = try TemporaryFolder()
        let executor = try await engine.executor(in: folder)
        let check = try await executor.check()
        let version = check.engine.split(separator: " ").last.map(String.init) ?? ""
        announceEngine(engine.rawValue, version)
        let run = UUID().uuidString.prefix(8)
        let work = folder("it's a place")
        try FileManager.default.createDirectory(atPath: work, withIntermediateDirectories: true)
        let cases = [
            Case(
                name: "speaks",
                spec: Self.shell(
                    "echo \"hello $NAME\"; pwd; echo x >> once; sleep 1", environment: ["NAME": "it's \"me\" $HOME"],
                    folder: work), state: .succeeded, code: 0),
            Case(name: "fails", spec: Self.shell("echo oh >&2; exit 3"), state: .failed, code: 3),
            Case(name: "slow", spec: Self.shell("sleep 60", seconds: 2), state: .timedOut),
            Case(name: "long", spec: Self.shell("sleep 120 & sleep 120"), state: .cancelled),
        ]
        var handles: [String: String] = [:]
        for item in cases { handles[item.name] = try await executor.start(item.spec, id: "\(run)-\(item.name)") }
        // Asking again, as after a lost answer or a restart, starts nothing.
        let second = try await engine.executor(in: folder)
        let speaks = try #require(cases.first)
        #expect(try await second.start(speaks.spec, id: "\(run)-speaks") == handles["speaks"])

        let long = try #require(handles["long"])
        try await until("the long job runs") { try await executor.status(long).state == .running }
        #expect(try await executor.running()["\(run)-long"] == long)
        try await executor.cancel(long, graceSeconds: 1)
        for item in cases {
            let handle = try #require(handles[item.name])
            _ = try await second.reattach(handle)
            let execution = try await ended(handle, at: second)
            #expect(execution.state == item.state, "\(item.name): \(execution)")
            if let code = item.code { #expect(execution.exitCode == code, "\(item.name): \(execution)") }
        }
        let handle = try #require(handles["speaks"])
        let log = try await executor.logs(handle, from: 0, limit: 10_000).text
        #expect(log.contains("hello it's \"me\" $HOME\n\(work)\n"))
        let position = try #require(log.range(of: "me")).lowerBound
        let offset = log.utf8.distance(from: log.startIndex, to: position)
        #expect(try await executor.logs(handle, from: offset, limit: 2).text == "me")
        #expect(try await executor.logs(handle, from: 1 << 30, limit: 2).bytes.isEmpty)
        #expect(try String(contentsOfFile: "\(work)/once", encoding: .utf8) == "x\n")
        let fails = try #require(handles["fails"])
        #expect(try await executor.logs(fails, from: 0, limit: 1000).text.contains("oh\n"))
        #expect(try await executor.running()["\(run)-long"] == nil)

        await #expect(throws: JobFailure.self) { try await executor.status("\(engine):\(run)-never") }
        await #expect(throws: JobFailure.self) { try await executor.status("other:\(run)-never") }
        await #expect(throws: JobFailure.self) { try await executor.start(speaks.spec, id: "../escape") }
        try await executor.forget(handle)
        await #expect(throws: JobFailure.self) { try await executor.status(handle) }
        await executor.close()
        await second.close()
    }

    @Test(arguments: ExecutorEngine.allCases)
    func secretsReachTheJobOrAreRefused(_ engine: ExecutorEngine) async throws {
        let folder = try TemporaryFolder()
        let executor = try await engine.executor(in: folder)
        let run = UUID().uuidString.prefix(8)
        let spec = Self.shell("test \"$KEY\" = hidden", secrets: ["KEY": Secret("hidden")])
        guard engine.keepsSecrets else {
            await #expect(throws: JobFailure.secretsShown(executor.name)) {
                try await executor.start(spec, id: "\(run)-secret")
            }
            return
        }
        let handle = try await executor.start(spec, id: "\(run)-secret")
        #expect(try await ended(handle, at: executor).state == .succeeded)
        let files = FileManager.default.enumerator(atPath: folder.path)
        for case let name as String in files ?? .init() {
            let content = FileManager.default.contents(atPath: folder(name)) ?? Data()
            #expect(!String(decoding: content, as: UTF8.self).contains("hidden\n"), "\(name)")
            #expect(!String(decoding: content, as: UTF8.self).contains("KEY=hidden"), "\(name)")
        }
    }
}
