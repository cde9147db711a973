import Basics
import Expressions

/// What the transforms of a reader gave for the entities of one read.
final class OnlineComputed {
    /// The values of one output.
    final class Column {
        private enum Slot {
            case cell(OnlineCell)
            /// Where a text lies.
            case text(start: Int, count: Int)
        }

        private var slots: [Slot] = []
        private var texts: UnsafeMutableRawBufferPointer

        init(entities: Int) {
            slots.reserveCapacity(entities)
            texts = .init(start: nil, count: 0)
        }

        deinit { texts.deallocate() }

        private var used = 0

        fileprivate func append(_ frame: ScalarFrame, _ output: Int, _ type: ScalarType) {
            let cell: OnlineCell? =
                switch type {
                case .integer: frame.integer(output).map { .integer($0) }
                case .double: frame.double(output).map { .double($0) }
                case .float: frame.double(output).map { .float(Float($0)) }
                case .boolean: frame.boolean(output).map { .boolean($0) }
                case .timestamp: frame.timestamp(output).map { .timestamp($0.microseconds) }
                case .string: nil
                }
            slots.append(.cell(cell ?? .null))
            guard type == .string else { return }
            frame.withUTF8(output) { text in
                reserve(text.count)
                if let source = text.baseAddress, let start = texts.baseAddress {
                    (start + used).copyMemory(from: source, byteCount: text.count)
                }
                slots[slots.count - 1] = .text(start: used, count: text.count)
                used += text.count
            }
        }

        /// Room for more bytes of texts: their places stay, their memory does not until all are there.
        private func reserve(_ count: Int) {
            guard used + count > texts.count else { return }
            let larger = UnsafeMutableRawBufferPointer.allocate(
                byteCount: max(256, used + count, texts.count * 2), alignment: 8)
            larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: texts[..<used]))
            texts.deallocate()
            texts = larger
        }

        func value(_ entity: Int) -> OnlineBatch.Value {
            let cell: OnlineCell =
                switch slots[entity] {
                case .cell(let cell): cell
                case .text(let start, let count): .text(UnsafeRawBufferPointer(rebasing: texts[start..<start + count]))
                }
            if case .null = cell { return OnlineBatch.Value(status: .nullValue, eventTime: nil, cell: .null) }
            return OnlineBatch.Value(status: .present, eventTime: nil, cell: cell)
        }
    }

    /// By output of the reader; nil where it is no transform's.
    private var columns: [Column?]

    init(_ reader: OnlineReader, _ count: Int, _ request: OnlineRequestValues, _ rows: OnlineRows) {
        let firstTransform = reader.parts.count
        columns = reader.outputs.map { $0.part >= firstTransform ? Column(entities: count) : nil }
        let frames = reader.transforms.frames()
        for entity in 0..<count {
            reader.transforms.begin(frames) { frame, input, _, field in
                _ = frame.set(input, to: request.value(field, of: entity))
            }
            for (place, part) in reader.parts.enumerated() where !part.feeds.isEmpty {
                let index = place * count + entity
                if rows.states[index].status == .present, let row = OnlineRow(rows.bytes[index], part.layout) {
                    part.feed(row, to: frames)
                }
            }
            reader.transforms.finish(frames) { frame, output, type, target in
                columns[target]?.append(frame, output, type)
            }
        }
    }

    func column(_ output: Int) -> Column? { columns[output] }
}

/// Values that came with a request: for each field of the reader's ``OnlineReader/request`` one per entity.
public struct OnlineRequestValues: Sendable {
    /// Nil where none were given.
    fileprivate let columns: [[ScalarValue]?]

    /// For readers without transforms that need any.
    public static let none = OnlineRequestValues(columns: [])

    /// How many entities they are for; 0 where no field is needed.
    var count: Int { columns.lazy.compactMap { $0?.count }.first ?? 0 }

    fileprivate func value(_ field: Int, of entity: Int) -> ScalarValue {
        guard columns.indices.contains(field), let column = columns[field], column.indices.contains(entity) else {
            return .null
        }
        return column[entity]
    }
}

extension OnlineReader {
    /// What came with a request for entities, as the types of its fields: whole numbers may stand for doubles, texts for
    /// moments.
    ///
    /// - Parameters:
    ///   - values: by name; what is no field of the request is left alone.
    ///   - entities: as many as keys were given for; counts only where the reader has join keys.
    /// - Throws: ``FeaturesFailure/request(_:remedy:)`` where a value that a transform needs is missing or of another type.
    public func requestValues(_ values: [String: [ScalarValue]], entities: Int) throws -> OnlineRequestValues {
        var columns: [[ScalarValue]?] = []
        for (place, field) in request.enumerated() {
            guard neededRequest.contains(place), let given = values[field.name] else {
                columns.append(nil)
                continue
            }
            columns.append(
                try given.enumerated().map { row, value in
                    let what = "'\(field.name)' of entity \(row)"
                    guard case .scalar(let typed) = try ParsedRows.typed(.scalar(value), field.type, what) else {
                        throw FeaturesFailure.request("\(what) is a list", remedy: "Send one value.")
                    }
                    return typed
                })
        }
        let found = OnlineRequestValues(columns: columns)
        try check(found, joinKeys.isEmpty ? found.count : entities)
        return found
    }

    func check(_ values: OnlineRequestValues, _ entities: Int) throws {
        for place in neededRequest {
            let name = request[place].name
            guard values.columns.indices.contains(place), let column = values.columns[place] else {
                throw FeaturesFailure.request(
                    "the request has no '\(name)', which a transform needs",
                    remedy: "Give a value of it for each entity.")
            }
            guard column.count == entities else {
                throw FeaturesFailure.request(
                    "'\(name)' has \(column.count) values for \(entities) entities",
                    remedy: "Give it as many values as there are entities.")
            }
        }
    }
}
