import Basics

/// The right to do some work alone for a while.
public struct Lease: Sendable, Hashable {
    /// What the lease is on.
    public let name: String
    /// Who holds it.
    public let holder: String
    /// Grows with every holder the lease ever had: of two, the one with the higher token is right.
    public let token: Int64
    /// How long it lasts after it was acquired or renewed.
    public let seconds: Double
    /// The monotonic moment, in nanoseconds, at which it was last asked for with success.
    let since: UInt64

    /// Makes a change depend on the lease: it is checked in the change's own transaction.
    ///
    /// A lease whose time is over but that nobody took since still passes: no other holder can have done anything.
    /// - Throws: `SQLFailure.leaseLost` where another holds it, or held it since, or it was released.
    public func check(in transaction: Transaction) throws {
        let row = try transaction.first("SELECT holder, token FROM sql_leases WHERE name = ?", [.text(name)])
        guard let row, try row.string("holder") == holder, try row.integer("token") == token else {
            throw SQLFailure.leaseLost(name: name, token: token)
        }
    }
}
