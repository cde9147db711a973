import Basics
import Inference
import Synchronization

/// Answers a version of a model gave before, by what it was asked: types, shapes and bytes of all inputs, and the outputs
/// that were wanted.
///
/// It belongs to the version, and so is empty when another one takes its place. Entries lie in two halves; when the newer
/// one is full the older one is dropped, so that what is asked again stays, and nothing has to be kept in order.
final class ResponseCache: Sendable {
    private struct Entry {
        let outputs: [Tensor]
        let rows: Int
        /// On the monotonic clock, in nanoseconds.
        let expires: UInt64
    }

    private struct State {
        var newer: [Digest: Entry] = [:]
        var older: [Digest: Entry] = [:]
        /// Of the newer half.
        var bytes = 0
        /// Runs under way, whose answers those that ask the same wait for.
        var flights: [Digest: Task<InferenceOutcome, any Error>] = [:]
    }

    /// What an entry takes beside its tensors.
    private static let entryBytes = 400

    private let settings: ModelConfiguration.ResponseCacheSettings
    private let state = Mutex(State())

    init(_ settings: ModelConfiguration.ResponseCacheSettings) { self.settings = settings }

    /// What a request is found by.
    static func key(_ request: InferenceInput) -> Digest {
        var digest = Digest.Builder()
        func add(_ numbers: [Int]) -> [UInt8] {
            ([numbers.count] + numbers).flatMap { number in
                withUnsafeBytes(of: UInt64(bitPattern: Int64(number)).littleEndian) { Array($0) }
            }
        }
        digest.update(add(request.wanted))
        for tensor in request.tensors {
            digest.update(Array("\(tensor.type.rawValue) ".utf8) + add(tensor.shape) + add([tensor.byteCount]))
            tensor.withBytes { digest.update($0) }
        }
        return digest.finish()
    }

    /// The answer to the same request; nil where there is none, or it is too old.
    func find(_ key: Digest) -> InferenceOutcome? {
        let now = SystemTime.monotonicNanoseconds
        return state.withLock { state in
            guard let entry = state.newer[key] ?? state.older[key], entry.expires > now else { return nil }
            if state.newer[key] == nil { insert(entry, key, &state) }
            return InferenceOutcome(outputs: entry.outputs, batchRows: entry.rows)
        }
    }

    /// Keeps an answer, where it is not larger than a half.
    func keep(_ outcome: InferenceOutcome, for key: Digest) {
        // A tensor that was cut out of a batch would keep the whole batch.
        guard let outputs = try? outcome.outputs.map({ try Tensor(copying: $0) }) else { return }
        let nanoseconds = UInt64(max(0, settings.seconds)).multipliedReportingOverflow(by: 1_000_000_000)
        let now = SystemTime.monotonicNanoseconds
        let end = now.addingReportingOverflow(nanoseconds.partialValue)
        let entry = Entry(
            outputs: outputs, rows: outcome.batchRows,
            expires: settings.seconds == 0 || nanoseconds.overflow || end.overflow ? .max : end.partialValue)
        state.withLock { insert(entry, key, &$0) }
    }

    /// The answer that is kept, that somebody else is waiting for already, or that `run` gives.
    ///
    /// - Returns: whether it was not run for this request alone, too.
    /// - Throws: what `run` throws.
    func answer(
        _ key: Digest, run: @escaping @Sendable () async throws -> InferenceOutcome
    ) async throws -> (outcome: InferenceOutcome, isShared: Bool) {
        if let outcome = find(key) { return (outcome, true) }
        let (flight, isMine) = state.withLock { state in
            if let flight = state.flights[key] { return (flight, false) }
            let flight = Task {
                defer { _ = self.state.withLock { $0.flights.removeValue(forKey: key) } }
                let outcome = try await run()
                self.keep(outcome, for: key)
                return outcome
            }
            state.flights[key] = flight
            return (flight, true)
        }
        do { return (try await flight.value, !isMine) } catch {
            // What went wrong for the other, such as its deadline, need not be wrong for this one.
            guard !isMine else { throw error }
            return (try await run(), false)
        }
    }

    private func insert(_ entry: Entry, _ key: Digest, _ state: inout State) {
        let half = settings.bytes / 2
        let size = entry.outputs.reduce(Self.entryBytes) { $0 + $1.byteCount }
        guard size <= half else { return }
        if state.bytes + size > half {
            (state.older, state.newer, state.bytes) = (state.newer, [:], 0)
        }
        if state.newer.updateValue(entry, forKey: key) == nil { state.bytes += size }
    }
}

extension Tensor {
    /// The same tensor in memory of its own.
    fileprivate init(copying other: Tensor) throws {
        try self.init(type: other.type, shape: other.shape, storage: other.withBytes { TensorStorage(copying: $0) })
    }
}
