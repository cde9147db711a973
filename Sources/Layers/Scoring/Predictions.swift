import Basics
import Columnar
import Inference

/// The answers for the rows of one partition, column by column, with the rows' places.
final class Predictions {
    private let layout: OutputLayout
    private(set) var places: [Int64] = []
    private let values: [Values]
    /// Answers that are no numbers, and so are written as nulls.
    private(set) var notNumbers = 0

    private enum Values {
        case bools(Growing<Bool>)
        case wholes(Growing<Int64>)
        case floats(Growing<Float>)
        case doubles(Growing<Double>)
        case texts(GrowingTexts)

        init(_ type: TensorType, capacity: Int) {
            switch type {
            case .bool: self = .bools(Growing(capacity))
            case .fp16, .bf16, .fp32: self = .floats(Growing(capacity))
            case .fp64: self = .doubles(Growing(capacity))
            case .bytes: self = .texts(GrowingTexts())
            default: self = .wholes(Growing(capacity))
            }
        }
    }

    init(_ layout: OutputLayout, capacity: Int) {
        self.layout = layout
        values = layout.columns.map { Values($0.type, capacity: capacity) }
        places.reserveCapacity(capacity)
    }

    /// - Parameter answers: one tensor for each output that was asked, with a row for each place.
    /// - Throws: ``ScoringFailure/changedModel(_:)``.
    func append(_ answers: [Tensor], places: some Collection<Int64>) throws {
        var column = 0
        for (number, answer) in answers.enumerated() {
            let width = layout.widths[number]
            let shape = answer.shape
            guard shape.first == places.count, (shape.count == 2 ? shape[1] : 1) == width, shape.count <= 2,
                answer.type == layout.columns[column].type
            else {
                throw ScoringFailure.changedModel(
                    "output '\(layout.columns[column].name)' is \(answer.type.rawValue) \(shape) for \(places.count) rows"
                )
            }
            if answer.type == .bytes {
                take(texts: answer, width: width, first: column)
            } else {
                for position in 0..<width { take(answer, rows: places.count, width, position, column + position) }
            }
            column += width
        }
        self.places.append(contentsOf: places)
    }

    private func take(texts answer: Tensor, width: Int, first: Int) {
        for (index, text) in (answer.strings ?? []).enumerated() {
            guard case .texts(let column) = values[first + index % width] else { continue }
            column.vector.append(String(decoding: text, as: UTF8.self))
        }
    }

    private func take(_ answer: Tensor, rows: Int, _ width: Int, _ position: Int, _ column: Int) {
        answer.withBytes { bytes in
            func add<Element: BitwiseCopyable, Value>(
                _ type: Element.Type, to column: Growing<Value>, _ convert: (Element) -> Value
            ) {
                let size = MemoryLayout<Element>.stride
                for row in 0..<rows {
                    let element = bytes.loadUnaligned(fromByteOffset: (row * width + position) * size, as: type)
                    column.array.append(convert(element))
                }
            }
            switch values[column] {
            case .bools(let column): add(UInt8.self, to: column) { $0 != 0 }
            case .doubles(let column): add(Double.self, to: column) { $0 }
            case .floats(let column):
                switch answer.type {
                case .fp16: add(Float16.self, to: column) { Float($0) }
                case .bf16: add(UInt16.self, to: column) { Float(bitPattern: UInt32($0) << 16) }
                default: add(Float.self, to: column) { $0 }
                }
            case .wholes(let column):
                switch answer.type {
                case .int8: add(Int8.self, to: column) { Int64($0) }
                case .int16: add(Int16.self, to: column) { Int64($0) }
                case .int32: add(Int32.self, to: column) { Int64($0) }
                case .uint8: add(UInt8.self, to: column) { Int64($0) }
                case .uint16: add(UInt16.self, to: column) { Int64($0) }
                case .uint32: add(UInt32.self, to: column) { Int64($0) }
                case .uint64: add(UInt64.self, to: column) { Int64(clamping: $0) }
                default: add(Int64.self, to: column) { $0 }
                }
            case .texts: break
            }
        }
    }

    /// What a column of a prediction is called beside the input's own: `p0`, `p1`, ….
    static func name(_ column: Int) -> String { "p\(column)" }

    static let place = "place"
    static let problem = "problem"

    /// The answers as a table of ``place`` and the columns ``name(_:)``; NaN is null.
    func table() throws -> Table {
        var members: [(name: String, column: Column)] = [(Self.place, .int64s(places))]
        for (index, column) in values.enumerated() {
            let made: Column
            switch column {
            case .bools(let column): made = .bools(column.array)
            case .wholes(let column): made = .int64s(column.array)
            case .texts(let column): made = try Column(.strings(column.vector))
            case .floats(let column):
                let array = column.array
                let isWhole = !array.contains(where: \.isNaN)
                made = try Column(.float32s(array), validity: isWhole ? nil : array.map { !$0.isNaN })
            case .doubles(let column): made = .doubles(nullingNaN: column.array)
            }
            notNumbers += made.nullCount
            members.append((Self.name(index), made))
        }
        return try Table(members)
    }
}

/// Values of one column, of which there is never a second copy.
private final class Growing<Value> {
    var array: [Value] = []

    init(_ capacity: Int) { array.reserveCapacity(capacity) }
}

private final class GrowingTexts {
    var vector = StringVector()
}
