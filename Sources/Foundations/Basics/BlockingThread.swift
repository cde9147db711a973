import Foundation

/// A thread of its own that runs blocking calls in order, so that none of them holds a thread of the cooperative pool.
public final class BlockingThread: Sendable {
    private let queue: DispatchQueue

    /// - Parameter name: shows in debuggers and profiles.
    public init(name: String) { queue = DispatchQueue(label: "modelworks.\(name)") }

    /// Runs `body` on the thread and suspends the caller until it returns or throws.
    public func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Swift.Result { try body() }) }
        }
    }

    /// Runs `body` on the thread, after what it was given before, and does not wait for it.
    public func start(_ body: @escaping @Sendable () -> Void) { queue.async(execute: body) }
}
