import Basics
import Dispatch
import Inference
import Records
import Registry
import Synchronization

/// Asks a shadow version what has been answered already, on a thread of its own, and keeps what it said otherwise.
///
/// Callers never wait for it: what does not fit into its line is counted as dropped.
final class ShadowLine: Sendable {
    /// A request that was answered.
    struct Asked: Sendable {
        var id: [UInt8]
        var eventTime: Int64
        var features: [Double]
        var output: Double
    }

    /// How far two answers may be apart to be the same, absolutely or relative to the one that was given.
    static let tolerance = 1e-6
    /// How many requests wait for the shadow at most.
    static let capacity = 1024

    let version: DeployedVersion
    private let records: any RecordChannel
    private let time: any TimeSource
    private let queue: DispatchQueue
    private let waiting = Atomic<Int>(0)
    private let counts = Mutex(ShadowReading())

    /// - Parameter records: where disagreements are kept.
    init(version: DeployedVersion, endpoint: String, records: any RecordChannel, time: any TimeSource) {
        self.version = version
        self.records = records
        self.time = time
        queue = DispatchQueue(label: "modelworks.shadow.\(endpoint)", qos: .utility)
    }

    var reading: ShadowReading { counts.withLock { $0 } }

    /// Takes a request to be mirrored, unless too many wait.
    func offer(_ asked: @autoclosure () -> Asked) {
        guard waiting.wrappingAdd(1, ordering: .relaxed).newValue <= Self.capacity else {
            waiting.wrappingSubtract(1, ordering: .relaxed)
            counts.withLock { $0.dropped += 1 }
            return
        }
        let asked = asked()
        queue.async { [self] in
            mirror(asked)
            waiting.wrappingSubtract(1, ordering: .relaxed)
        }
    }

    private func mirror(_ asked: Asked) {
        let start = SystemTime.monotonicNanoseconds
        let output = (try? version.model.predict(rows: asked.features, count: 1))?.first ?? .nan
        let nanoseconds = SystemTime.monotonicNanoseconds &- start
        if output.isFinite {
            version.statistics.succeeded(nanoseconds: nanoseconds, output: output)
        } else {
            _ = version.statistics.failed(atNanoseconds: start)
        }
        let difference = abs(output - asked.output)
        let disagrees = !(difference <= max(Self.tolerance, Self.tolerance * abs(asked.output)))
        counts.withLock { counts in
            counts.asked += 1
            if disagrees { counts.disagreements += 1 }
            guard difference.isFinite else {
                counts.failures += 1
                return
            }
            let answers = Double(counts.asked - counts.failures)
            counts.meanDifference += (difference - counts.meanDifference) / max(1, answers)
            counts.largestDifference = max(counts.largestDifference, difference)
        }
        if disagrees { keep(asked, output, nanoseconds) }
    }

    private func keep(_ asked: Asked, _ output: Double, _ nanoseconds: UInt64) {
        let size = PredictionRecord.size(id: asked.id.count, features: asked.features.count)
        withUnsafeTemporaryAllocation(byteCount: size, alignment: 8) { buffer in
            let count = asked.id.withUnsafeBytes { id in
                asked.features.withUnsafeBufferPointer { features in
                    PredictionRecord.encode(
                        into: buffer, id: id, eventTime: asked.eventTime, recorded: time.now.microseconds,
                        version: version.id.version, arm: .shadow, outcome: .answered, output: output,
                        ingestNanoseconds: 0,
                        featureNanoseconds: 0, inferenceNanoseconds: UInt32(clamping: nanoseconds), features: features)
                }
            }
            // A disagreement that can not be kept is still counted; nobody waits for it.
            try? records.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }
}

/// What a shadow has done since it was put beside an endpoint.
public struct ShadowReading: Sendable, Codable, Equatable {
    public var asked: Int64 = 0
    /// Requests that were not mirrored because its line was full.
    public var dropped: Int64 = 0
    public var failures: Int64 = 0
    /// Answers that were not the one given.
    public var disagreements: Int64 = 0
    /// Of all its answers, the mean and the largest distance from the one given.
    public var meanDifference = 0.0
    public var largestDifference = 0.0
}
