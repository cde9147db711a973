import Basics
import Foundation

/// The processes of one Python model: each answers one request at a time, and their number can change meanwhile.
///
/// With none, the first request starts one and waits for it.
final class PythonPool: @unchecked Sendable {
    let inputs: [TensorSpec]
    let outputs: [TensorSpec]

    private let folder: String
    private let options: PythonOptions
    /// Guards what follows it.
    private let changes = NSCondition()
    private var workers: [PythonWorker] = []
    private var free: [PythonWorker] = []
    private var wanted = 1
    private var starting = 0
    private var waiting = 0
    private var isClosed = false
    /// How many starts in a row have failed, why, and when the next one may be.
    private var failures = 0
    private var lastFailure: (any Error)?
    private var nextStart: UInt64 = 0
    /// Of processes that are gone with their workers.
    private var restartsBefore = 0

    /// Starts the first process and waits until it has loaded the model.
    init(folder: String, options: PythonOptions) throws {
        self.folder = folder
        self.options = options
        let first = try PythonWorker(folder: folder, options: options)
        inputs = first.inputs
        outputs = first.outputs
        workers = [first]
        free = [first]
    }

    deinit { close() }

    /// - Throws: ``InferenceError``: `unavailable` where no process can answer now, `deadlineExceeded` where it took too long.
    func run(_ tensors: [Tensor], wanted names: [String]) throws -> [Tensor] {
        let worker = try take()
        defer { giveBack(worker) }
        return try worker.run(tensors, wanted: names)
    }

    /// Processes that answer, and those that are being started.
    var count: Int { changes.withLock { workers.count + starting } }

    /// One process that answers, its memory, and how many ended before their time.
    var status: (process: Int32?, residentBytes: Int, restarts: Int) {
        let (all, before) = changes.withLock { (workers, restartsBefore) }
        let states = all.map(\.status)
        return (
            states.lazy.compactMap(\.process).first, states.first?.residentBytes ?? 0,
            states.reduce(before) { $0 + $1.restarts }
        )
    }

    /// The processes that answer now.
    var processes: [Int32] { changes.withLock { workers }.compactMap(\.status.process) }

    /// Has so many processes from now on. More are started in the background; those that are too many end, busy ones after
    /// their request.
    func scale(to count: Int) {
        let ended = changes.withLock {
            guard !isClosed else { return [PythonWorker]() }
            // Somebody waits for the first one.
            wanted = max(0, waiting > 0 ? max(1, count) : count)
            startMissing()
            return retire()
        }
        for worker in ended { worker.close() }
    }

    /// Ends all processes; nothing is answered any more.
    func close() {
        let ended = changes.withLock {
            isClosed = true
            defer { (workers, free) = ([], []) }
            changes.broadcast()
            return workers
        }
        for worker in ended { worker.close() }
    }

    // MARK: Turns

    private func take() throws -> PythonWorker {
        changes.lock()
        defer { changes.unlock() }
        var deadline = Date(timeIntervalSinceNow: options.requestSeconds)
        waiting += 1
        defer { waiting -= 1 }
        while true {
            guard !isClosed else {
                throw InferenceError(.unavailable, "the model is unloaded", remedy: "Load it again")
            }
            if let worker = nextFree() { return worker }
            if workers.isEmpty {
                if starting == 0 {
                    wanted = max(1, wanted)
                    startMissing()
                    // What a start takes is no time of the request's own.
                    deadline = Date(timeIntervalSinceNow: options.requestSeconds + options.startSeconds)
                }
                if starting == 0, let lastFailure { throw lastFailure }
            }
            guard changes.wait(until: deadline) else {
                throw InferenceError(
                    .deadlineExceeded, "the Python worker was not free within \(options.requestSeconds) s",
                    remedy: "Send fewer requests at once, or raise the time a request may take")
            }
        }
    }

    /// One that can answer at once before one whose process is being replaced.
    private func nextFree() -> PythonWorker? {
        guard let place = free.lastIndex(where: \.isReady) ?? free.indices.last else { return nil }
        return free.remove(at: place)
    }

    private func giveBack(_ worker: PythonWorker) {
        let ended = changes.withLock {
            guard workers.contains(where: { $0 === worker }) else { return [PythonWorker]() }
            free.append(worker)
            changes.signal()
            return retire()
        }
        for worker in ended { worker.close() }
    }

    // MARK: Numbers, with the lock held

    private func retire() -> [PythonWorker] {
        let ended = Array(free.prefix(max(0, workers.count - wanted)))
        free.removeFirst(ended.count)
        workers.removeAll { worker in ended.contains { $0 === worker } }
        for worker in ended { restartsBefore += worker.status.restarts }
        return ended
    }

    private func startMissing() {
        guard SystemTime.monotonicNanoseconds >= nextStart else { return }
        while workers.count + starting < wanted {
            starting += 1
            let (folder, options) = (folder, options)
            BlockingThread(name: "python-start").start { [weak self] in
                let result = Result { try PythonWorker(folder: folder, options: options) }
                guard let self else {
                    if case .success(let worker) = result { worker.close() }
                    return
                }
                self.started(result)
            }
        }
    }

    private func started(_ result: Result<PythonWorker, any Error>) {
        let unwanted = changes.withLock { () -> PythonWorker? in
            starting -= 1
            defer { changes.broadcast() }
            switch result {
            case .success(let worker):
                (failures, lastFailure, nextStart) = (0, nil, 0)
                guard !isClosed, workers.count < max(wanted, waiting > 0 ? 1 : 0) else { return worker }
                workers.append(worker)
                free.append(worker)
                return nil
            case .failure(let error):
                let pause = min(options.pauseMax, options.pauseFirst * Double(1 << min(failures, 20)))
                failures += 1
                lastFailure = error
                nextStart = SystemTime.monotonicNanoseconds &+ UInt64(max(0, pause) * 1e9)
                return nil
            }
        }
        unwanted?.close()
    }
}
