import Basics
import Engines
import Testing

/// The engines that the tests of this process share, started by the first that needs them.
actor SharedEngines {
    static let only = SharedEngines()
    private var starting: Task<EngineSet, any Error>?

    /// - Throws: `EngineUnavailable` where one can not start.
    func engines() async throws -> EngineSet {
        if let starting { return try await starting.value }
        let task = Task { try await BlockingThread(name: "engines").run { try EngineSet() } }
        starting = task
        return try await task.value
    }
}
