import Basics
import Synchronization

/// Waits for something that may never end, and not longer than it has to.
struct Patience: Sendable {
    private let seconds: Double
    private let late: any Error

    /// - Parameter late: thrown when the time is over.
    init(seconds: Double, _ late: any Error) {
        self.seconds = seconds
        self.late = late
    }

    /// Runs a body; when the time is over it is cancelled, and left to end by itself.
    func wait<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
        let (seconds, late) = (seconds, late)
        return try await withCheckedThrowingContinuation { continuation in
            let answer = Answer<Value>(continuation)
            let work = Task {
                do { answer.give(.success(try await body())) } catch { answer.give(.failure(error)) }
            }
            Task {
                try? await Task.sleep(for: .seconds(seconds))
                if answer.give(.failure(late)) { work.cancel() }
            }
        }
    }

    /// Resumes whoever waits, once.
    private final class Answer<Value: Sendable>: Sendable {
        private let waiting: Mutex<CheckedContinuation<Value, any Error>?>

        init(_ continuation: CheckedContinuation<Value, any Error>) { waiting = Mutex(continuation) }

        @discardableResult
        func give(_ result: Result<Value, any Error>) -> Bool {
            let continuation = waiting.withLock { waiting in
                defer { waiting = nil }
                return waiting
            }
            continuation?.resume(with: result)
            return continuation != nil
        }
    }
}
