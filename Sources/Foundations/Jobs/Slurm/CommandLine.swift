import Basics
import Foundation

/// Runs short programs of an engine and gives back what they print, within a time.
struct CommandLine: Sendable {
    /// How a program ended.
    struct Answer: Sendable {
        let code: Int
        let output: String
        let errors: String
    }

    let executor: String
    let environment: [String: String]
    let timeoutSeconds: Double
    private let thread = BlockingThread(name: "jobs.commands")
    private static let outputBytesMax = 16 << 20

    init(executor: String, environment: [String: String], timeoutSeconds: Double) {
        self.executor = executor
        self.environment = environment
        self.timeoutSeconds = timeoutSeconds
    }

    /// - Parameters:
    ///   - more: variables beside those of the command line.
    ///   - input: given as its standard input, at most 64 KiB.
    /// - Throws: `JobFailure.executorMissing` where there is no such program, `.executorUnavailable` where it does not
    ///   end in time.
    func run(_ words: [String], environment more: [String: String] = [:], input: String = "") async throws -> Answer {
        try await thread.run { try self.runBlocking(words, environment.merging(more) { $1 }, input) }
    }

    private func runBlocking(_ words: [String], _ variables: [String: String], _ input: String) throws -> Answer {
        // Files rather than pipes: nothing can fill up, and nothing is left to wait for when a program is killed.
        let files = try (0..<3).map { _ in try temporaryFile() }
        defer { for file in files { close(file) } }
        let bytes = Array(input.utf8)
        guard bytes.withUnsafeBytes({ write(files[0], $0.baseAddress, $0.count) }) == bytes.count else {
            throw JobFailure.executorUnavailable(executor, reason: "its input can not be written")
        }
        lseek(files[0], 0, SEEK_SET)
        let pid = try ChildProcess.start(words, environment: variables, descriptors: files, executor: executor)
        let deadline = SystemTime.monotonicNanoseconds + UInt64(max(0.1, min(timeoutSeconds, 3600)) * 1e9)
        var status: Int32 = 0
        var pause: UInt32 = 500
        while waitpid(pid, &status, WNOHANG) == 0 {
            guard SystemTime.monotonicNanoseconds < deadline else {
                killpg(pid, SIGKILL)
                waitpid(pid, &status, 0)
                throw JobFailure.executorUnavailable(
                    executor, reason: "'\(words.first ?? "")' did not end within \(timeoutSeconds) s")
            }
            usleep(pause)
            pause = min(pause * 2, 20_000)
        }
        let code = status & 0x7F == 0 ? Int((status >> 8) & 0xFF) : 128 + Int(status & 0x7F)
        return Answer(code: code, output: text(of: files[1]), errors: text(of: files[2]))
    }

    private func temporaryFile() throws -> Int32 {
        var path = Array("\(NSTemporaryDirectory())/modelworks-XXXXXX".utf8CString)
        let descriptor = mkstemp(&path)
        guard descriptor >= 0 else {
            throw JobFailure.executorUnavailable(executor, reason: String(cString: strerror(errno)))
        }
        unlink(path)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        return descriptor
    }

    private func text(of file: Int32) -> String {
        let size = min(Int(lseek(file, 0, SEEK_END)), CommandLine.outputBytesMax)
        guard size > 0 else { return "" }
        var bytes = [UInt8](repeating: 0, count: size)
        let count = bytes.withUnsafeMutableBytes { pread(file, $0.baseAddress, $0.count, 0) }
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
