import Basics
import ObjectStorage
import Records

/// The labels of one endpoint, in the order they arrived.
public final class LabelStore: Sendable {
    private let records: any RecordChannel

    init(records: any RecordChannel) { self.records = records }

    /// Keeps labels; when this returns, they survive a crash of the process.
    ///
    /// - Throws: ``ServingFailure/badRequest(_:remedy:)`` for an id of no or over 255 bytes or a value that is no number.
    public func append(_ labels: [LabelRecord]) throws {
        for label in labels {
            guard (1...PredictionRecord.idBytesMax).contains(label.id.utf8.count), label.value.isFinite else {
                throw ServingFailure.badRequest(
                    "the label of '\(label.id.prefix(40))' has no usable id or value",
                    remedy: "Ids have 1 to 255 bytes, values are finite numbers.")
            }
        }
        for label in labels {
            try label.encoded().withUnsafeBytes { try records.append($0) }
        }
    }

    /// The labels from `position` on.
    public func labels(from position: RecordPosition) async throws -> LabelReader {
        LabelReader(try await records.reader(from: position))
    }
}

/// A stretch of an endpoint's labels.
public struct LabelReader: Sendable {
    private let records: RecordReader

    init(_ records: RecordReader) { self.records = records }

    /// Hands over the labels in the order they were kept, each with its own position. Blocks while it reads.
    public func read(_ body: (LabelRecord, RecordPosition) throws -> Void) throws {
        try records.read { logged in
            guard let label = LabelRecord(logged.bytes) else { return }
            try body(label, logged.position)
        }
    }
}
