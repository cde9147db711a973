import Basics
import Foundation
import Synchronization

/// Something a test needs that did not come about.
public struct EngineUnavailable: Error, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}

/// A database, broker or other server of a test's own, as a child process. It ends with this value and, however it ends,
/// with the process of the tests: a watcher kills it when the pipe to that process closes.
public final class EngineProcess: Sendable {
    /// The engine's own process, to be stopped, continued or killed.
    public let pid: pid_t
    /// Where it writes its output.
    public let log: String
    private let watcher: pid_t
    private let pipe: Int32
    private let ended = Mutex(false)

    /// - Parameters:
    ///   - name: names its log in `folder`.
    ///   - words: the program and its arguments, found on PATH.
    ///   - environment: variables beside those of this process.
    ///   - folder: holds its log and process id; must exist.
    ///   - endSignal: what ends it at once without harm to this machine, such as `KILL`.
    public init(
        _ name: String, _ words: [String], environment: [String: String] = [:], folder: String,
        endSignal: String = "KILL"
    ) throws {
        log = "\(folder)/\(name).log"
        let note = "\(folder)/\(name).pid"
        try? FileManager.default.removeItem(atPath: note)
        var ends: [Int32] = [-1, -1]
        guard Foundation.pipe(&ends) == 0 else { throw EngineUnavailable("no pipe for \(name)") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        pipe = ends[1]
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        for descriptor in Int32(3)..<256 { posix_spawn_file_actions_addclose(&actions, descriptor) }
        let script = """
            exec 3<&0
            "$@" </dev/null 3<&- &
            child=$!
            echo $child > '\(note).new' && mv '\(note).new' '\(note)'
            (cat <&3 >/dev/null; kill -\(endSignal) $child) >/dev/null 2>&1 &
            exec 3<&-
            wait $child
            """
        var arguments: [UnsafeMutablePointer<CChar>?] = (["/bin/sh", "-c", script, "sh"] + words).map { strdup($0) }
        arguments.append(nil)
        let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        var settings: [UnsafeMutablePointer<CChar>?] = variables.map { strdup("\($0.key)=\($0.value)") }
        settings.append(nil)
        defer { for word in arguments + settings { free(word) } }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A group of its own, so that Ctrl-C at the tests does not reach it before the watcher does.
        // Threads of the pool hold signals back, and an engine that inherits that never hears SIGTERM.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
        posix_spawnattr_setpgroup(&attributes, 0)
        var watcher = pid_t()
        let status = posix_spawn(&watcher, "/bin/sh", &actions, &attributes, arguments, settings)
        close(ends[0])
        guard status == 0 else {
            close(ends[1])
            throw EngineUnavailable("\(name) did not start: \(String(cString: strerror(status)))")
        }
        self.watcher = watcher
        let deadline = SystemTime.monotonicNanoseconds + 10_000_000_000
        var found: pid_t?
        while found == nil, SystemTime.monotonicNanoseconds < deadline {
            found = FileManager.default.contents(atPath: note).flatMap {
                pid_t(String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
            }
            if found == nil { usleep(1000) }
        }
        guard let found else {
            close(ends[1])
            throw EngineUnavailable("\(name) did not start within 10 s")
        }
        pid = found
    }

    deinit { end() }

    /// Whether the engine still runs.
    public var isRunning: Bool { !ended.withLock { $0 } && kill(pid, 0) == 0 }

    /// Ends the engine at once and returns when it is gone. Ending it twice changes nothing.
    public func end() {
        let first = ended.withLock { ended in
            defer { ended = true }
            return !ended
        }
        guard first else { return }
        close(pipe)
        var status: Int32 = 0
        waitpid(watcher, &status, 0)
    }

    /// Sends a signal to the engine, such as `SIGSTOP`, `SIGCONT` or `SIGTERM`.
    public func signal(_ number: Int32) { kill(pid, number) }

    /// What it wrote so far.
    public var output: String {
        String(decoding: FileManager.default.contents(atPath: log) ?? Data(), as: UTF8.self)
    }
}
