import Basics
import Foundation

/// One Python process that serves one model, from its start to its end.
final class WorkerProcess: @unchecked Sendable {
    /// What a worker says once it has loaded its model.
    struct Ready: Decodable {
        struct Place: Decodable {
            let name: String
            let datatype: TensorType
            let shape: [Int]

            var spec: TensorSpec { TensorSpec(name: name, datatype: datatype, shape: shape) }
        }
        let inputs: [Place]
        let outputs: [Place]
    }

    private struct Request: Encodable {
        struct Place: Encodable {
            let name: String
            let datatype: TensorType
            let shape: [Int]
            let size: Int
        }
        let inputs: [Place]
        let outputs: [String]
    }

    private struct Answer: Decodable {
        struct Place: Decodable {
            let datatype: TensorType
            let shape: [Int]
            let size: Int
        }
        let outputs: [Place]
    }

    private struct Refusal: Decodable {
        let error: String
        /// Whether the inputs are what is wrong.
        let argument: Bool?
        /// Whether the worker ends because it needs more memory than it may have.
        let memory: Bool?
    }

    private let process = Process()
    private let channel: WorkerChannel
    /// The last lines of standard error, which tell best why a process ended.
    private let log = LogTail()

    /// Starts the process.
    ///
    /// - Parameter ended: called once, on a thread of its own, when the process has ended.
    /// - Throws: ``InferenceError`` where there is no such Python.
    init(folder: String, options: PythonOptions, ended: @escaping @Sendable () -> Void) throws {
        let (ours, theirs) = try WorkerChannel.pair()
        channel = ours
        let python = options.interpreter(for: folder)
        process.executableURL = URL(fileURLWithPath: python.contains("/") ? python : "/usr/bin/env")
        let script = String(decoding: PackageResources.pyfunc_worker_py, as: UTF8.self)
        process.arguments =
            (python.contains("/") ? [] : [python]) + ["-u", "-c", script, folder, "\(max(0, options.memoryBytes))"]
        process.environment = options.environment
        process.standardInput = FileHandle(fileDescriptor: theirs, closeOnDealloc: false)
        let words = try log.follow()
        process.standardOutput = FileHandle(fileDescriptor: words, closeOnDealloc: false)
        process.standardError = process.standardOutput
        process.terminationHandler = { _ in ended() }
        defer {
            close(theirs)
            close(words)
        }
        do {
            try process.run()
        } catch {
            throw InferenceError(
                .failedPrecondition, "the Python '\(python)' can not be started: \(error.localizedDescription)",
                remedy: "Name one that has MLflow and what the model needs, by MODELWORKS_PYTHON")
        }
    }

    deinit {
        close(channel.descriptor)
        kill()
    }

    /// Waits until the model is loaded.
    ///
    /// - Throws: ``InferenceError`` with what Python said where it is not loaded by the deadline.
    func waitUntilReady(deadline: UInt64) throws -> Ready {
        let said: [UInt8]
        do {
            said = try channel.receive(deadline: deadline).header
        } catch WorkerChannel.Broken.late {
            kill()
            throw InferenceError(
                .deadlineExceeded, "the Python worker did not load the model in time\(log.words)",
                remedy: "Raise the time a worker may take to start")
        } catch is WorkerChannel.Broken {
            throw InferenceError(
                .failedPrecondition, "the Python worker ended before it had loaded the model\(lastWords)",
                remedy: "Name a Python that has MLflow and what the model needs, by MODELWORKS_PYTHON")
        }
        if let refusal = try? JSON.decode(Refusal.self, from: said) {
            throw InferenceError.modelFile("MLflow", refusal.error, remedy: "Load it by mlflow.pyfunc.load_model")
        }
        return try JSON.decode(Ready.self, from: said)
    }

