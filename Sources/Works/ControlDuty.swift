import Basics
import SQL
import Telemetry

/// Sees to it that of all processes of a factory one at a time drives its control loop: the one that holds the lease.
///
/// A process that loses the lease, because it stood still or its database was away, can commit nothing more of the turn
/// it was in: each change checks the lease in its own transaction.
actor ControlDuty {
    /// What drives the loop while this process has it to itself.
    private let database: Database
    /// Nil where the factory has one process, which then always drives.
    private let leases: Leases?
    private let holder: String
    private let logger: Logger
    private var held: Lease?
    /// Whether `takeOver` has yet to succeed since the lease was taken.
    private var isNew = false
    static let control = "control"
    /// How long a process may be silent before another takes over.
    private static let seconds = 10.0

    /// - Parameter isShared: whether other processes may work on the same database.
    init(database: Database, isShared: Bool, holder: String, time: any TimeSource, logger: Logger) {
        self.database = database
        self.holder = holder
        self.logger = logger
        leases = isShared ? Leases(database, time: time, holder: holder) : nil
    }

    /// Runs a turn where this process drives the loop.
    /// - Parameter takeOver: called first where another process drove before.
    /// - Returns: nil where another process drives.
    func drive<Result: Sendable>(
        takeOver: @Sendable () async throws -> Void, _ turn: @Sendable () async throws -> Result
    ) async throws -> Result? {
        guard let leases else { return try await turn() }
        var lease: Lease
        if let held {
            lease = held
        } else {
            guard let taken = try await leases.acquire(Self.control, for: Self.seconds) else { return nil }
            logger.info("this process drives the control loop", ["lease": .integer(taken.token)])
            lease = taken
            held = taken
            isNew = true
        }
        do {
            lease = try await leases.renew(lease)
            held = lease
            let fence = lease
            let renewing = Task { await self.renewContinually() }
            defer { renewing.cancel() }
            if isNew {
                try await takeOver()
                isNew = false
            }
            return try await database.fenced(by: fence) { try await turn() }
        } catch SQLFailure.leaseLost {
            held = nil
            logger.warning("another process took over the control loop")
            return nil
        }
    }

    /// Keeps the lease while a turn takes longer than it lasts, such as one that trains.
    private func renewContinually() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(Self.seconds / 4))
            guard !Task.isCancelled, let leases, let lease = held else { return }
            do { held = try await leases.renew(lease) } catch SQLFailure.leaseLost {
                return
            } catch {
                logger.warning("the lease on the control loop was not renewed", ["error": .string("\(error)")])
            }
        }
    }

    /// Tells others that this process lives, under the name it gives to what it works on.
    func showLife() async throws {
        guard let leases else { return }
        do {
            if let lease = life {
                life = try await leases.renew(lease)
                return
            }
        } catch SQLFailure.leaseLost {
            // While it was silent another made sure that it was gone, and let go again.
            life = nil
        }
        life = try await leases.acquire(Self.life(holder), for: Self.seconds)
    }

    /// Shows life until the task is cancelled, whatever else the process is busy with.
    func showLifeContinually() async {
        guard isShared else { return }
        while !Task.isCancelled {
            let impatience = Task { [database, logger] in
                guard (try? await Task.sleep(for: .seconds(Self.seconds / 10))) != nil else { return }
                logger.warning("the database does not answer", ["database": .string(database.path)])
            }
            do { try await showLife() } catch {
                logger.warning("others may think that this process is gone", ["error": .string("\(error)")])
            }
            impatience.cancel()
            try? await Task.sleep(for: .seconds(Self.seconds / 10))
        }
    }

    /// Whether other processes may work on the same database.
    nonisolated var isShared: Bool { leases != nil }

    private var life: Lease?

    /// Whether the process of that name has stopped showing life.
    func isGone(_ process: String) async throws -> Bool {
        guard process != holder else { return false }
        guard let leases else { return true }
        guard let lease = try await leases.acquire(Self.life(process), for: 1) else { return false }
        try await leases.release(lease)
        return true
    }

    /// What the leases of living processes are called.
    static let lifePrefix = "process/"

    private static func life(_ process: String) -> String { lifePrefix + process }

    /// Whether this process drives the loop, by all it knows.
    var isHeld: Bool { leases.map { held.map($0.isFresh) ?? false } ?? true }

    /// Sees to it that no other process drives the loop, until ``end()``.
    /// - Returns: false where another does.
    func claim() async -> Bool {
        guard let leases else { return true }
        if let held, let renewed = try? await leases.renew(held) {
            self.held = renewed
            return true
        }
        held = try? await leases.acquire(Self.control, for: Self.seconds)
        return held != nil
    }

    /// Gives back what this process holds, so that others need not wait for it.
    func end() async {
        for lease in [held, life].compactMap({ $0 }) { try? await leases?.release(lease) }
        (held, life) = (nil, nil)
    }
}
