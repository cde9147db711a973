import Basics

extension ScalarProgram {
    /// Evaluates many rows by the code that evaluates one.
    ///
    /// - Parameters:
    ///   - columns: one per input, in order, each of `rows` values of the input's type; integers may stand for doubles,
    ///     floats and doubles for one another.
    ///   - rows: how many there are.
    /// - Returns: one column per expression.
    /// - Throws: `wrongRow` where a column has another length or type.
    public func evaluate(_ columns: [ScalarColumn], rows: Int) throws(ExpressionFailure) -> [ScalarColumn] {
        guard columns.count == inputs.count else {
            throw .wrongRow("the table has \(columns.count) columns where the program has \(inputs.count) inputs")
        }
        for (column, input) in zip(columns, inputs) {
            guard column.count == rows else {
                throw .wrongRow("column '\(input.name)' has \(column.count) rows where the table has \(rows)")
            }
            guard column.fits(input.type) else {
                throw .wrongRow("the values of column '\(input.name)' are not of type \(input.type.rawValue)")
            }
        }
        let frame = frame()
        var builders = outputs.map { ScalarColumnBuilder($0.type, capacity: max(0, rows)) }
        let read = used.map { (input: $0, column: columns[$0]) }
        for row in 0..<max(0, rows) {
            frame.reset()
            for (input, column) in read { column.load(row, into: frame, input) }
            frame.run()
            for output in builders.indices { builders[output].append(output, of: frame) }
        }
        return builders.map { $0.column() }
    }
}

extension ScalarColumn {
    fileprivate func fits(_ type: ScalarType) -> Bool {
        switch (values, type) {
        case (.integers, .integer), (.integers, .double), (.integers, .float), (.doubles, .double), (.doubles, .float),
            (.floats, .double), (.floats, .float), (.strings, .string), (.booleans, .boolean),
            (.timestamps, .timestamp):
            true
        default: false
        }
    }

    /// Sets an input, which is null before, to the value of a row.
    @inline(__always)
    fileprivate func load(_ row: Int, into frame: ScalarFrame, _ input: Int) {
        if let validity, !validity[row] { return }
        switch values {
        case .integers(let array): frame.set(input, integer: array[row])
        case .doubles(let array): frame.set(input, double: array[row])
        case .floats(let array): frame.set(input, double: Double(array[row]))
        case .booleans(let array): frame.set(input, boolean: array[row])
        case .timestamps(let array): frame.set(input, timestamp: Timestamp(microseconds: array[row]))
        case .strings(let bytes, let offsets):
            bytes.withUnsafeBytes { all in
                let text = UnsafeRawBufferPointer(rebasing: all[offsets[row]..<offsets[row + 1]])
                frame.set(input, utf8: text)
            }
        }
    }
}
