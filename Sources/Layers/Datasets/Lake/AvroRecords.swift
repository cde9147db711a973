import Basics
import CAvro
import Foundation

/// The records of an Avro file.
enum AvroRecords {
    /// How many records are read at most: a manifest has one for each file of a table.
    private static let recordsMax = 10_000_000

    /// Reads a file; blocks. The values of unions stand without their types.
    /// - Throws: ``DatasetsFailure/missingFile(_:)``, ``DatasetsFailure/brokenLog(place:reason:)``.
    static func read(_ path: String) throws -> [JSONValue] {
        guard try FileMark(path) != nil else { throw DatasetsFailure.missingFile(path) }
        let sink = Sink()
        var reason = [CChar](repeating: 0, count: 512)
        let result = withExtendedLifetime(sink) {
            mw_avro_read(
                path,
                { text, length, context in
                    guard let text, let context else { return 1 }
                    return Unmanaged<Sink>.fromOpaque(context).takeUnretainedValue().take(
                        UnsafeRawBufferPointer(start: text, count: length))
                }, Unmanaged.passUnretained(sink).toOpaque(), &reason, reason.count)
        }
        guard result == 0 else {
            let text = String(decoding: reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw DatasetsFailure.brokenLog(
                place: path, reason: result < 0 ? "it is no whole Avro file (\(text))" : "a record can not be read")
        }
        return sink.records
    }

    private final class Sink {
        private(set) var records: [JSONValue] = []

        func take(_ text: UnsafeRawBufferPointer) -> Int32 {
            guard records.count < recordsMax, let record = try? JSON.decode(JSONValue.self, from: text) else {
                return 1
            }
            records.append(AvroRecords.plain(record))
            return 0
        }
    }

    /// A value with every member of a union in place of the object that names its type.
    private static func plain(_ value: JSONValue) -> JSONValue {
        switch value {
        case .array(let items): return .array(items.map(plain))
        case .object(let members):
            if members.count == 1, let only = members.first, isType(only.key) { return plain(only.value) }
            return .object(members.mapValues(plain))
        default: return value
        }
    }

    private static func isType(_ name: String) -> Bool {
        let types: Set<String> = [
            "boolean", "int", "long", "float", "double", "string", "bytes", "array", "map", "fixed",
        ]
        // Records of Iceberg's unions are named by the number of their field.
        return types.contains(name) || name.wholeMatch(of: #/r\d+/#) != nil
    }
}
