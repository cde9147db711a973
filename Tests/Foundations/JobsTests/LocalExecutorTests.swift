import Basics
import Engines
import Foundation
import TestSupport
import Testing

@testable import Jobs

/// Local processes: groups, limits, logs, and what is left after our own end.
@Suite struct LocalExecutorTests {
    private let folder: TemporaryFolder
    private let executor: LocalExecutor

    init() throws {
        folder = try TemporaryFolder()
        executor = LocalExecutor(folder: folder.path, slots: 3)
    }

    private func start(_ script: String, id: String, limits: JobSpecLimits = JobSpecLimits()) async throws -> String {
        try await executor.start(JobSpec("sh", ["-c", script], limits: limits), id: id)
    }

    @Test func theWholeGroupEndsEvenWhereItDoesNotHeedTheAsking() async throws {
        let handle = try await start(
            "trap '' TERM; (trap '' TERM; sleep 300) & echo $! > ../child; sleep 300", id: "deaf")
        try await until("the child is there") { FileManager.default.fileExists(atPath: folder("child")) }
        try await until("its number is written") { (childPid() ?? 0) > 0 }
        let child = try #require(childPid())
        #expect(kill(child, 0) == 0)
        let begun = SystemTime.monotonicNanoseconds
        try await executor.cancel(handle, graceSeconds: 0.3)
        let execution = try await ended(handle, at: executor)
        #expect(execution.state == .cancelled)
        #expect(SystemTime.monotonicNanoseconds - begun > 250_000_000)
        try await until("the child is gone") { ChildProcess.state(of: child).map { $0.letter == "Z" } ?? true }
    }

    @Test func whatAJobSaysWhileItEndsIsKept() async throws {
        let handle = try await start(
            "trap 'echo farewell; exit 7' TERM; echo up; while :; do sleep 0.05; done", id: "a")
        try await until("it is up") { try await executor.logs(handle, from: 0, limit: 10).text == "up\n" }
        try await executor.cancel(handle, graceSeconds: 5)
        #expect(try await ended(handle, at: executor).state == .cancelled)
        #expect(try await executor.logs(handle, from: 0, limit: 100).text.contains("farewell"))
    }

    @Test func theLogIsBoundedAndSaysSo() async throws {
        let handle = try await start(
            "head -c 300000 /dev/zero | tr '\\0' x; exit 4", id: "loud", limits: JobSpecLimits(logBytes: 1000))
        let execution = try await ended(handle, at: executor)
        #expect(execution.exitCode == 4)
        let log = try await executor.logs(handle, from: 0, limit: 100_000).text
        #expect(log.hasPrefix(String(repeating: "x", count: 1000) + "\n[the log ends here"))
        #expect(log.utf8.count < 1200)
    }

    @Test func usageIsTold() async throws {
        let handle = try await start("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done", id: "busy")
        let execution = try await ended(handle, at: executor)
        #expect(try #require(execution.cpuSeconds) > 0.01)
        try await until("the memory is noted") {
            try await executor.status(handle).memoryBytesMax.map { $0 > 100_000 } ?? false
        }
    }

    @Test func aJobThatNeedsMoreMemoryThanItMayHaveFails() async throws {
        let handle = try await start(
            "head -c 200000000 /dev/zero | tail -c 190000000 | wc -c > out; test \"$(cat out)\" = 190000000", id: "big",
            limits: JobSpecLimits(memoryBytes: 60 << 20))
        #expect(try await ended(handle, at: executor).state == .failed)
    }

    @Test func noMoreRunsThanThereAreSlots() async throws {
        for id in ["a", "b", "c"] { _ = try await start("sleep 30", id: id) }
        await #expect(throws: JobFailure.noFreeSlot("local", slots: 3)) { try await start("true", id: "d") }
        #expect(try await executor.running().count == 3)
        try await executor.cancel("local:b", graceSeconds: 0)
        _ = try await ended("local:b", at: executor)
        try await until("the slot is free") { (try? await start("true", id: "d")) != nil }
        for id in ["a", "c"] { try await executor.cancel("local:\(id)", graceSeconds: 0) }
        for id in ["a", "c"] { _ = try await ended("local:\(id)", at: executor) }
    }

    @Test func aProcessIdThatWasGivenOutAgainIsNoJob() async throws {
        let path = folder("old")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        // This very process lives, but it did not start then.
        try "\(getpid()) 1 \(ChildProcess.bootID())".write(toFile: "\(path)/pid", atomically: true, encoding: .utf8)
        #expect(try await executor.reattach("local:old").state == .interrupted)
        let start = try #require(ChildProcess.state(of: getpid())).start
        try "\(getpid()) \(start) another-boot".write(toFile: "\(path)/pid", atomically: true, encoding: .utf8)
        #expect(try await executor.reattach("local:old").state == .interrupted)
    }

    @Test func aJobThatWasKilledWithItsWrapperIsInterrupted() async throws {
        let handle = try await start("sleep 60", id: "gone")
        try await until("it runs") { LocalFolder(path: folder("gone")).identity != nil }
        let identity = try #require(LocalFolder(path: folder("gone")).identity)
        killpg(identity.pid, SIGKILL)
        #expect(try await ended(handle, at: executor).state == .interrupted)
    }

    @Test func twoWrappersOfOneExecutionRunTheCommandOnce() async throws {
        let path = folder("twice")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let null = open("/dev/null", O_RDWR)
        defer { close(null) }
        let words = [
            "/bin/sh", "-c", LocalWrapper.script, "sh", path, "1000", "0", path, "", "sh", "-c", "echo x >> runs",
        ]
        for _ in 0..<5 {
            _ = try ChildProcess.start(
                words, environment: ["PATH": "/usr/bin:/bin"], descriptors: [null, null, null], executor: "local")
        }
        try await until("it ended") { try await executor.status("local:twice").state == .succeeded }
        #expect(try String(contentsOfFile: "\(path)/runs", encoding: .utf8) == "x\n")
    }

    @Test func aMissingProgramAndFolderFailWithTheShellsWords() async throws {
        let missing = try await executor.start(JobSpec("no-such-program"), id: "m")
        #expect(try await ended(missing, at: executor).exitCode == 127)
        let nowhere = try await executor.start(JobSpec("true", workingDirectory: "/no/such/place"), id: "n")
        #expect(try await ended(nowhere, at: executor).exitCode == 126)
        await #expect(throws: JobFailure.self) { try await executor.start(JobSpec(""), id: "e") }
        await #expect(throws: JobFailure.self) {
            try await executor.start(JobSpec("true", environment: ["A=B": "x"]), id: "v")
        }
    }

    private func childPid() -> pid_t? {
        FileManager.default.contents(atPath: folder("child")).flatMap {
            pid_t(String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
        }
    }
}
