import Basics

extension Database {
    /// Hands over every text and every blob that any table has, as bytes, all of one moment.
    ///
    /// - Parameters:
    ///   - skipping: tables that are left out.
    ///   - each: called with the name of the table and the bytes of one value.
    public func scanTexts(
        skipping: Set<String>, _ each: @escaping @Sendable (String, UnsafeRawBufferPointer) -> Void
    ) async throws {
        let tables = try await Catalogue.tables(of: self).map(\.name).filter { !skipping.contains($0) }
        try await read { transaction in
            for table in tables {
                try transaction.forEach("SELECT * FROM \"\(table)\"", []) { row in
                    for value in row.values {
                        switch value {
                        case .text(var text): text.withUTF8 { each(table, UnsafeRawBufferPointer($0)) }
                        case .blob(let bytes): bytes.withUnsafeBytes { each(table, $0) }
                        case .null, .integer, .double: break
                        }
                    }
                }
            }
        }
    }
}
