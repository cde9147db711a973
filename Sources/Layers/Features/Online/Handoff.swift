import Basics
import Dispatch
import Synchronization

/// Passes items from a thread that may block to a task, a few at a time.
final class Handoff<Item: Sendable>: Sendable {
    private let room: DispatchSemaphore
    private let stream: AsyncThrowingStream<Item, any Error>
    private let continuation: AsyncThrowingStream<Item, any Error>.Continuation
    private let isStopped = Atomic<Bool>(false)

    /// - Parameter capacity: how many items may wait.
    init(capacity: Int) {
        // A semaphore must not end below the value it began with.
        room = DispatchSemaphore(value: 0)
        for _ in 0..<max(1, capacity) { room.signal() }
        (stream, continuation) = AsyncThrowingStream.makeStream()
    }

    /// Waits for room and passes an item on.
    /// - Throws: `CancellationError` once the receiver has stopped.
    func send(_ item: Item) throws {
        room.wait()
        guard !isStopped.load(ordering: .acquiring) else {
            // The next one to send must not wait for ever.
            room.signal()
            throw CancellationError()
        }
        continuation.yield(item)
    }

    /// Ends the items; with an error where there is one.
    func finish(_ error: (any Error)? = nil) { continuation.finish(throwing: error) }

    /// Takes each item in order; ends when the sender has finished.
    func receive(_ body: (Item) async throws -> Void) async throws {
        do {
            for try await item in stream {
                try await body(item)
                room.signal()
            }
        } catch {
            stop()
            throw error
        }
        // A task that is cancelled sees the stream end as if nothing more came.
        guard !Task.isCancelled else {
            stop()
            throw CancellationError()
        }
    }

    private func stop() {
        isStopped.store(true, ordering: .releasing)
        room.signal()
    }
}
