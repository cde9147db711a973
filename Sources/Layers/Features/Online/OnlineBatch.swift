import KeyValue

/// What one read found; valid in the closure that is given it. Entities and outputs are counted from 0.
public struct OnlineBatch {
    public let reader: OnlineReader
    public let entityCount: Int
    /// As of when, in microseconds since 1970.
    public let moment: Int64
    private let rows: OnlineRows
    private let computed: OnlineComputed?

    init(
        _ reader: OnlineReader, _ count: Int, _ request: OnlineRequestValues, _ moment: Int64, _ rows: OnlineRows
    ) {
        self.reader = reader
        entityCount = count
        self.moment = moment
        self.rows = rows
        for (place, part) in reader.parts.enumerated() { rows.judge(place * count..<(place + 1) * count, part, moment) }
        computed = reader.transforms.computed.isEmpty ? nil : OnlineComputed(reader, count, request, rows)
    }

    /// One value with its status; the event time is that of its row, also where that is too old, in microseconds since
    /// 1970, and nil where there is none. A value that a transform computed has no event time.
    public struct Value {
        public let status: OnlineStatus
        public let eventTime: Int64?
        /// Null unless the status is ``OnlineStatus/present``.
        public let cell: OnlineCell
    }

    /// The value of an output for an entity.
    public func value(_ output: Int, of entity: Int) -> Value {
        if let computed = computed?.column(output) { return computed.value(entity) }
        let column = reader.outputs[output]
        return value(column.part * entityCount + entity, OnlineColumn(column, reader))
    }

    /// Hands over the values of an output in the order of the entities.
    public func forEach(_ output: Int, _ body: (Value) throws -> Void) rethrows {
        if let computed = computed?.column(output) {
            for entity in 0..<entityCount { try body(computed.value(entity)) }
            return
        }
        let output = reader.outputs[output]
        let column = OnlineColumn(output, reader)
        let first = output.part * entityCount
        for entity in 0..<entityCount { try body(value(first + entity, column)) }
    }

    /// Hands over statuses and values of an output in the order of the entities, without the event times.
    /// - Parameter keepsStale: whether a value that is older than its view's ttl is handed over as well, with its status;
    ///   else it is null.
    public func forEachCell(
        _ output: Int, keepsStale: Bool = false, _ body: (OnlineStatus, OnlineCell) throws -> Void
    ) rethrows {
        if let computed = computed?.column(output) {
            for entity in 0..<entityCount {
                let value = computed.value(entity)
                try body(value.status, value.cell)
            }
            return
        }
        let output = reader.outputs[output]
        let column = OnlineColumn(output, reader)
        let first = output.part * entityCount
        for row in first..<first + entityCount {
            let status = rows.states[row].status
            switch status {
            case .present:
                let bytes = rows.bytes[row]
                if column.isNull(in: bytes) {
                    try body(.nullValue, .null)
                } else {
                    try body(.present, column.cell(in: bytes))
                }
            case .outsideMaxAge where keepsStale:
                let bytes = rows.bytes[row]
                try body(status, column.isNull(in: bytes) ? .null : column.cell(in: bytes))
            case .notFound, .nullValue, .outsideMaxAge: try body(status, .null)
            }
        }
    }

    /// Hands over, in the order of the entities, the statuses and event times of the rows that the outputs of one look-up
    /// share: what ``Value`` tells of those that are not null. What a transform computes is always there.
    /// - Parameter part: ``OnlineReader/Output/part`` of an output.
    public func forEachRow(_ part: Int, _ body: (OnlineStatus, Int64?) throws -> Void) rethrows {
        guard part < reader.parts.count else {
            for _ in 0..<entityCount { try body(.present, nil) }
            return
        }
        let first = part * entityCount
        guard first >= 0, first + entityCount <= rows.states.count else { return }
        for row in first..<first + entityCount {
            let state = rows.states[row]
            try body(state.status, state.status == .notFound ? nil : state.eventTime)
        }
    }

    private func value(_ row: Int, _ column: OnlineColumn) -> Value {
        let state = rows.states[row]
        switch state.status {
        case .notFound, .nullValue: return Value(status: .notFound, eventTime: nil, cell: .null)
        case .outsideMaxAge: return Value(status: .outsideMaxAge, eventTime: state.eventTime, cell: .null)
        case .present:
            let bytes = rows.bytes[row]
            guard !column.isNull(in: bytes) else {
                return Value(status: .nullValue, eventTime: state.eventTime, cell: .null)
            }
            return Value(status: .present, eventTime: state.eventTime, cell: column.cell(in: bytes))
        }
    }
}

/// The rows of one read and what may be done with them: those of the first look-up by entity, then those of the next.
struct OnlineRows {
    struct State {
        var status: OnlineStatus
        var eventTime: Int64
    }

    /// Empty where no row was found.
    let bytes: UnsafeMutableBufferPointer<UnsafeRawBufferPointer>
    let states: UnsafeMutableBufferPointer<State>

    /// Lends room for so many rows, none of them found.
    static func withRoom<Result>(_ count: Int, _ body: (OnlineRows) throws -> Result) rethrows -> Result {
        try withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: max(1, count)) { bytes in
            try withUnsafeTemporaryAllocation(of: State.self, capacity: max(1, count)) { states in
                bytes.initialize(repeating: UnsafeRawBufferPointer(start: nil, count: 0))
                states.initialize(repeating: State(status: .notFound, eventTime: 0))
                return try body(OnlineRows(bytes: bytes, states: states))
            }
        }
    }

    /// Tells of each row of a range whether it may be used at a moment.
    func judge(_ range: Range<Int>, _ part: OnlinePart, _ moment: Int64) {
        let layout = part.layout
        for index in range {
            guard let (eventTime, createdTime) = OnlineRow.times(of: bytes[index], layout) else { continue }
            states[index] = State(status: part.status(eventTime, createdTime, at: moment), eventTime: eventTime)
        }
    }
}

/// One feature's place in the rows of its view.
private struct OnlineColumn {
    private let slot: OnlineLayout.Slot
    private let headerCount: Int
    private let nullByte: Int
    private let nullBit: UInt8

    init(_ output: OnlineReader.Output, _ reader: OnlineReader) {
        let layout = reader.parts[output.part].layout
        slot = layout.slots[output.position]
        headerCount = layout.headerCount
        nullByte = OnlineLayout.nullsOffset + output.position >> 3
        nullBit = 1 << UInt8(output.position & 7)
    }

    func isNull(in row: UnsafeRawBufferPointer) -> Bool { row[nullByte] & nullBit != 0 }

    func cell(in row: UnsafeRawBufferPointer) -> OnlineCell {
        if slot.isVariable { return OnlineRow.variable(row, slot, headerCount: headerCount) }
        return OnlineRow.fixed(row, slot.offset, slot.type.scalar)
    }
}
