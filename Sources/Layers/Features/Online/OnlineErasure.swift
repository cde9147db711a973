import Basics
import Journal
import KeyValue
import SQL

/// What an erasure removed from the online store.
public struct OnlineErasure: Sendable, Codable, Equatable {
    public struct View: Sendable, Codable, Equatable {
        public var view: String
        public var rows: Int
    }

    public var entity: String
    /// The digest of the entity's keys, which is all that the journal tells of them.
    public var keyDigest: Digest
    public var views: [View]
    /// Rows that were removed, of all views.
    public var rows: Int
}

extension FeatureStore {
    /// Removes what the online store holds of one subject: its rows in every view of the entity, also of views that describe
    /// it together with other entities.
    ///
    /// Rows that lie in histories come back when a view is computed anew, unless the subject is removed from the sources
    /// too. What was removed is told to the journal without the keys themselves.
    ///
    /// - Parameter keys: a value for each of the entity's join keys.
    public func eraseOnline(
        entity name: String, keys: [String: ScalarValue], by principal: String
    ) async throws -> OnlineErasure {
        let catalogue = catalogue
        guard let entity = catalogue.entities[name] else {
            throw FeaturesFailure.unknown(kind: "entity", name: name, known: Array(catalogue.entities.keys))
        }
        for key in keys.keys.sorted() where !entity.joinKeys.contains(key) {
            throw FeaturesFailure.unknown(
                kind: "join key of the entity '\(name)' called", name: key, known: entity.joinKeys)
        }
        var texts: [String: String] = [:]
        for key in entity.joinKeys {
            guard let value = keys[key], let text = OnlineKey.text(value) else {
                throw FeaturesFailure.request(
                    "the join key '\(key)' of the entity '\(name)' is missing or names nothing",
                    remedy: "Give a value for each of \(entity.joinKeys.joined(separator: ", ")).")
            }
            texts[key] = text
        }
        var erasure = OnlineErasure(
            entity: name, keyDigest: Digest(of: try JSON.canonical(texts)), views: [], rows: 0)
        for view in catalogue.views.values.sorted(by: { $0.name < $1.name }) where view.entities.contains(name) {
            let prefix = OnlineKey.prefix(try catalogue.digest(ofView: view.name))
            let rows = try await erase(view, prefix, texts)
            erasure.views.append(OnlineErasure.View(view: view.name, rows: rows))
            erasure.rows += rows
        }
        let draft = JournalDraft(
            principal: principal, type: "features.erased", subject: "entity/\(name)",
            body: [
                "keys": .string(erasure.keyDigest.description), "rows": .integer(Int64(erasure.rows)),
                "views": .array(erasure.views.filter { $0.rows > 0 }.map { .string($0.view) }),
            ])
        let now = time.now
        _ = try await database.write { try Journal.append(draft, in: $0, at: now) }
        return erasure
    }

    private func erase(_ view: FeatureView, _ prefix: [UInt8], _ texts: [String: String]) async throws -> Int {
        let table = onlineTable
        let exact = view.joinKeys.compactMap { texts[$0] }
        if exact.count == view.joinKeys.count {
            let key = OnlineKey.key(prefix: prefix, texts: exact)
            return try await online.write { try $0.delete(key, in: table) ? 1 : 0 }
        }
        // The entity is one of several: its first keys shorten the search where they come first.
        let leading = Array(view.joinKeys.prefix { texts[$0] != nil }.compactMap { texts[$0] })
        let start = leading.isEmpty ? prefix : OnlineKey.key(prefix: prefix, texts: leading)
        let wanted = view.joinKeys.map { texts[$0] }
        let found = try await readOnline { transaction in
            var keys: [[UInt8]] = []
            try start.withUnsafeBytes { start in
                try transaction.forEach(prefix: start, in: table) { key, _ in
                    if let values = OnlineKey.texts(in: key, prefixCount: prefix.count, count: wanted.count),
                        zip(wanted, values).allSatisfy({ $0 == nil || $0 == $1 })
                    {
                        keys.append([UInt8](key))
                    }
                    return true
                }
            }
            return keys
        }
        guard !found.isEmpty else { return 0 }
        return try await online.write { transaction in
            var rows = 0
            for key in found where try transaction.delete(key, in: table) { rows += 1 }
            return rows
        }
    }
}
