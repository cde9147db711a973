import Basics
import CPostgreSQL
import Foundation

/// The answer to one command.
final class PostgresResult {
    private let handle: OpaquePointer

    init(_ handle: OpaquePointer) { self.handle = handle }

    deinit { PQclear(handle) }

    var status: ExecStatusType { PQresultStatus(handle) }

    var isFailure: Bool { status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE }

    /// What was done, such as `INSERT 0 1`.
    var tag: String { PQcmdStatus(handle).map { String(cString: $0) } ?? "" }

    /// How many rows an INSERT, UPDATE or DELETE changed, 0 for other commands.
    var changes: Int {
        guard ["INSERT", "UPDATE", "DELETE"].contains(where: tag.hasPrefix),
            let text = PQcmdTuples(handle)
        else { return 0 }
        return Int(String(cString: text)) ?? 0
    }

    /// The SQLSTATE of a failure.
    var sqlState: String { field("C") }

    /// What a failure says.
    var message: String {
        let detail = field("D")
        let message = field("M")
        return detail.isEmpty ? message : "\(message) (\(detail))"
    }

    private func field(_ code: UnicodeScalar) -> String {
        PQresultErrorField(handle, Int32(code.value)).map { String(cString: $0) } ?? ""
    }

    /// The columns' names and the numbers of their types.
    var fields: [(name: String, type: Oid)] {
        (0..<PQnfields(handle)).map { column in
            (PQfname(handle, column).map { String(cString: $0) } ?? "", PQftype(handle, column))
        }
    }

    var rowCount: Int { Int(PQntuples(handle)) }

    /// Hands over the rows one at a time.
    func forEachRow(_ body: (Row) throws -> Void) throws {
        let columns = PQnfields(handle)
        let layout = Row.Layout(
            (0..<columns).map { column in PQfname(handle, column).map { String(cString: $0) } ?? "" })
        let types = (0..<columns).map { PQftype(handle, $0) }
        for row in 0..<PQntuples(handle) {
            var values: [SQLValue] = []
            values.reserveCapacity(types.count)
            for (column, type) in zip(0..<columns, types) { values.append(value(row, column, type)) }
            try body(Row(layout: layout, values: values))
        }
    }

    /// A value by the number of its type in the catalogue `pg_type`.
    private func value(_ row: Int32, _ column: Int32, _ type: Oid) -> SQLValue {
        guard PQgetisnull(handle, row, column) == 0, let start = PQgetvalue(handle, row, column) else { return .null }
        let bytes = UnsafeRawBufferPointer(start: start, count: Int(PQgetlength(handle, row, column)))
        let text = String(decoding: bytes, as: UTF8.self)
        switch type {
        case 16: return .integer(text == "t" ? 1 : 0)
        case 17: return .blob(PostgresResult.unhex(bytes))
        case 20, 21, 23, 26: return Int64(text).map(SQLValue.integer) ?? .text(text)
        case 700, 701: return PostgresResult.double(text)
        case 1700:
            if let whole = Int64(text) { return .integer(whole) }
            return PostgresResult.double(text)
        default: return .text(text)
        }
    }

    /// SQLite has no NaN: a calculation that has no result gives null there.
    private static func double(_ text: String) -> SQLValue {
        guard let number = Double(text), !number.isNaN else { return .null }
        return .double(number)
    }

    private static func unhex(_ text: UnsafeRawBufferPointer) -> [UInt8] {
        func digit(_ byte: UInt8) -> UInt8 {
            byte >= 97 ? byte &- 87 : byte &- 48
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 2)
        // The first two are "\x".
        for index in stride(from: 2, to: text.count - 1, by: 2) {
            bytes.append(digit(text[index]) << 4 | digit(text[index + 1]))
        }
        return bytes
    }
}
