import Basics

/// Waits until something holds, and fails where it does not in time.
public struct Deadline: Sendable {
    private let seconds: UInt64

    public init(seconds: UInt64) { self.seconds = seconds }

    /// - Parameter what: what is waited for, for the error.
    public func wait(_ what: String, until holds: () async throws -> Bool) async throws {
        let end = SystemTime.monotonicNanoseconds + seconds * 1_000_000_000
        while try await !holds() {
            guard SystemTime.monotonicNanoseconds < end else {
                throw Workshop.Surprise(description: "not within \(seconds) s: \(what)")
            }
            await Task.yield()
        }
    }
}
