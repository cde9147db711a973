import Basics
import SQL

/// What a kind of job does: how it is started, and what it changes when it has succeeded.
public struct JobHandler: Sendable {
    /// The command of a job. Where it throws, the job fails; a `Failure` that may pass is tried again.
    public let spec: @Sendable (Job) async throws -> JobSpec
    /// The result of an execution that succeeded, from its job and the end of its log.
    public let result: @Sendable (Job, String) async throws -> JSONValue
    /// What is changed in the transaction that makes the job succeed. It may be run again, so it must do nothing
    /// outside the transaction.
    public let effect: @Sendable (Job, JSONValue, Transaction) throws -> Void

    public init(
        spec: @escaping @Sendable (Job) async throws -> JobSpec,
        result: @escaping @Sendable (Job, String) async throws -> JSONValue = { _, _ in .null },
        effect: @escaping @Sendable (Job, JSONValue, Transaction) throws -> Void = { _, _, _ in }
    ) {
        self.spec = spec
        self.result = result
        self.effect = effect
    }
}
