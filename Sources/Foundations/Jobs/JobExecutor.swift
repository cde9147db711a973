import Basics

/// Runs commands somewhere, and can be asked about them again after a restart of this process.
///
/// Guarantees of every implementation: `start` with an id that was started before starts nothing and gives the handle
/// of the first; a handle is a text that outlives this process; no call waits longer than the executor's timeouts.
public protocol JobExecutor: Sendable {
    /// The address without secrets, for messages.
    var name: String { get }

    /// How many executions it can run at once, where it knows.
    var slots: Int? { get }

    /// Whether executions run on this machine and nobody but this process can follow them.
    var isLocal: Bool { get }

    /// Starts a command.
    /// - Parameter id: names the execution; 1 to 100 letters, digits, `-`, `_` and `.`.
    /// - Returns: the handle.
    func start(_ spec: JobSpec, id: String) async throws -> String

    /// Follows an execution that an earlier process started.
    /// - Throws: `JobFailure.unknownExecution` where there is none.
    func reattach(_ handle: String) async throws -> JobExecution

    /// How an execution is doing.
    /// - Throws: `JobFailure.unknownExecution`.
    func status(_ handle: String) async throws -> JobExecution

    /// What it wrote to its standard output and standard error.
    /// - Parameter offset: in bytes, 0 for the beginning.
    func logs(_ handle: String, from offset: Int, limit: Int) async throws -> JobLog

    /// Asks it to end, and ends it by force after a while. Does nothing to one that has ended.
    func cancel(_ handle: String, graceSeconds: Double) async throws

    /// Removes what is kept of an execution that has ended.
    func forget(_ handle: String) async throws

    /// Executions that have not ended, by id, with their handles: those of other factories included.
    func running() async throws -> [String: String]

    /// For `doctor`: whether it can be used.
    func check() async throws -> JobExecutorCheck

    /// Ends the connections; executions go on.
    func close() async
}

/// A command and what it may use.
public struct JobSpec: Sendable, Hashable {
    /// A program by path, or by name to be found on PATH.
    public var command: String
    public var arguments: [String]
    public var environment: [String: String]
    /// Variables that must not be seen in messages, process lists or files.
    public var secrets: [String: Secret]
    /// Nil is the executor's own.
    public var workingDirectory: String?
    public var limits: JobSpecLimits

    public init(
        _ command: String, _ arguments: [String] = [], environment: [String: String] = [:],
        secrets: [String: Secret] = [:], workingDirectory: String? = nil, limits: JobSpecLimits = JobSpecLimits()
    ) {
        self.command = command
        self.arguments = arguments
        self.environment = environment
        self.secrets = secrets
        self.workingDirectory = workingDirectory
        self.limits = limits
    }

    /// - Throws: `JobFailure.request` for what no system can start.
    func checked() throws {
        let texts = [command] + arguments + environment.flatMap { [$0.key, $0.value] } + secrets.map(\.key)
        let hidden = secrets.values.contains { $0.revealed.utf8.contains(0) }
        guard !command.isEmpty, !hidden, !texts.contains(where: { $0.utf8.contains(0) }) else {
            throw JobFailure.request(command, reason: "its command is empty or holds a NUL character")
        }
        let names = Array(environment.keys) + Array(secrets.keys)
        guard names.allSatisfy(JobSpec.isVariable) else {
            throw JobFailure.request(command, reason: "the name of a variable must be letters, digits and '_'")
        }
    }

    private static func isVariable(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(48...57).contains(first) else { return false }
        return name.utf8.allSatisfy {
            (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == 95
        }
    }
}

/// What an execution may use at most; nil is the executor's own.
public struct JobSpecLimits: Sendable, Hashable {
    public var timeSeconds: Int?
    public var memoryBytes: Int64?
    /// Thousandths of a processor core, for executors that place by it.
    public var millicores: Int?
    /// How much of the output is kept.
    public var logBytes: Int
    /// 0 to 19: higher gives way to others.
    public var nice: Int

    public init(
        timeSeconds: Int? = nil, memoryBytes: Int64? = nil, millicores: Int? = nil, logBytes: Int = 64 << 20,
        nice: Int = 0
    ) {
        self.timeSeconds = timeSeconds
        self.memoryBytes = memoryBytes
        self.millicores = millicores
        self.logBytes = logBytes
        self.nice = nice
    }
}

/// How an execution is doing.
public struct JobExecution: Sendable, Hashable {
    /// The first two go on; the others are final.
    public enum State: String, Sendable, Codable, CaseIterable {
        case pending, running, succeeded, failed, cancelled, timedOut, outOfMemory
        /// Preempted, or its machine or its record went away.
        case interrupted

        public var isFinal: Bool { self != .pending && self != .running }
    }

    public var state: State
    /// 128 and more is a signal.
    public var exitCode: Int?
    /// In the executor's words.
    public var reason: String?
    /// Processor time of the whole execution, where it is known.
    public var cpuSeconds: Double?
    /// The most memory of one of its processes, where it is known.
    public var memoryBytesMax: Int64?

    public init(
        _ state: State, exitCode: Int? = nil, reason: String? = nil, cpuSeconds: Double? = nil,
        memoryBytesMax: Int64? = nil
    ) {
        self.state = state
        self.exitCode = exitCode
        self.reason = reason
        self.cpuSeconds = cpuSeconds
        self.memoryBytesMax = memoryBytesMax
    }
}

/// A piece of an execution's output.
public struct JobLog: Sendable, Hashable {
    public let bytes: [UInt8]
    /// Where the next piece begins.
    public let nextOffset: Int

    public init(bytes: [UInt8], nextOffset: Int) {
        self.bytes = bytes
        self.nextOffset = nextOffset
    }

    /// The bytes as text; what is not UTF-8 is replaced.
    public var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// What `doctor` tells of an executor that can be used.
public struct JobExecutorCheck: Sendable, Hashable {
    /// Such as `ray 2.60.0`.
    public let engine: String
    public let detail: String
}

enum JobExecutionID {
    /// Ids name files, jobs and submissions, so they hold nothing that means something there.
    static func check(_ id: String, executor: String) throws {
        let allowed = id.utf8.allSatisfy {
            (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || "-_.".utf8.contains($0)
        }
        guard allowed, (1...100).contains(id.utf8.count), !id.hasPrefix("."), !id.hasPrefix("-") else {
            throw JobFailure.unknownExecution(String(id.prefix(100)), executor: executor)
        }
    }

    /// A handle without the name of its executor.
    static func id(of handle: String, scheme: String, executor: String) throws -> String {
        guard handle.hasPrefix("\(scheme):") else { throw JobFailure.unknownExecution(handle, executor: executor) }
        let id = String(handle.dropFirst(scheme.count + 1))
        try check(id, executor: executor)
        return id
    }
}
