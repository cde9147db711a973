import Basics
import Features
import ObjectStorage
import Serving

/// Replays the features that an endpoint has logged against the offline join at the same moments.
public struct SkewReplay: Sendable {
    private let endpoint: Endpoint
    private let features: FeatureStore
    private let population: Population
    /// How many logged vectors are joined at once.
    private static let batchMax = 20_000

    /// - Parameter population: gives the join keys and request features of a logged id.
    public init(endpoint: Endpoint, features: FeatureStore, population: Population) {
        self.endpoint = endpoint
        self.features = features
        self.population = population
    }

    /// Compares every logged vector whose moment is not before `from` and before `to`.
    ///
    /// - Throws: what reading the log and the offline join throw; differences are returned, not thrown.
    public func run(from: Timestamp? = nil, to: Timestamp? = nil) async throws -> SkewReport {
        let thread = BlockingThread(name: "skew")
        var report = SkewReport(service: endpoint.service.name, inputs: endpoint.service.inputNames)
        var next: RecordPosition? = .start
        while let position = next {
            let reader = try await endpoint.predictions(from: position)
            let batch = try await thread.run { try Self.read(reader, from: from, to: to) }
            try await features.compare(batch.vectors, population, into: &report)
            next = batch.next
        }
        return report
    }

    private struct Batch: Sendable {
        var vectors: [LoggedVector] = []
        /// Of the first record that had no room; nil where there are no more.
        var next: RecordPosition?
    }

    private struct IsFull: Error {}

    private static func read(_ reader: PredictionReader, from: Timestamp?, to: Timestamp?) throws -> Batch {
        var batch = Batch()
        do {
            try reader.read { record, position in
                guard record.eventTime >= from ?? .distantPast, to.map({ record.eventTime < $0 }) ?? true else {
                    return
                }
                guard batch.vectors.count < batchMax else {
                    batch.next = position
                    throw IsFull()
                }
                batch.vectors.append(
                    LoggedVector(id: record.id, time: record.eventTime, values: record.features))
            }
        } catch is IsFull {}
        return batch
    }
}
