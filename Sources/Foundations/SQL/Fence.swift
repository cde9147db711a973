/// The lease that the changes of a task depend on.
enum Fence {
    @TaskLocal static var leases: [ObjectIdentifier: Lease] = [:]

    static func lease(of database: Database) -> Lease? { leases[ObjectIdentifier(database)] }
}

extension Database {
    /// Runs `body`; every `write` of this database that is made from it, or from tasks it starts, first checks inside
    /// its own transaction that the lease is still held. So a holder that lost its lease can commit nothing more.
    /// - Throws: what `body` throws; a write throws `SQLFailure.leaseLost`.
    @discardableResult
    public func fenced<Value>(
        by lease: Lease, isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Value
    ) async rethrows -> Value {
        var leases = Fence.leases
        leases[ObjectIdentifier(self)] = lease
        return try await Fence.$leases.withValue(leases) { try await body() }
    }
}
