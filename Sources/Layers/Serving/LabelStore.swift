import Basics
import ObjectStorage

/// The labels of one endpoint, in the order they arrived.
public final class LabelStore: Sendable {
    private let log: RecordLog

    init(log: RecordLog) { self.log = log }

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
            try label.encoded().withUnsafeBytes { _ = try log.append($0) }
        }
    }

    /// Reads labels from `position` on, each with its own position.
    public func labels(
        from position: RecordPosition, _ body: (LabelRecord, RecordPosition) throws -> Void
    ) throws {
        try log.forEach(from: position) { logged in
            guard let label = LabelRecord(logged.bytes) else { return }
            try body(label, logged.position)
        }
    }
}
