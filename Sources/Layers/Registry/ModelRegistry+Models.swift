import Basics
import Experiments
import Journal
import SQL

extension ModelRegistry {
    /// Makes a model without versions, and journals it. One that was deleted goes on counting where it had ended.
    /// - Throws: ``RegistryFailure/modelExists(_:)``, ``RegistryFailure/invalid(_:)``.
    public func createModel(
        named name: String, description: String, tags: [Pair], by principal: String
    ) async throws -> RegisteredModel {
        try RegistryRules.checkName(name)
        try RegistryRules.check(tags)
        let now = time.now
        return try await database.write { transaction in
            guard try Self.modelRow(name, in: transaction) == nil else { throw RegistryFailure.modelExists(name) }
            try Self.journal("model.created", "model/\(name)", [:], by: principal, at: now, in: transaction)
            try transaction.execute(
                """
                INSERT INTO models (name, created, last_version, description, updated) VALUES (?, ?, 0, ?, ?)
                ON CONFLICT (name) DO UPDATE SET
                  created = excluded.created, description = excluded.description, updated = excluded.updated, deleted = 0
                """, [.text(name), .init(now), .text(description), .init(now)])
            for tag in tags { try Self.insert(tag, of: name, in: transaction) }
            return try Self.model(name, in: transaction)
        }
    }

    /// - Throws: ``RegistryFailure/unknownModel(_:)``.
    public func model(_ name: String) async throws -> RegisteredModel {
        try await database.read { try Self.model(name, in: $0) }
    }

    /// - Throws: ``RegistryFailure/unknownModel(_:)``.
    public func describeModel(_ name: String, as description: String) async throws -> RegisteredModel {
        try await changeModel(name) { transaction in
            try transaction.execute(
                "UPDATE models SET description = ? WHERE name = ?", [.text(description), .text(name)])
        }
    }

    /// Gives a model and all it has another name, and journals it. The old name keeps its count.
    /// - Throws: ``RegistryFailure/modelExists(_:)`` where the name is or ever was another's, `.inProduction(_:)`, because
    ///   what serves a version knows it by name, `.unknownModel(_:)`, `.invalid(_:)`.
    public func renameModel(_ name: String, to new: String, by principal: String) async throws -> RegisteredModel {
        try RegistryRules.checkName(new)
        let now = time.now
        return try await database.write { transaction in
            let found = try Self.model(name, in: transaction)
            guard name != new else { return found }
            guard try transaction.first("SELECT name FROM models WHERE name = ?", [.text(new)]) == nil else {
                throw RegistryFailure.modelExists(new)
            }
            try Self.refuseProduction(of: name, in: transaction)
            try Self.journal(
                "model.renamed", "model/\(name)", ["to": .string(new)], by: principal, at: now, in: transaction)
            try transaction.execute(
                """
                INSERT INTO models (name, created, last_version, description, updated)
                SELECT ?, created, last_version, description, ? FROM models WHERE name = ?
                """, [.text(new), .init(now), .text(name)])
            try transaction.execute(
                "UPDATE model_versions SET model = ?, updated = ? WHERE model = ?",
                [.text(new), .init(now), .text(name)])
            for table in ["model_tags", "model_version_tags", "model_aliases"] {
                try transaction.execute("UPDATE \(table) SET model = ? WHERE model = ?", [.text(new), .text(name)])
            }
            try transaction.execute(
                "UPDATE models SET deleted = 1, description = '' WHERE name = ?", [.text(name)])
            return try Self.model(new, in: transaction)
        }
    }

    /// Deletes a model with its versions, tags and aliases, and journals it. Their numbers are not used again.
    /// - Throws: ``RegistryFailure/inProduction(_:)``, ``RegistryFailure/unknownModel(_:)``.
    public func deleteModel(_ name: String, by principal: String) async throws {
        let now = time.now
        try await database.write { transaction in
            _ = try Self.model(name, in: transaction)
            try Self.refuseProduction(of: name, in: transaction)
            try Self.journal("model.deleted", "model/\(name)", [:], by: principal, at: now, in: transaction)
            try transaction.execute(
                "UPDATE models SET deleted = 1, description = '' WHERE name = ?", [.text(name)])
            try transaction.execute("UPDATE model_versions SET deleted = 1 WHERE model = ?", [.text(name)])
            for table in ["model_tags", "model_version_tags", "model_aliases"] {
                try transaction.execute("DELETE FROM \(table) WHERE model = ?", [.text(name)])
            }
        }
    }

    /// - Throws: ``RegistryFailure/unknownModel(_:)``, ``RegistryFailure/invalid(_:)``.
    public func setTag(_ tag: Pair, of name: String) async throws {
        try RegistryRules.check([tag])
        _ = try await changeModel(name) { try Self.insert(tag, of: name, in: $0) }
    }

    /// Removes a tag; one that is not there changes nothing.
    /// - Throws: ``RegistryFailure/unknownModel(_:)``.
    public func deleteTag(_ key: String, of name: String) async throws {
        _ = try await changeModel(name) { transaction in
            try transaction.execute(
                "DELETE FROM model_tags WHERE model = ? AND key = ?", [.text(name), .text(key)])
        }
    }