    /// Asks the model.
    ///
    /// - Throws: ``InferenceError`` with the model's own words; `WorkerChannel.Broken` where the process is of no more use.
    func run(_ inputs: [Tensor], as specs: [TensorSpec], wanted: [String], deadline: UInt64) throws -> [Tensor] {
        let places = zip(inputs, specs).map { tensor, spec in
            Request.Place(name: spec.name, datatype: tensor.type, shape: tensor.shape, size: tensor.byteCount)
        }
        try channel.send(try JSON.canonical(Request(inputs: places, outputs: wanted)), inputs, deadline: deadline)
        let (header, body) = try channel.receive(deadline: deadline)
        if let refusal = try? JSON.decode(Refusal.self, from: header) {
            throw InferenceError.runtime(
                refusal.memory == true ? .resourceExhausted : refusal.argument == true ? .invalidArgument : .internal,
                "the model's Python", refusal.error)
        }
        guard let answer = try? JSON.decode(Answer.self, from: header), answer.outputs.count == wanted.count else {
            throw WorkerChannel.Broken.gone
        }
        var position = 0
        return try answer.outputs.map { place in
            guard place.size >= 0, place.size <= body.bytes.count - position else { throw WorkerChannel.Broken.gone }
            defer { position += place.size }
            return try Tensor(
                type: place.datatype, shape: place.shape, storage: body, range: position..<position + place.size)
        }
    }

    /// What a process that ended wrote last, for errors.
    var lastWords: String {
        log.waitForTheEnd(seconds: 2)
        return log.words
    }

    var processIdentifier: Int32 { process.processIdentifier }

    /// Bytes of memory the process holds; 0 where it is gone.
    var residentBytes: Int {
        let text = FileManager.default.contents(atPath: "/proc/\(process.processIdentifier)/statm") ?? Data()
        let pages = String(decoding: text, as: UTF8.self).split(separator: " ").dropFirst().first.flatMap { Int($0) }
        return (pages ?? 0) * max(1, sysconf(Int32(_SC_PAGESIZE)))
    }

    /// Ends the process at once, whatever it does.
    func kill() { if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) } }
}

/// The end of what a process wrote.
private final class LogTail: @unchecked Sendable {
    private static let bytesMax = 4096
    /// Guards what follows it.
    private let lock = NSCondition()
    private var bytes: [UInt8] = []
    private var isWhole = false

    /// Takes in what a process writes, until nobody can write any more.
    /// - Returns: where it writes, which the caller closes. A pipe of Foundation would keep its other end for ever.
    func follow() throws -> Int32 {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0, let source = ends.first, let words = ends.last else {
            throw InferenceError(
                .resourceExhausted, "a pipe for a Python worker can not be opened: \(String(cString: strerror(errno)))",
                remedy: "Raise the number of files that the server may open")
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        BlockingThread(name: "python-log").start { [self] in
            var piece = [UInt8](repeating: 0, count: Self.bytesMax)
            while true {
                let count = read(source, &piece, piece.count)
                if count < 0, errno == EINTR { continue }
                add(piece.prefix(max(0, count)))
                if count <= 0 { break }
            }
            close(source)
        }
        return words
    }

    /// - Parameter piece: what came; nothing at the end.
    private func add(_ piece: ArraySlice<UInt8>) {
        lock.withLock {
            bytes.append(contentsOf: piece)
            bytes.removeFirst(max(0, bytes.count - Self.bytesMax))
            isWhole = piece.isEmpty
            if isWhole { lock.broadcast() }
        }
    }

    /// A process' socket may be seen to close before what it wrote has come; what it started may hold the pipe open for
    /// longer than anyone would wait.
    func waitForTheEnd(seconds: Double) {
        let limit = Date(timeIntervalSinceNow: seconds)
        lock.withLock { while !isWhole, lock.wait(until: limit) {} }
    }

    /// The last lines after a colon; empty where there are none.
    var words: String {
        let text = lock.withLock { String(decoding: bytes, as: UTF8.self) }
        let lines = text.split(whereSeparator: \.isNewline).suffix(5).joined(separator: " ")
        return lines.isEmpty ? "" : ": \(lines.suffix(800))"
    }
}
