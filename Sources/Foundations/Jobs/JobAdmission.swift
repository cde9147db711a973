import Basics

/// Decides whether a job may run now: the one place where every limit is applied, for claims and explanations alike.
///
/// It is a pure function of what runs, because a job holds its share for exactly as long as its attempt holds the
/// lease: nothing is taken or given back, so nothing can leak.
struct JobAdmission {
    /// Jobs of one shape that run on one worker.
    struct Holding: Sendable {
        let shape: JobShape
        let worker: String
        let count: Int
    }

    /// One reason why a job may not run now.
    enum Obstacle: Hashable, Sendable {
        case limit(JobLimit.Scope, String, most: Int, inUse: Int, wanted: Int)
        case undefinedToken(String)
        /// The worker never has that much.
        case tooLarge(worker: String, what: String, wanted: Int64, capacity: Int64)
        case room(worker: String, what: String, wanted: Int64, free: Int64)
        case notServed(worker: String)
    }

    private struct Key: Hashable {
        let scope: JobLimit.Scope
        let name: String
    }

    private let limits: [Key: Int]
    private var inUse: [Key: Int] = [:]
    private var byWorker: [String: JobResources] = [:]

    init(limits: [JobLimit], holdings: [Holding]) {
        self.limits = Dictionary(
            limits.compactMap { limit in limit.runningMax.map { (Key(scope: limit.scope, name: limit.name), $0) } }
        ) { first, _ in first }
        for holding in holdings { add(holding.shape, worker: holding.worker, count: holding.count) }
    }

    /// Counts jobs that have begun.
    mutating func add(_ shape: JobShape, worker: String, count: Int = 1) {
        for (key, weight) in JobAdmission.demands(of: shape) { inUse[key, default: 0] += weight * count }
        byWorker[worker, default: .none].add(shape.resources, times: count)
    }

    /// How much of a limit is in use.
    func inUse(_ scope: JobLimit.Scope, _ name: String) -> Int { inUse[Key(scope: scope, name: name)] ?? 0 }

    /// Everything that stands in the way of a job on a worker, or on any worker where none is given.
    func obstacles(for shape: JobShape, on worker: JobWorker?) -> [Obstacle] {
        var found: [Obstacle] = []
        for (key, weight) in JobAdmission.demands(of: shape) where weight > 0 {
            guard let most = limits[key] else {
                if key.scope == .token, let worker, worker.capacity.tokens[key.name] == nil {
                    found.append(.undefinedToken(key.name))
                }
                continue
            }
            let used = inUse[key] ?? 0
            if used + weight > most {
                found.append(.limit(key.scope, key.name, most: most, inUse: used, wanted: weight))
            }
        }
        guard let worker else { return found }
        guard worker.serves(shape) else { return found + [.notServed(worker: worker.name)] }
        return found + room(for: shape.resources, on: worker)
    }

    private func room(for wanted: JobResources, on worker: JobWorker) -> [Obstacle] {
        let used = byWorker[worker.name] ?? .none
        var found: [Obstacle] = []
        func compare(_ what: String, _ wanted: Int64, _ used: Int64, _ capacity: Int64) {
            if wanted > capacity {
                found.append(.tooLarge(worker: worker.name, what: what, wanted: wanted, capacity: capacity))
            } else if wanted > 0, wanted > capacity - used {
                found.append(.room(worker: worker.name, what: what, wanted: wanted, free: max(0, capacity - used)))
            }
        }
        let capacity = worker.capacity
        compare("slots", Int64(wanted.slots), Int64(used.slots), Int64(capacity.slots))
        if let most = capacity.millicores {
            compare("millicores", Int64(wanted.millicores), Int64(used.millicores), Int64(most))
        }
        if let most = capacity.memoryBytes { compare("bytes of memory", wanted.memoryBytes, used.memoryBytes, most) }
        for (name, most) in capacity.tokens.sorted(by: { $0.key < $1.key }) {
            compare("'\(name)'", Int64(wanted.tokens[name] ?? 0), Int64(used.tokens[name] ?? 0), Int64(most))
        }
        return found
    }

    private static func demands(of shape: JobShape) -> [(Key, Int)] {
        [(Key(scope: .queue, name: shape.queue), 1), (Key(scope: .owner, name: shape.owner), 1)]
            + shape.tags.map { (Key(scope: .tag, name: $0), 1) }
            + shape.resources.tokens.sorted { $0.key < $1.key }.map { (Key(scope: .token, name: $0.key), $0.value) }
    }
}
