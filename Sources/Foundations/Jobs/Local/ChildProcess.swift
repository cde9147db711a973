import Basics
import Foundation

/// Starts processes by `posix_spawn`, which unlike `fork` is safe in a program with threads.
enum ChildProcess {
    /// - Parameters:
    ///   - words: the program, found on PATH, and its arguments.
    ///   - environment: all of it; nothing is inherited.
    ///   - descriptors: what become its standard input, output and error; every other one is closed.
    /// - Returns: the process, which leads a session and a group of its own.
    static func start(
        _ words: [String], environment: [String: String], descriptors: [Int32], executor: String
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (target, source) in descriptors.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, source, Int32(clamping: target))
        }
        // What libraries opened without close-on-exec must not live on in a job.
        let open = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        for descriptor in open.compactMap({ Int32($0) }) where descriptor > 2 {
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Signals that this process ignores or holds back must reach the child.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        var all = sigset_t()
        sigfillset(&all)
        sigdelset(&all, SIGKILL)
        sigdelset(&all, SIGSTOP)
        posix_spawnattr_setsigdefault(&attributes, &all)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | newSession
        posix_spawnattr_setflags(&attributes, Int16(truncatingIfNeeded: flags))
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        var settings: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") }
        settings.append(nil)
        defer { for text in arguments + settings { free(text) } }
        var pid = pid_t()
        let status = posix_spawnp(&pid, words.first ?? "", &actions, &attributes, arguments, settings)
        guard status == 0 else {
            if status == ENOENT || status == EACCES {
                throw JobFailure.executorMissing(executor, program: words.first ?? "")
            }
            throw JobFailure.executorUnavailable(executor, reason: String(cString: strerror(status)))
        }
        return pid
    }

    // POSIX_SPAWN_SETSID, which the headers define in a form that is not imported.
    private static let newSession: Int32 = 0x80

    /// Whether a process of that start time lives; a zombie does not.
    /// - Parameter start: in clock ticks since the machine started, as in `/proc/PID/stat`.
    static func isAlive(_ pid: pid_t, start: UInt64) -> Bool {
        guard let found = state(of: pid) else { return false }
        return found.start == start && found.letter != "Z" && found.letter != "X"
    }

    /// The state letter and start time of a process, from `proc(5)`.
    static func state(of pid: pid_t) -> (letter: Character, start: UInt64)? {
        guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/stat") else { return nil }
        // The name in brackets may hold blanks and brackets itself.
        let text = String(decoding: data, as: UTF8.self)
        guard let bracket = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: bracket)...].split(separator: " ")
        guard fields.count > 19, let letter = fields[0].first, let start = UInt64(fields[19]) else { return nil }
        return (letter, start)
    }

    /// Names this run of the machine.
    static func bootID() -> String {
        let data = FileManager.default.contents(atPath: "/proc/sys/kernel/random/boot_id") ?? Data()
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Seconds since a start time, by a clock that neither goes back nor stops while the machine sleeps.
    static func seconds(since start: UInt64) -> Double {
        var now = timespec()
        clock_gettime(CLOCK_BOOTTIME, &now)
        let ticks = max(1, sysconf(Int32(_SC_CLK_TCK)))
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9 - Double(start) / Double(ticks)
    }
}
