import Basics
import Foundation

/// Something a test needs that did not come about.
struct Unmet: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Waits until a condition holds.
/// - Throws: `Unmet` with `what` when it does not within `seconds`.
func eventually(_ what: String, within seconds: Double = 60, _ condition: () throws -> Bool) throws {
    let deadline = SystemTime.monotonicNanoseconds + UInt64(seconds * 1e9)
    while try !condition() {
        guard SystemTime.monotonicNanoseconds < deadline else { throw Unmet("\(what): not within \(seconds) s") }
        usleep(1000)
    }
}

/// Runs a blocking test body on a thread of its own, so that it holds none that other tests need. It stays in the test's
/// task, so that what it finds is told as that test's.
func onThread<Result: Sendable>(_ name: String, _ body: @Sendable () throws -> Result) async throws -> Result {
    try await withTaskExecutorPreference(ThreadExecutor(name: name)) { try body() }
}

/// Runs the jobs of a task on a queue of its own.
private final class ThreadExecutor: TaskExecutor {
    private let queue: DispatchQueue

    init(name: String) { queue = DispatchQueue(label: "modelworks.test.\(name)") }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { [self] in job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
}

/// The release binary, as a child process of this one.
final class ChildProcess {
    let pid: pid_t
    private var ended: Int32?

    /// - Parameters:
    ///   - output: the file that standard output goes to.
    ///   - errors: the file that standard error goes to.
    ///   - environment: variables beside those of this process.
    init(
        _ path: String, _ arguments: [String], output: String, errors: String, environment: [String: String] = [:]
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        // Sockets of other tests must not stay open in the child. Closing what is not open is no error here.
        for descriptor in Int32(3)..<256 { posix_spawn_file_actions_addclose(&actions, descriptor) }
        var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) }
        words.append(nil)
        let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        var settings: [UnsafeMutablePointer<CChar>?] = variables.map { strdup("\($0.key)=\($0.value)") }
        settings.append(nil)
        defer { for word in words + settings { free(word) } }
        var pid = pid_t()
        let status = posix_spawn(&pid, path, &actions, nil, &words, &settings)
        guard status == 0 else { throw Unmet("\(path) did not start: \(String(cString: strerror(status)))") }
        self.pid = pid
    }

    deinit {
        guard exitCode == nil else { return }
        kill(pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
    }

    /// The exit code, or minus the number of the signal that ended it; nil while it runs.
    var exitCode: Int32? {
        if let ended { return ended }
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
        ended = status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F)
        return ended
    }

    /// Lets it stand still, or go on.
    func freeze(_ frozen: Bool) { if exitCode == nil { kill(pid, frozen ? SIGSTOP : SIGCONT) } }

    /// Sends a signal and waits for the end.
    @discardableResult
    func end(_ signal: Int32) throws -> Int32 {
        if exitCode == nil { kill(pid, signal) }
        return try wait()
    }

    func wait(seconds: Double = 60) throws -> Int32 {
        try eventually("the end of process \(pid)", within: seconds) { exitCode != nil }
        return exitCode ?? 0
    }
}

/// The release binary and what it is asked to do.
enum Modelworks {
    /// `MODELWORKS_BINARY`, or where `make build` puts it.
    static var binary: String {
        if let path = ProcessInfo.processInfo.environment["MODELWORKS_BINARY"] { return path }
        let package = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return "/\(package)/.build/release/modelworks"
    }

    /// Runs a verb to its end.
    static func run(
        _ arguments: [String], folder: String, seconds: Double = 60, environment: [String: String] = [:]
    ) throws -> (code: Int32, output: String, errors: String) {
        let name = "\(folder)/\(UUID().uuidString)"
        let child = try ChildProcess(
            binary, arguments, output: "\(name).out", errors: "\(name).err", environment: environment)
        let code = try child.wait(seconds: seconds)
        return (code, text("\(name).out"), text("\(name).err"))
    }

    static func text(_ path: String) -> String {
        String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
    }
}

/// A `modelworks up` of a test's own.
final class Server {
    let url: String
    let child: ChildProcess
    /// Where its standard error goes.
    let log: String

    var port: Int { Int(url.split(separator: ":").last ?? "") ?? 0 }

    /// Starts a server on a root and waits until it answers.
    /// - Parameters:
    ///   - environment: variables beside those of this process, such as the addresses of its stores.
    ///   - giveUp: asked while it starts; true ends the wait and the process.
    /// - Throws: `Unmet` with what it wrote where it ends before it is ready.
    convenience init(
        root: String, logs: String, environment: [String: String] = [:], giveUp: () -> Bool = { false }
    ) throws {
        try self.init(["--root", root], logs: logs, environment: environment, giveUp: giveUp)
    }

    /// Starts a server by the words that follow `up`, and waits until it answers.
    init(
        _ words: [String], logs: String, environment: [String: String] = [:], giveUp: () -> Bool = { false }
    ) throws {
        let name = "\(logs)/server-\(UUID().uuidString)"
        log = "\(name).err"
        let child = try ChildProcess(
            Modelworks.binary, ["up"] + words + ["--http-port", "0", "--json"], output: "\(name).out",
            errors: log, environment: environment)
        var found: String?
        try eventually("'up \(words.joined(separator: " "))' to be ready") {
            if let code = child.exitCode {
                throw Unmet("the server ended with \(code): \(Modelworks.text("\(name).err"))")
            }
            if giveUp() {
                try child.end(SIGKILL)
                throw Unmet("the server was killed while it started")
            }
            // What it tells of its models comes before its address; the last line may not be whole yet.
            let lines = Modelworks.text("\(name).out").split(separator: "\n", omittingEmptySubsequences: false)
                .dropLast()
            for line in lines { found = try found ?? JSON.decode(JSONValue.self, from: String(line))["url"]?.string }
            return found != nil
        }
        guard let found else { throw Unmet("the server did not say its address") }
        url = found
        self.child = child
    }

    func kill() throws { try child.end(SIGKILL) }

    /// Asks it to drain and end.
    /// - Returns: its exit code.
    @discardableResult
    func stop() throws -> Int32 { try child.end(SIGTERM) }
}
