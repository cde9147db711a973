/// Why no more requests were taken into a run.
enum BatchClose: String, Sendable, CaseIterable {
    /// The most rows are reached.
    case full
    /// One more would have made the run longer than the latency budget allows.
    case budget
    /// Nothing else waited.
    case empty
    /// One more would have made the run end after a deadline.
    case deadline
    /// What else waited has other shapes, types or wanted outputs.
    case shape
    /// The request can not be put together with others.
    case alone
}

/// Which of the waiting requests go into the next run.
struct BatchPlan {
    /// Places in the queue, ascending; never empty.
    private(set) var members = [0]
    private(set) var rows: Int
    private(set) var close = BatchClose.alone

    /// What limits a run.
    struct Limits: Sendable {
        var rows: Int
        /// Nanoseconds a run of several requests may take.
        var budget: Double
    }

    /// Takes the first request that waits, and all others that fit in with it.
    ///
    /// - Parameters:
    ///   - waiting: in the order in which they are to go; not empty, or there is no plan.
    ///   - now: the moment at which the run begins.
    init?(_ waiting: [WaitingRequest], limits: Limits, cost: RunCost, now: UInt64) {
        guard let first = waiting.first else { return nil }
        rows = first.rows
        guard let key = first.key else { return }
        // Where rows come cheap, two runs after each other would take longer than the budget that a joint one breaks.
        let budget = max(limits.budget, 2 * (cost.estimate(rows: rows) ?? 0))
        var deadline = first.deadline
        close = .empty
        for (place, request) in waiting.enumerated().dropFirst() {
            guard request.key == key else {
                close = .shape
                continue
            }
            let (more, tooMany) = rows.addingReportingOverflow(request.rows)
            guard !tooMany, more <= limits.rows else {
                close = .full
                return
            }
            let nearest = [deadline, request.deadline].compactMap { $0 }.min()
            if let spent = cost.estimate(rows: more) {
                guard spent <= budget else {
                    close = .budget
                    return
                }
                if let nearest, Double(now) + spent > Double(nearest) {
                    close = .deadline
                    return
                }
            }
            members.append(place)
            rows = more
            deadline = nearest
        }
        if rows >= limits.rows { close = .full }
    }
}
