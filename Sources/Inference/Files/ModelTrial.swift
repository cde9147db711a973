import Basics
import Foundation

/// Loads a model in a process of its own before this process does.
///
/// Files are checked before a library sees them. Still a graph that is well formed may compute without end while it is
/// loaded, take more memory than there is, or meet a fault of the library: then the other process ends, within bounds of
/// time and memory, and this one knows why.
public final class ModelTrial: Sendable {
    /// What loading a model may take.
    public struct Limits: Sendable, Equatable {
        /// Seconds, of the clock and of the processor.
        public var seconds: Int
        /// Bytes of memory, and of each file that is read.
        public var memoryBytes: Int

        public init(seconds: Int = 60, memoryBytes: Int = Limits.standardMemoryBytes) {
            self.seconds = seconds
            self.memoryBytes = memoryBytes
        }

        /// Half of what the machine has, and 8 GiB at most.
        public static var standardMemoryBytes: Int {
            min(8 << 30, Int(clamping: ProcessInfo.processInfo.physicalMemory / 2))
        }

        /// Bounds this process and lowers its priority, for good.
        public func bindProcess() {
            // What the program itself holds comes on top.
            let held = Self.heldBytes
            Self.bind(RLIMIT_DATA, UInt64(clamping: memoryBytes) + held)
            // Where nobody is left who would end it.
            Self.bind(RLIMIT_CPU, UInt64(clamping: seconds) * UInt64(ProcessInfo.processInfo.activeProcessorCount))
            Self.bind(RLIMIT_CORE, 0)
            // Who serves goes first.
            setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
            // If the machine runs out of memory, this is what the kernel shall end.
            try? Data("1000".utf8).write(to: URL(fileURLWithPath: "/proc/self/oom_score_adj"))
        }

        private static func bind(_ resource: __rlimit_resource, _ value: UInt64) {
            var limit = rlimit(rlim_cur: rlim_t(value), rlim_max: rlim_t(value))
            setrlimit(__rlimit_resource_t(resource.rawValue), &limit)
        }

        /// What counts towards the bound of data already, by `VmData` of `proc(5)`.
        private static var heldBytes: UInt64 {
            let text = FileManager.default.contents(atPath: "/proc/self/status") ?? Data()
            let line = String(decoding: text, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("VmData:") }
            let kibibytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { UInt64($0) }
            return (kibibytes ?? 0) << 10
        }
    }

    public let limits: Limits
    private let command: [String]
    private let places: DispatchSemaphore

    /// - Parameters:
    ///   - command: a program and its arguments, which is given the path as its last. It ends with 0 where the model loads,
    ///     and says what it is, or what is wrong (`error` and `code`), as the JSON object on the last line it prints.
    ///   - limits: the command bounds its memory by them, and is ended when its time is over.
    ///   - atOnce: how many models are tried at once, at least 1; others wait.
    public init(
        command: [String], limits: Limits = Limits(),
        atOnce: Int = ProcessInfo.processInfo.activeProcessorCount
    ) {
        self.command = command
        self.limits = limits
        places = DispatchSemaphore(value: max(1, atOnce))
    }

    /// Tries a model; blocks.
    ///
    /// - Parameter path: a file or folder.
    /// - Returns: what the command says of it.
    /// - Throws: ``InferenceError`` with what is wrong with the model, or which bound it met.
    @discardableResult public func run(at path: String) throws -> JSONValue {
        places.wait()
        defer { places.signal() }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: command.first ?? "")
        process.arguments = command.dropFirst() + [path]
        process.standardInput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        let output = Pipe()
        process.standardOutput = output
        let ended = DispatchSemaphore(value: 0)
        process.terminationHandler = { _ in ended.signal() }
        do { try process.run() } catch {
            throw InferenceError(
                .failedPrecondition, "no process can be started to try \(path) in: \(error.localizedDescription)",
                remedy: "Check how many processes and how much memory the server may have")
        }
        if ended.wait(timeout: .now() + .seconds(limits.seconds)) == .timedOut {
            kill(process.processIdentifier, SIGKILL)
            ended.wait()
            throw tooSlow(path)
        }
        return try verdict(on: path, of: process, said: Self.lastLine(of: output.fileHandleForReading))
    }

    private func verdict(on path: String, of process: Process, said line: [UInt8]) throws -> JSONValue {
        let document = try? JSON.decode(JSONValue.self, from: line)
        guard process.terminationReason == .exit else {
            throw InferenceError(
                .invalidArgument,
                "what loads \(path) crashed on it (signal \(process.terminationStatus)), or needed more than "
                    + "\(limits.memoryBytes) bytes of memory",
                remedy: "Serve it only if you trust where it comes from; export the model again")
        }
        if process.terminationStatus == 0, let document { return document }
        guard let reason = document?["error"]?.string else {
            throw InferenceError(
                .internal, "the process that tried \(path) ended with code \(process.terminationStatus)",
                remedy: "Run 'modelworks models check' on it")
        }
        if Self.tellsOfMemory(reason) {
            throw InferenceError(
                .resourceExhausted, "to load \(path) takes more than \(limits.memoryBytes) bytes of memory",
                remedy: "Raise --load-memory if the model is to be trusted with more")
        }
        let code = document?["code"]?.string.flatMap(FailureCode.init(rawValue:))
        throw InferenceError(code ?? .invalidArgument, reason)
    }

    private func tooSlow(_ path: String) -> InferenceError {
        InferenceError(
            .deadlineExceeded, "to load \(path) takes longer than \(limits.seconds) s",
            remedy: "Raise --load-seconds if the model is only slow")
    }

    /// Whether the words of a library, or of C++ itself, say that there was no memory.
    static func tellsOfMemory(_ text: String) -> Bool {
        ["bad_alloc", "Failed to allocate memory", "out of memory", "length_error"].contains(where: text.contains)
    }

    /// The end of what a process that has ended wrote, however little that is.
    private static func lastLine(of handle: FileHandle) -> [UInt8] {
        // A process of a process may hold the pipe open: only what is there is read.
        let descriptor = handle.fileDescriptor
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = read(descriptor, &piece, piece.count), count > 0 { bytes += piece[..<count] }
        return bytes.split(separator: 0x0A).last.map(Array.init) ?? []
    }
}
