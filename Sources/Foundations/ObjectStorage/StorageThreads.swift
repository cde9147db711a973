import Basics
import Synchronization

/// A few threads that share blocking calls.
final class StorageThreads: Sendable {
    private let threads: [BlockingThread]
    private let turn = Atomic<Int>(0)

    init(name: String, count: Int) { threads = (0..<max(1, count)).map { BlockingThread(name: "\(name).\($0)") } }

    func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        let index = turn.wrappingAdd(1, ordering: .relaxed).newValue
        return try await threads[Int(index.magnitude % UInt(threads.count))].run(body)
    }
}
