import Basics
import Columnar
import Inference

/// Turns chunks of a query into batches of tensors.
final class BatchReader {
    /// A row that can not be put before the model.
    struct Refusal {
        let place: Int64
        let reason: String
    }

    private let binding: ModelBinding
    private let capacity: Int
    private let fillers: [TensorFiller]
    /// Places of the batch's rows.
    private var places: [Int64] = []

    init(_ binding: ModelBinding, capacity: Int) {
        self.binding = binding
        let room = max(1, capacity)
        self.capacity = room
        fillers = binding.inputs.map { TensorFiller($0, capacity: room) }
        places.reserveCapacity(room)
    }

    /// What is read of each row, beside its place: the values, and for those that may not fit whether they do not.
    static func expressions(_ binding: ModelBinding) -> [String] {
        let readings = binding.readings
        return readings.enumerated().map { "\($1.expression) AS v\($0)" }
            + readings.enumerated().compactMap { index, reading in reading.misfit.map { "\($0) AS m\(index)" } }
    }

    /// Takes a chunk of a query of the place and ``expressions(_:)``.
    /// - Parameters:
    ///   - refuse: is given rows that are left out.
    ///   - full: is given each batch that is full; its tensors are gone when it returns.
    func take(
        _ chunk: ColumnarChunk, refuse: (Refusal) throws -> Void, full: ([Tensor], [Int64]) throws -> Void
    ) throws {
        guard let first = chunk.columns.first, let found = first.values(as: Int64.self) else { return }
        let selection = try select(chunk, found, refuse)
        var done = 0
        while done < selection.count {
            let count = min(selection.count - done, capacity - places.count)
            let rows = selection.part(done..<done + count)
            fill(chunk, rows)
            for number in 0..<count { places.append(found[rows[number]]) }
            done += count
            if places.count == capacity { try flush(full) }
        }
    }

    /// Hands over what is left.
    func flush(_ full: ([Tensor], [Int64]) throws -> Void) throws {
        guard !places.isEmpty else { return }
        try full(try fillers.map { try $0.tensor(rows: places.count) }, places)
        places.removeAll(keepingCapacity: true)
        for filler in fillers { filler.clear() }
    }

    private func fill(_ chunk: ColumnarChunk, _ rows: RowSelection) {
        var column = 1
        for (index, input) in binding.inputs.enumerated() {
            let columns = chunk.columns[column..<column + input.readings.count]
            let filler = fillers[index]
            if input.spec.datatype == .bytes {
                filler.fill(texts: columns, rows: rows)
            } else if input.isList, let lists = columns.first {
                filler.fill(lists: lists, rows: rows, at: places.count)
            } else {
                for (position, values) in columns.enumerated() {
                    filler.fill(values, position: position, rows: rows, at: places.count)
                }
            }
            column += input.readings.count
        }
    }

    /// The rows whose values the model can be given.
    private func select(
        _ chunk: ColumnarChunk, _ places: UnsafePointer<Int64>, _ refuse: (Refusal) throws -> Void
    ) throws -> RowSelection {
        var reasons: [Int: String] = [:]
        let readings = binding.readings
        var misfit = 1 + readings.count
        for (index, reading) in readings.enumerated() {
            let column = chunk.columns[index + 1]
            var misfits: ChunkColumn?
            if reading.misfit != nil {
                misfits = chunk.columns[misfit]
                misfit += 1
            }
            guard column.validity != nil else { continue }
            let unfit = misfits?.values(as: Bool.self)
            for row in 0..<chunk.rowCount where column.isNull(row) && reasons[row] == nil {
                if let unfit, unfit[row] {
                    let takes = binding.type(of: index)
                    reasons[row] = "the value of '\(reading.column.name)' is no \(takes)"
                } else if !reading.takesMissing {
                    reasons[row] = "'\(reading.column.name)' is missing"
                }
            }
        }
        guard !reasons.isEmpty else { return RowSelection(range: 0..<chunk.rowCount) }
        for (row, reason) in reasons.sorted(by: { $0.key < $1.key }) {
            try refuse(Refusal(place: places[row], reason: reason))
        }
        return RowSelection(chosen: (0..<chunk.rowCount).filter { reasons[$0] == nil }[...])
    }
}

extension ModelBinding {
    /// What the input takes that a reading is for.
    fileprivate func type(of reading: Int) -> String {
        var before = 0
        for input in inputs {
            before += input.readings.count
            if reading < before {
                return input.isList
                    ? "list of \(input.width ?? 1) \(input.spec.datatype.rawValue)" : input.spec.datatype.rawValue
            }
        }
        return "value"
    }
}