    /// Lets an alias stand for a version, whatever it stood for before, and journals it.
    /// - Throws: ``RegistryFailure/unknownVersion(_:)``, ``RegistryFailure/invalid(_:)``.
    public func setAlias(_ alias: String, to id: ModelVersionID, by principal: String) async throws {
        try RegistryRules.checkAlias(alias)
        let now = time.now
        try await database.write { transaction in
            _ = try Self.version(id, in: transaction)
            try Self.journal(
                "model.alias", "model/\(id)", ["alias": .string(alias)], by: principal, at: now, in: transaction)
            try transaction.execute(
                """
                INSERT INTO model_aliases (model, alias, version) VALUES (?, ?, ?)
                ON CONFLICT (model, alias) DO UPDATE SET version = excluded.version
                """, [.text(id.model), .text(alias), .integer(id.version)])
        }
    }

    /// Removes an alias; one that is not there changes nothing.
    /// - Throws: ``RegistryFailure/unknownModel(_:)``.
    public func deleteAlias(_ alias: String, of name: String, by principal: String) async throws {
        let now = time.now
        try await database.write { transaction in
            _ = try Self.model(name, in: transaction)
            let count = try transaction.execute(
                "DELETE FROM model_aliases WHERE model = ? AND alias = ?", [.text(name), .text(alias)])
            guard count > 0 else { return }
            try Self.journal(
                "model.alias", "model/\(name)", ["alias": .string(alias), "removed": true], by: principal, at: now,
                in: transaction)
        }
    }

    /// The version that an alias stands for; `latest` stands for the highest.
    /// - Throws: ``RegistryFailure/unknownAlias(_:model:)``, `.noVersions(_:)`, `.unknownModel(_:)`.
    public func version(of name: String, alias: String) async throws -> RegisteredVersion {
        try await database.read { transaction in
            _ = try Self.model(name, in: transaction)
            let isLatest = alias.lowercased() == "latest"
            let row =
                isLatest
                ? try transaction.first(
                    "SELECT max(version) AS version FROM model_versions WHERE model = ? AND deleted = 0", [.text(name)])
                : try transaction.first(
                    "SELECT version FROM model_aliases WHERE model = ? AND alias = ?", [.text(name), .text(alias)])
            guard let number = try row?.optionalInteger("version") else {
                throw isLatest ? RegistryFailure.noVersions(name) : .unknownAlias(alias, model: name)
            }
            return try Self.registered(ModelVersionID(model: name, version: number), in: transaction)
        }
    }

    static func modelRow(_ name: String, in transaction: Transaction) throws -> Row? {
        try transaction.first("SELECT * FROM models WHERE name = ? AND deleted = 0", [.text(name)])
    }

    static func model(_ name: String, in transaction: Transaction) throws -> RegisteredModel {
        guard let row = try modelRow(name, in: transaction) else { throw RegistryFailure.unknownModel(name) }
        let tags = try transaction.query(
            "SELECT key, value FROM model_tags WHERE model = ? ORDER BY key", [.text(name)]
        ).map { Pair(key: try $0.string("key"), value: try $0.string("value")) }
        let aliases = try transaction.query(
            "SELECT alias, version FROM model_aliases WHERE model = ? ORDER BY alias", [.text(name)]
        ).map { RegisteredModel.Alias(name: try $0.string("alias"), version: try $0.integer("version")) }
        let latest = try transaction.query(
            """
            SELECT max(version) AS version FROM model_versions WHERE model = ? AND deleted = 0 GROUP BY stage
            ORDER BY stage
            """, [.text(name)]
        ).map { try registered(ModelVersionID(model: name, version: $0.integer("version")), in: transaction) }
        return RegisteredModel(
            name: name, description: try row.string("description"), created: try row.timestamp("created"),
            updated: try row.timestamp("updated"), tags: tags, aliases: aliases, latest: latest)
    }

    static func journal(
        _ type: String, _ subject: String, _ body: JSONValue, by principal: String, at now: Timestamp,
        in transaction: Transaction
    ) throws {
        try Journal.append(
            JournalDraft(principal: principal, type: type, subject: subject, body: body), in: transaction, at: now)
    }

    private func changeModel(
        _ name: String, _ body: @escaping @Sendable (Transaction) throws -> Void
    ) async throws -> RegisteredModel {
        let now = time.now
        return try await database.write { transaction in
            _ = try Self.model(name, in: transaction)
            try body(transaction)
            try transaction.execute("UPDATE models SET updated = ? WHERE name = ?", [.init(now), .text(name)])
            return try Self.model(name, in: transaction)
        }
    }

    private static func refuseProduction(of name: String, in transaction: Transaction) throws {
        let row = try transaction.first(
            "SELECT version FROM model_versions WHERE model = ? AND stage = 'Production' AND deleted = 0",
            [.text(name)])
        if let row {
            throw RegistryFailure.inProduction(ModelVersionID(model: name, version: try row.integer("version")))
        }
    }

    private static func insert(_ tag: Pair, of name: String, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO model_tags (model, key, value) VALUES (?, ?, ?)
            ON CONFLICT (model, key) DO UPDATE SET value = excluded.value
            """, [.text(name), .text(tag.key), .text(tag.value)])
    }
}
