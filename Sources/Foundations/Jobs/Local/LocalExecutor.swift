import Basics
import Foundation
import Synchronization

/// Runs jobs as processes of this machine, each in a session and a group of its own.
///
/// A shell program stands between: it survives our end, keeps the log and writes the exit code to a file. Whether an
/// execution still runs is told by process id, start time and the machine's boot id together, so a process id that was
/// given out again is never taken for a job. Processes that leave their group can not be followed.
public final class LocalExecutor: JobExecutor {
    /// What this process remembers of an execution; everything that must survive is in its folder.
    private struct Live {
        /// The wrapper, where it is a child of this process.
        var child: pid_t?
        var killAt: UInt64?
        var exitSeen: UInt64?
    }

    private struct State {
        var live: [String: Live] = [:]
        var sweeping = false
        var closed = false
    }

    public let name: String
    public let slots: Int?
    public var isLocal: Bool { true }
    private let folder: String
    private let environment: [String: String]
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "modelworks.jobs.local")
    private static let sweepMilliseconds = 50
    // What a job's descendants get to finish writing after the job itself has ended.
    private static let drainNanoseconds: UInt64 = 1_000_000_000
    private static let graceSeconds = 10.0

    /// - Parameters:
    ///   - folder: keeps logs and exit codes; belongs to one process at a time.
    ///   - slots: how many executions run at once.
    ///   - environment: what every job gets; a job's own variables come on top.
    public init(
        folder: String, slots: Int,
        environment: [String: String] = ["PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
    ) {
        self.folder = folder
        self.slots = max(1, slots)
        self.environment = environment
        name = "local"
    }

    public func start(_ spec: JobSpec, id: String) async throws -> String {
        try spec.checked()
        try JobExecutionID.check(id, executor: name)
        return try await run { executor in
            try executor.begin(spec, id)
            return "local:\(id)"
        }
    }

    public func reattach(_ handle: String) async throws -> JobExecution {
        let id = try JobExecutionID.id(of: handle, scheme: "local", executor: name)
        return try await run { executor in
            let found = try executor.inspect(id)
            if !found.state.isFinal { executor.follow(id, child: nil) }
            return found
        }
    }

    public func status(_ handle: String) async throws -> JobExecution {
        let id = try JobExecutionID.id(of: handle, scheme: "local", executor: name)
        return try await run { executor in
            executor.sweep(id)
            return try executor.inspect(id)
        }
    }

    public func logs(_ handle: String, from offset: Int, limit: Int) async throws -> JobLog {
        let id = try JobExecutionID.id(of: handle, scheme: "local", executor: name)
        return try await run { executor in
            let folder = executor.folder(of: id)
            guard folder.exists else { throw JobFailure.unknownExecution(id, executor: executor.name) }
            return LogFile.read(folder.log, from: offset, limit: limit)
        }
    }

    public func cancel(_ handle: String, graceSeconds: Double) async throws {
        let id = try JobExecutionID.id(of: handle, scheme: "local", executor: name)
        try await run { executor in
            guard try !executor.inspect(id).state.isFinal else { return }
            executor.follow(id, child: nil)
            try executor.end(id, as: .cancelled, graceSeconds: graceSeconds)
        }
    }

    public func forget(_ handle: String) async throws {
        let id = try JobExecutionID.id(of: handle, scheme: "local", executor: name)
        try await run { executor in
            executor.sweep(id)
            guard try executor.inspect(id).state.isFinal else { return }
            executor.state.withLock { $0.live[id] = nil }
            executor.folder(of: id).remove()
        }
    }

    public func running() async throws -> [String: String] {
        try await run { executor in
            let names = (try? FileManager.default.contentsOfDirectory(atPath: executor.folder)) ?? []
            var found: [String: String] = [:]
            for id in names where (try? executor.inspect(id).state.isFinal) == false { found[id] = "local:\(id)" }
            return found
        }
    }

    public func check() async throws -> JobExecutorCheck {
        try await run { executor in
            let probe = LocalFolder(path: executor.folder)
            try probe.make()
            try probe.write("ok", to: ".probe")
            try? FileManager.default.removeItem(atPath: "\(probe.path)/.probe")
            return JobExecutorCheck(engine: "local processes", detail: "\(executor.slots ?? 1) slots")
        }
    }

    /// Stops following; the jobs go on and can be reattached by a later process.
    public func close() async {
        state.withLock { $0.closed = true }
        await withCheckedContinuation { continuation in queue.async { continuation.resume() } }
    }

    private func run<Value: Sendable>(_ body: @escaping @Sendable (LocalExecutor) throws -> Value) async throws -> Value
    {
        try await withCheckedThrowingContinuation { continuation in
            queue.async {
                continuation.resume(
                    with: Result {
                        guard !self.state.withLock({ $0.closed }) else { throw JobFailure.closed(self.name) }
                        return try body(self)
                    })
            }
        }
    }

    private func folder(of id: String) -> LocalFolder { LocalFolder(path: "\(folder)/\(id)") }
}

extension LocalExecutor {
    private func begin(_ spec: JobSpec, _ id: String) throws {
        let folder = folder(of: id)
        if folder.exists, folder.identity != nil || folder.exit != nil || folder.ending != nil {
            if try !inspect(id).state.isFinal { follow(id, child: nil) }
            return
        }
        let most = slots ?? 1
        guard state.withLock({ $0.live.count }) < most else { throw JobFailure.noFreeSlot(name, slots: most) }
        try folder.make()
        if let seconds = spec.limits.timeSeconds { try folder.write("\(seconds)", to: "limit") }
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        guard null >= 0 else { throw JobFailure.executorUnavailable(name, reason: String(cString: strerror(errno))) }
        defer { Foundation.close(null) }
        let words = [
            "/bin/sh", "-c", LocalWrapper.script, "sh", folder.path, "\(max(1, spec.limits.logBytes))",
            "\(min(19, max(0, spec.limits.nice)))", spec.workingDirectory ?? folder.path,
            spec.limits.memoryBytes.map { "\(max(1, $0 / 1024))" } ?? "", spec.command,
        ]
        let variables = environment.merging(spec.environment) { $1 }
            .merging(spec.secrets.mapValues(\.revealed)) { $1 }
        let pid = try ChildProcess.start(
            words + spec.arguments, environment: variables, descriptors: [null, null, null], executor: name)
        follow(id, child: pid)
    }

