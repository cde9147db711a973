import CPostgreSQL

/// One message to the server that is answered by one result.
struct PostgresCommand {
    /// The statement as its room wrote it, for messages.
    let sql: String
    /// What the server is sent.
    let text: String
    let parameters: PostgresParameters
    /// Whether it is the database's own, so that its failure is not that of a room's statement.
    let isControl: Bool
    /// The prepared statement that it runs, or makes where `prepares` is set.
    let preparedAs: String?
    var prepares: PreparedStatements.Key?
    /// The change of a group that it is part of.
    var change = 0

    /// About how many bytes it takes on its way.
    var size: Int { 64 + parameters.size + (preparedAs == nil || prepares != nil ? text.utf8.count : 0) }

    /// Queues it in the library; false where the connection is gone.
    func send(on handle: OpaquePointer) -> Bool {
        parameters.withArguments { count, types, values, lengths, formats in
            guard let preparedAs else {
                return PQsendQueryParams(handle, text, count, types, values, lengths, formats, 0)
            }
            guard prepares == nil else { return PQsendPrepare(handle, preparedAs, text, count, types) }
            return PQsendQueryPrepared(handle, preparedAs, count, values, lengths, formats, 0)
        } == 1
    }
}

/// The statements a connection has prepared, and translations of what rooms write.
struct PreparedStatements {
    /// The same text with parameters of other types is another statement.
    struct Key: Hashable {
        let text: String
        let signature: String
    }

    private var names: [Key: (name: String, use: UInt64)] = [:]
    private var translations: [String: Dialect.Statement] = [:]
    private var uses: UInt64 = 0
    private var made: UInt64 = 0
    private static let limit = 256

    mutating func translated(_ sql: String) throws -> Dialect.Statement {
        if let known = translations[sql] { return known }
        let statement = try Dialect.postgres(sql)
        if translations.count >= Self.limit { translations.removeAll() }
        translations[sql] = statement
        return statement
    }

    mutating func name(_ key: Key) -> String? {
        guard let name = names[key]?.name else { return nil }
        remember(key, name)
        return name
    }

    mutating func newName() -> String {
        made &+= 1
        return "s\(made)"
    }

    mutating func remember(_ key: Key, _ name: String) {
        uses &+= 1
        names[key] = (name, uses)
    }

    /// Takes out the statement that was not used for longest, where there are too many.
    mutating func surplus() -> [String] {
        guard names.count >= Self.limit, let oldest = names.min(by: { $0.value.use < $1.value.use }) else { return [] }
        names.removeValue(forKey: oldest.key)
        return [oldest.value.name]
    }

    /// Forgets all statements; false where there were none.
    mutating func forget() -> Bool {
        defer { names.removeAll() }
        return !names.isEmpty
    }
}
