import Basics
import KeyValue
import Synchronization

/// What the online side of a feature store remembers: readers that were made, and the types of join keys.
final class OnlineState: Sendable {
    private struct State {
        var generation = 0
        var readers: [OnlineSelection: OnlineReader] = [:]
        /// By the prefix of a view's keys.
        var keyTypes: [[UInt8]: [ScalarType?]] = [:]
        var runs: [String: MaterialisationRun] = [:]
        var runOrder: [String] = []
        var runCount = 0
    }

    /// Callers choose what they select, so what is kept has a limit.
    private static let readersMax = 256
    private static let runsMax = 64

    private let state = Mutex(State())
    /// Lets one after another bind tables.
    let binding = Turns()
    /// Where waits for a remote store happen.
    let thread = BlockingThread(name: "features.online")

    func reader(_ selection: OnlineSelection, generation: Int) -> OnlineReader? {
        state.withLock { $0.generation == generation ? $0.readers[selection] : nil }
    }

    func keep(_ reader: OnlineReader, for selection: OnlineSelection, generation: Int) {
        state.withLock { state in
            if state.generation != generation || state.readers.count >= Self.readersMax { state.readers = [:] }
            state.generation = generation
            state.readers[selection] = reader
        }
    }

    func keyTypes(_ prefix: [UInt8]) -> [ScalarType?]? { state.withLock { $0.keyTypes[prefix] } }

    /// Remembers the types of a view's join keys; readers that did not know them are made anew.
    func learn(_ types: [ScalarType?], of prefix: [UInt8]) {
        state.withLock { state in
            guard state.keyTypes[prefix] != types else { return }
            state.keyTypes[prefix] = types
            state.readers = [:]
        }
    }

    func run(_ id: String) -> MaterialisationRun? { state.withLock { $0.runs[id] } }

    /// A run with a number of its own, kept until many others have come after it.
    func beginRun() -> MaterialisationRun {
        state.withLock { state in
            state.runCount += 1
            let run = MaterialisationRun(id: "\(state.runCount)")
            state.runs[run.id] = run
            state.runOrder.append(run.id)
            if state.runOrder.count > Self.runsMax { state.runs[state.runOrder.removeFirst()] = nil }
            return run
        }
    }
}

extension FeatureStore {
    /// Reads the online store where waiting is allowed.
    func readOnline<Result: Sendable>(
        _ body: @escaping @Sendable (any KeyValueReading) throws -> Result
    ) async throws -> Result {
        if online.isLocal { return try online.read(body) }
        return try await onlineState.thread.run { [online] in try online.read(body) }
    }

    /// Runs a read of a reader where waiting for its store is allowed.
    public func readingOnline<Result: Sendable>(
        _ reader: OnlineReader, _ body: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        reader.isLocal ? try body() : try await onlineState.thread.run(body)
    }
}
