import Basics
import Inference

/// What a model said to the events of a batch.
struct Answers: Sendable {
    /// Where an event's answer is.
    struct Place: Sendable {
        var batch: Int
        var row: Int
    }

    private(set) var batches: [[AnswerColumn]] = []
    private(set) var places: [Int: Place] = [:]
    /// Why an event has no answer.
    private(set) var reasons: [Int: String] = [:]

    private static let tries = 3

    /// Asks a model about rows, those of equal shapes together.
    ///
    /// Where a run fails, each of its rows is asked alone: a row that the model refuses has a reason, and the others have
    /// their answers. A failure that passes is a row's fault only where the model answers others.
    /// - Parameter thread: where the model runs.
    /// - Throws: the failure of a model that answers nothing for now.
    static func of(
        _ rows: [Int: EventRow], by model: any TensorModel, reader: EventReader, on thread: BlockingThread
    ) async throws -> Answers {
        guard !rows.isEmpty else { return Answers() }
        return try await thread.run {
            var answers = Answers()
            var suspects: [Int] = []
            for group in groups(rows, stacks: model.stacksRows) {
                do { try answers.ask(group, rows, model, reader) } catch {
                    for index in group {
                        if answers.insist(index, rows, model, reader) != nil { suspects.append(index) }
                    }
                }
            }
            // Once others are answered, the model is there for those it was away for.
            for index in suspects {
                guard let error = answers.insist(index, rows, model, reader) else { continue }
                guard !answers.places.isEmpty else { throw error }
                answers.reasons[index] = reason(error)
            }
            return answers
        }
    }

    /// Asks about one row some times. One that the model refuses has its reason then.
    /// - Returns: the failure where the model was away every time.
    private mutating func insist(
        _ index: Int, _ rows: [Int: EventRow], _ model: any TensorModel, _ reader: EventReader
    ) -> (any Error)? {
        var last: (any Error)?
        for _ in 0..<Self.tries {
            do {
                try ask([index], rows, model, reader)
                return nil
            } catch {
                guard Self.passes(error) else {
                    reasons[index] = Self.reason(error)
                    return nil
                }
                last = error
            }
        }
        return last
    }

    private mutating func ask(
        _ group: [Int], _ rows: [Int: EventRow], _ model: any TensorModel, _ reader: EventReader
    ) throws {
        let outputs = try model.run(
            try reader.tensors(group.compactMap { rows[$0] }), wanted: Array(model.outputs.indices))
        if model.stacksRows, let wrong = outputs.first(where: { $0.shape.first != group.count }) {
            throw ServingFailure.badRequest(
                "the model gave \(wrong.shape.first ?? 0) rows for \(group.count)",
                remedy: "Export it so that each row of its input has one of each output.")
        }
        batches.append(
            zip(model.outputs, outputs).map { AnswerColumn($0.name, $1, stacks: model.stacksRows) })
        for (row, index) in group.enumerated() { places[index] = Place(batch: batches.count - 1, row: row) }
    }

    private static func groups(_ rows: [Int: EventRow], stacks: Bool) -> [[Int]] {
        let order = rows.keys.sorted()
        guard stacks else { return order.map { [$0] } }
        var groups: [[[Int]]: [Int]] = [:]
        for index in order { groups[rows[index]?.shapes ?? [], default: []].append(index) }
        return groups.values.sorted { $0[0] < $1[0] }
    }

    private static func passes(_ error: any Error) -> Bool {
        switch (error as? any Failure)?.code {
        case .unavailable, .deadlineExceeded, .resourceExhausted: true
        default: false
        }
    }

    private static func reason(_ error: any Error) -> String { (error as? any Failure)?.message ?? "\(error)" }
}
