import Synchronization

/// The messages of a stream on their way from the loop to the handler, and what the handler's side waits for.
final class StreamInbox: Sendable {
    private struct State {
        var messages: [[UInt8]] = []
        var bytes = 0
        var end: Result<Void, GRPCFailure>?
        var waiting: CheckedContinuation<Void, Never>?
        var isHeld = false
        var hasRoom = true
        var isOver = false
        var sender: CheckedContinuation<Void, Never>?
        var hasBegun = false
    }

    private let limits: GRPCLimits
    private let state = Mutex(State())
    // Whole messages, in one order and none behind the end, from however many tasks.
    private let order = Mutex(())

    init(limits: GRPCLimits) { self.limits = limits }

    // MARK: On the loop

    /// Whether no more messages are to be put in for now; then `next` calls for them later.
    func isFull() -> Bool {
        state.withLock { state in
            state.isHeld =
                state.messages.count >= limits.waitingMessages || state.bytes >= limits.waitingBytes
            return state.isHeld
        }
    }

    func put(_ message: [UInt8]) {
        wake { state in
            guard state.end == nil else { return }
            state.messages.append(message)
            state.bytes += message.count
        }
    }

    /// No more messages come; after a failure those that wait are not handed out either.
    func close(_ end: Result<Void, GRPCFailure>) {
        wake { state in
            if state.end == nil || (try? end.get()) == nil { state.end = end }
            if case .failure = end {
                state.messages = []
                state.isOver = true
            }
        }
        if case .failure = end { room() }
    }

    /// There is room for more of the answer.
    func room() {
        state.withLock { state in
            state.hasRoom = true
            defer { state.sender = nil }
            return state.sender
        }?.resume()
    }

    private func wake(_ change: (inout State) -> Void) {
        state.withLock { state in
            change(&state)
            defer { state.waiting = nil }
            return state.waiting
        }?.resume()
    }

    // MARK: In the handler

    /// - Parameter resume: called when messages are wanted again after the inbox was full.
    func next(resume: () -> Void) async throws -> [UInt8]? {
        while true {
            try Task.checkCancellation()
            let (found, resumes) = state.withLock { state -> (Result<[UInt8]?, GRPCFailure>?, Bool) in
                if case .failure(let failure) = state.end { return (.failure(failure), false) }
                if !state.messages.isEmpty {
                    let message = state.messages.removeFirst()
                    state.bytes -= message.count
                    let resumes = state.isHeld && state.messages.count <= limits.waitingMessages / 2
                    if resumes { state.isHeld = false }
                    return (.success(message), resumes)
                }
                return (state.end == nil ? nil : .success(nil), false)
            }
            if resumes { resume() }
            if let found { return try found.get() }
            await waitForMessage()
        }
    }

    private func waitForMessage() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                let waits = state.withLock { state in
                    guard state.messages.isEmpty, state.end == nil, !Task.isCancelled, state.waiting == nil else {
                        return false
                    }
                    state.waiting = continuation
                    return true
                }
                if !waits { continuation.resume() }
            }
        } onCancel: {
            wake { _ in }
        }
    }

    // MARK: Sending

    /// Runs what gives the header of the answer, the first time only.
    func beginOnce(_ body: () -> Void) {
        let first = state.withLock { state in
            defer { state.hasBegun = true }
            return !state.hasBegun
        }
        if first { body() }
    }

    /// Runs what writes a message, one at a time.
    func sending(_ body: () -> Int32) -> Int32 {
        let taken = order.withLock { _ in
            state.withLock { $0.hasRoom = false }
            return body()
        }
        if taken != 2 { room() }
        return taken
    }

    /// Runs what ends the answer, told whether its header has been given.
    func ending(_ body: (_ hasBegun: Bool) -> Void) {
        order.withLock { _ in
            let hasBegun = state.withLock { state in
                defer { state.hasBegun = true }
                return state.hasBegun
            }
            body(hasBegun)
        }
    }

    /// Returns once there is room after a write that was told to wait.
    func roomToSend() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                let before = state.withLock { state -> CheckedContinuation<Void, Never>? in
                    guard !state.hasRoom, !state.isOver, !Task.isCancelled else { return continuation }
                    defer { state.sender = continuation }
                    return state.sender
                }
                before?.resume()
            }
        } onCancel: {
            room()
        }
    }
}
