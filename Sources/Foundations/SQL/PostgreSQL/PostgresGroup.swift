/// How far a group of changes has come inside its transaction.
///
/// A change is taken for sound before the server has answered all of its statements. Where one of them fails, the
/// changes after it did or read nothing that counts: they are made again.
struct PostgresGroup {
    let notes = GroupNotes()
    /// Whether each change is to wait for its answers: once one failed late, others may, and each time all after it
    /// would be made again.
    private(set) var isCareful = false
    private let jobs: [Writer.Job]
    private var states: [State] = []
    /// What was noted before the change that is being made.
    private var known: [String: any Sendable] = [:]

    private struct State {
        let isSound: Bool
        let outcome: @Sendable () -> Void
        /// What was noted before the change.
        let notes: [String: any Sendable]
    }

    init(_ jobs: [Writer.Job]) {
        self.jobs = jobs
        states.reserveCapacity(jobs.count)
    }

    /// How many changes have an outcome; the number of the next.
    var count: Int { states.count }

    /// The next change to make.
    var next: Writer.Job? { count < jobs.count ? jobs[count] : nil }

    var hasSuccess: Bool { states.contains(where: \.isSound) }

    /// What tells each caller its outcome.
    var outcomes: [@Sendable () -> Void] { states.map(\.outcome) }

    /// Begins the next change.
    /// - Returns: its number.
    mutating func begin() -> Int {
        known = notes.values
        return count
    }

    /// Notes that the change that was begun did not fail so far.
    mutating func succeed(_ outcome: @escaping @Sendable () -> Void) {
        states.append(State(isSound: true, outcome: outcome, notes: known))
    }

    /// Notes that a change failed: an earlier one whose refusal shows only now, or the one that was begun.
    mutating func refuse(_ refusal: PostgresSession.Refusal?, or error: any Error) {
        if let refusal, states.indices.contains(refusal.change) {
            known = states[refusal.change].notes
            states.removeSubrange(refusal.change...)
            isCareful = true
            refuse(refusal.failure)
        } else {
            refuse(error)
        }
    }

    private mutating func refuse(_ error: any Error) {
        guard let job = next else { return }
        notes.values = known
        states.append(State(isSound: false, outcome: { job.fail(error) }, notes: known))
    }
}
