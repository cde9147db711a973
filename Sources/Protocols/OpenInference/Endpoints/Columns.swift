import Basics
import CSimdJSON
import Features
import Serving

/// The inputs of a request by the part they play: join keys, request features, features that the caller knows itself, event
/// time.
///
/// What the caller knows is taken as it is, null included; the rest is looked up. Who gives all features needs no keys.
struct Columns {
    let rows: Int
    /// One BYTES tensor per join key, in the service's order; empty where nothing is looked up and not all were sent.
    let keys: [mw_tensor]
    /// One column per request feature, in the service's order.
    let request: [Numbers]
    /// Features that would be looked up, by their place among the inputs of the service.
    let given: [(place: Int, values: Numbers)]
    private let eventTime: mw_tensor?

    /// The input with the moment a row is for, as RFC 3339 text or as microseconds since 1970.
    static let timeName = "event_time"

    /// A numeric tensor, whatever its width.
    struct Numbers {
        let tensor: mw_tensor

        subscript(row: Int) -> Double {
            if let nulls = tensor.nulls, nulls[row] != 0 { return .nan }
            switch tensor.kind {
            case MW_DATA_DOUBLE: return tensor.doubles?[row] ?? .nan
            case MW_DATA_INT64: return tensor.int64s.map { Double($0[row]) } ?? .nan
            case MW_DATA_UINT64: return tensor.uint64s.map { Double($0[row]) } ?? .nan
            case MW_DATA_BOOL: return tensor.booleans.map { $0[row] == 0 ? 0 : 1 } ?? .nan
            default: return .nan
            }
        }
    }

    init(_ view: mw_infer_view, endpoint: Endpoint) throws {
        let service = endpoint.service
        let inputs = UnsafeBufferPointer(start: view.inputs, count: view.input_count)
        func find(_ name: String) -> mw_tensor? { inputs.first { $0.name == name } }
        func need(_ name: String) throws -> mw_tensor {
            guard let tensor = find(name) else {
                throw OpenInferenceFailure.missingInput(
                    name, known: service.joinKeys + service.requestNames + [Self.timeName])
            }
            return tensor
        }
        func numbers(_ name: String, _ tensor: mw_tensor) throws -> Numbers {
            guard tensor.kind != MW_DATA_TEXT else { throw Self.wrongType(name, "FP64", tensor) }
            return Numbers(tensor: tensor)
        }
        let found = service.joinKeys.map(find)
        eventTime = find(Self.timeName)
        let expected = found.count { $0 != nil } + service.requestCount + (eventTime == nil ? 0 : 1)
        let looked = service.inputNames.enumerated().dropFirst(service.requestCount)
        // Most requests bring none, which their number tells.
        given = try (inputs.count > expected ? Array(looked) : []).compactMap { place, name in
            guard !service.joinKeys.contains(name), let tensor = find(name) else { return nil }
            return (place, try numbers(name, tensor))
        }
        let isComplete = given.count == looked.count && found.contains { $0 == nil }
        keys = try (isComplete ? [] : service.joinKeys).map { name in
            let tensor = try need(name)
            guard tensor.kind == MW_DATA_TEXT else { throw Self.wrongType(name, "BYTES", tensor) }
            return tensor
        }
        request = try service.requestNames.map { try numbers($0, try need($0)) }
        rows = keys.first?.count ?? request.first?.tensor.count ?? given.first?.values.tensor.count ?? 0
        guard rows <= InferenceSession.rowsMax else {
            throw OpenInferenceFailure.rows(rows, most: InferenceSession.rowsMax)
        }
        let named =
            zip(service.joinKeys, keys).map { ($0, $1) } + zip(service.requestNames, request).map { ($0, $1.tensor) }
            + given.map { (service.inputNames[$0.place], $0.values.tensor) }
            + (eventTime.map { [(Self.timeName, $0)] } ?? [])
        for (name, tensor) in named where tensor.count != rows {
            throw OpenInferenceFailure.wrongRows(name, rows: rows, found: tensor.count)
        }
        // Before the first row is answered and recorded, so that a refused request leaves nothing behind.
        for row in 0..<rows where eventTime != nil && rows > 1 { _ = try time(row) }
    }

    /// The moment a row is for, or nil where the request gives none.
    func time(_ row: Int) throws -> Int64? {
        guard let tensor = eventTime else { return nil }
        switch tensor.kind {
        case MW_DATA_INT64: return tensor.int64s?[row]
        case MW_DATA_TEXT:
            guard let texts = tensor.texts else { return nil }
            let bytes = UnsafeRawBufferPointer(start: texts[row].text, count: min(texts[row].length, 64))
            let text = String(decoding: bytes, as: UTF8.self)
            guard let moment = Timestamp(text) else { throw OpenInferenceFailure.badTime(text) }
            return moment.microseconds
        default: throw Self.wrongType(Self.timeName, "INT64 or BYTES", tensor)
        }
    }

    private static func wrongType(_ name: String, _ wanted: String, _ tensor: mw_tensor) -> OpenInferenceFailure {
        .wrongType(name, wanted: wanted, found: tensor.datatype_name.string)
    }
}
