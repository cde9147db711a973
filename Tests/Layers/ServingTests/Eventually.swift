import Basics

/// What did not come about in time.
struct NeverCame: Error, CustomStringConvertible {
    let description: String
}

/// Waits until `condition` holds, at most half a minute.
func eventually(_ what: String, _ condition: () throws -> Bool) async throws {
    let end = SystemTime.monotonicNanoseconds + 30_000_000_000
    while try !condition() {
        guard SystemTime.monotonicNanoseconds < end else { throw NeverCame(description: what) }
        try await Task.sleep(for: .milliseconds(1))
    }
}