    private func follow(_ id: String, child: pid_t?) {
        let start = state.withLock { state -> Bool in
            if state.live[id] == nil { state.live[id] = Live(child: child) }
            defer { state.sweeping = true }
            return !state.sweeping
        }
        if start { schedule() }
    }

    private func schedule() {
        queue.asyncAfter(deadline: .now() + .milliseconds(LocalExecutor.sweepMilliseconds)) { [weak self] in
            self?.sweepAll()
        }
    }

    private func sweepAll() {
        for id in state.withLock({ Array($0.live.keys) }) { sweep(id) }
        let more = state.withLock { state -> Bool in
            state.sweeping = !state.live.isEmpty && !state.closed
            return state.sweeping
        }
        if more { schedule() }
    }

    /// Collects what has ended, ends what is over its time, and kills what did not heed.
    private func sweep(_ id: String) {
        guard var live = state.withLock({ $0.live[id] }) else { return }
        let folder = folder(of: id)
        let now = SystemTime.monotonicNanoseconds
        if let child = live.child {
            var status: Int32 = 0
            var usage = rusage()
            if wait4(child, &status, WNOHANG, &usage) == child {
                live.child = nil
                let kibibytes = Int64(usage.ru_maxrss)
                try? folder.write("\(kibibytes.multipliedReportingOverflow(by: 1024).partialValue)", to: "memory")
            }
        }
        let identity = folder.identity
        let alive = identity.map { ChildProcess.isAlive($0.pid, start: $0.start) } ?? (live.child != nil)
        if let identity, alive {
            if folder.exit != nil {
                // Descendants still hold the log open.
                let seen = live.exitSeen ?? now
                live.exitSeen = seen
                if now > seen, now - seen > LocalExecutor.drainNanoseconds { killpg(identity.pid, SIGKILL) }
            } else if let killAt = live.killAt {
                if now >= killAt { killpg(identity.pid, SIGKILL) }
            } else if let ending = folder.ending {
                try? end(id, as: ending, graceSeconds: LocalExecutor.graceSeconds)
                live.killAt = state.withLock { $0.live[id]?.killAt }
            } else if let most = folder.timeSeconds, ChildProcess.seconds(since: identity.start) > Double(most) {
                try? end(id, as: .timedOut, graceSeconds: LocalExecutor.graceSeconds)
                live.killAt = state.withLock { $0.live[id]?.killAt }
            }
        } else if let identity, identity.boot == ChildProcess.bootID() {
            // The wrapper is gone; nothing of its group may stay.
            killpg(identity.pid, SIGKILL)
        }
        let kept: Live? = alive || live.child != nil ? live : nil
        state.withLock { $0.live[id] = kept }
    }

    private func end(_ id: String, as reason: JobExecution.State, graceSeconds: Double) throws {
        let folder = folder(of: id)
        if folder.ending == nil { try folder.write(reason.rawValue, to: "ending") }
        guard let identity = folder.identity, ChildProcess.isAlive(identity.pid, start: identity.start) else { return }
        killpg(identity.pid, SIGTERM)
        let grace = UInt64(max(0, min(graceSeconds, 3600)) * 1e9)
        state.withLock { state in
            guard var live = state.live[id] else { return }
            live.killAt = min(SystemTime.monotonicNanoseconds + grace, live.killAt ?? .max)
            state.live[id] = live
        }
    }

    /// What the folder and the process table say.
    private func inspect(_ id: String) throws -> JobExecution {
        let folder = folder(of: id)
        guard folder.exists else { throw JobFailure.unknownExecution(id, executor: name) }
        let identity = folder.identity
        let alive = identity.map { $0.boot == ChildProcess.bootID() && ChildProcess.isAlive($0.pid, start: $0.start) }
        // In this order: the wrapper writes the code before it ends.
        if let exit = folder.exit {
            // The log is whole only when the wrapper is gone.
            if alive == true { return JobExecution(.running) }
            let state: JobExecution.State = exit.code == 0 ? .succeeded : folder.ending ?? .failed
            return JobExecution(
                state, exitCode: exit.code, reason: LocalExecutor.reason(state, exit.code),
                cpuSeconds: exit.cpuSeconds, memoryBytesMax: folder.memoryBytesMax)
        }
        switch alive {
        case .some(true): return JobExecution(.running)
        case .some(false):
            let state = folder.ending ?? .interrupted
            return JobExecution(
                state, reason: state == .interrupted ? "its process is gone and left no exit code" : nil,
                memoryBytesMax: folder.memoryBytesMax)
        case .none:
            if state.withLock({ $0.live[id]?.child }) != nil { return JobExecution(.pending) }
            return JobExecution(.interrupted, reason: "it was never begun")
        }
    }

    private static func reason(_ state: JobExecution.State, _ code: Int) -> String? {
        switch state {
        case .succeeded: nil
        case .timedOut: "its time limit was reached"
        case .cancelled: "it was cancelled"
        default: code > 128 ? "it was ended by signal \(code - 128)" : "it ended with exit code \(code)"
        }
    }
}
