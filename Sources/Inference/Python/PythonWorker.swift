import Basics
import Foundation

/// Keeps one worker running: one request at a time, a process that hangs is killed, one that ends is started again, after a
/// pause that doubles while it keeps ending.
final class PythonWorker: @unchecked Sendable {
    private enum State {
        /// A process is being started.
        case starting
        case idle(WorkerProcess)
        case busy(WorkerProcess)
        /// The last process ended, and the next one waits for its turn.
        case resting(reason: String)
        case closed
    }

    let inputs: [TensorSpec]
    let outputs: [TensorSpec]

    private let folder: String
    private let options: PythonOptions
    private let starter: DispatchQueue
    /// Guards what follows it.
    private let changes = NSCondition()
    private var state = State.starting
    private var failures = 0
    /// How many processes were started.
    private var starts = 0

    /// Starts the first process and waits until it has loaded the model.
    init(folder: String, options: PythonOptions) throws {
        self.folder = folder
        self.options = options
        starter = DispatchQueue(label: "modelworks.python-worker")
        let link = Link()
        let process = try WorkerProcess(folder: folder, options: options) { link.ended() }
        let ready = try process.waitUntilReady(deadline: PythonWorker.deadline(options.startSeconds))
        inputs = ready.inputs.map(\.spec)
        outputs = ready.outputs.map(\.spec)
        starts = 1
        state = .idle(process)
        link.connect(self, process)
    }

    deinit { close() }

    /// - Throws: ``InferenceError``: `unavailable` where no process can answer now, `deadlineExceeded` where it took too long.
    func run(_ tensors: [Tensor], wanted: [String]) throws -> [Tensor] {
        let deadline = PythonWorker.deadline(options.requestSeconds)
        let process = try take(until: deadline)
        do {
            let answers = try process.run(tensors, as: inputs, wanted: wanted, deadline: deadline)
            giveBack(process)
            return answers
        } catch let broken as WorkerChannel.Broken {
            let hangs = if case .late = broken { true } else { false }
            process.kill()
            let reason =
                hangs
                ? "the Python worker gave no answer within \(options.requestSeconds) s and was stopped"
                : "the Python worker ended while it answered\(process.lastWords)"
            restart(after: process, reason: reason)
            throw InferenceError(
                hangs ? .deadlineExceeded : .unavailable, reason,
                remedy: "Another worker is being started; see the model's own log if it happens again")
        } catch {
            if (error as? InferenceError)?.code == .resourceExhausted {
                restart(after: process, reason: "the Python worker needed more memory than it may have")
            } else {
                giveBack(process)
            }
            throw error
        }
    }

    /// The process that answers now, its memory, and how many there were before it.
    var status: (process: Int32?, residentBytes: Int, restarts: Int) {
        changes.withLock {
            switch state {
            case .idle(let process), .busy(let process):
                (process.processIdentifier, process.residentBytes, starts - 1)
            default: (nil, 0, max(0, starts - 1))
            }
        }
    }

    /// Whether a process is there that answers nobody now.
    var isReady: Bool { changes.withLock { if case .idle = state { true } else { false } } }

    /// Ends the process; nothing is answered any more.
    func close() {
        changes.lock()
        defer { changes.unlock() }
        if case .idle(let process) = state { process.kill() }
        if case .busy(let process) = state { process.kill() }
        state = .closed
        changes.broadcast()
    }

    private func take(until deadline: UInt64) throws -> WorkerProcess {
        changes.lock()
        defer { changes.unlock() }
        while true {
            switch state {
            case .idle(let process):
                state = .busy(process)
                return process
            case .busy, .starting:
                let now = SystemTime.monotonicNanoseconds
                let left = now < deadline ? Double(deadline - now) / 1e9 : 0
                guard left > 0, changes.wait(until: Date(timeIntervalSinceNow: left)) else {
                    throw InferenceError(
                        .deadlineExceeded, "the Python worker was not free within \(options.requestSeconds) s",
                        remedy: "Send fewer requests at once, or raise the time a request may take")
                }
            case .resting(let reason):
                throw InferenceError(.unavailable, reason, remedy: "Try again: another worker is being started")
            case .closed:
                throw InferenceError(.unavailable, "the model is unloaded", remedy: "Load it again")
            }
        }
    }

    private func giveBack(_ process: WorkerProcess) {
        changes.lock()
        defer { changes.unlock() }
        guard case .busy(let current) = state, current === process else { return }
        failures = 0
        state = .idle(process)
        changes.signal()
    }

    /// Puts another process in the place of one that is of no more use; of one that is replaced already, nothing.
    fileprivate func restart(after process: WorkerProcess, reason: String) {
        changes.lock()
        defer { changes.unlock() }
        switch state {
        case .idle(let current) where current === process, .busy(let current) where current === process: break
        default: return
        }
        process.kill()
        plan(reason)
    }

    /// Called with the lock held.
    private func plan(_ reason: String) {
        let pause = min(options.pauseMax, options.pauseFirst * Double(1 << min(failures, 20)))
        failures += 1
        state = .resting(reason: reason)
        changes.broadcast()
        starter.asyncAfter(deadline: .now() + pause) { [weak self] in self?.start() }
    }

    private func start() {
        let isWanted = changes.withLock {
            guard case .resting = state else { return false }
            state = .starting
            starts += 1
            return true
        }
        guard isWanted else { return }
        let link = Link()
        let result = Result {
            let process = try WorkerProcess(folder: folder, options: options) { link.ended() }
            _ = try process.waitUntilReady(deadline: PythonWorker.deadline(options.startSeconds))
            return process
        }
        changes.lock()
        switch (state, result) {
        case (.starting, .success(let process)):
            state = .idle(process)
            changes.broadcast()
            changes.unlock()
            link.connect(self, process)
            return
        case (.starting, .failure(let error)): plan((error as? InferenceError)?.message ?? "\(error)")
        case (_, .success(let process)): process.kill()
        default: break
        }
        changes.unlock()
    }

    private static func deadline(_ seconds: Double) -> UInt64 {
        SystemTime.monotonicNanoseconds &+ UInt64(max(0, min(seconds, 1e9)) * 1e9)
    }

    /// Tells a worker that a process ended, also one that ended before the worker knew of it.
    private final class Link: @unchecked Sendable {
        private let lock = NSLock()
        private var isOver = false
        private weak var worker: PythonWorker?
        private weak var process: WorkerProcess?

        func connect(_ worker: PythonWorker, _ process: WorkerProcess) {
            lock.withLock {
                self.worker = worker
                self.process = process
            }
            if lock.withLock({ isOver }) { tell() }
        }

        func ended() {
            lock.withLock { isOver = true }
            tell()
        }

        private func tell() {
            guard let (worker, process) = lock.withLock({ worker.flatMap { w in process.map { (w, $0) } } }) else {
                return
            }
            worker.restart(after: process, reason: "the Python worker ended by itself\(process.lastWords)")
        }
    }
}
