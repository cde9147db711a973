import Basics
import Engines

/// PostgreSQL, S3, Redis and Kafka for all tests of this process, started when the first asks.
actor FactoryEngines {
    static let shared = FactoryEngines()
    private var started: Result<EngineSet, any Error>?

    func set() async throws -> EngineSet {
        if let started { return try started.get() }
        let result: Result<EngineSet, any Error>
        do {
            result = .success(try await BlockingThread(name: "engines").run { try EngineSet() })
        } catch { result = .failure(error) }
        started = result
        return try result.get()
    }
}
