import Basics
import Columnar
import Datasets
import Journal
import ObjectStorage
import SQL
import Statistics

/// A profile with what later ones are compared with.
struct KeptProfile: Sendable {
    var profile: HistoryProfile
    var columns: [String: ReferenceProfile.Column]

    /// The journal's entries for a rule; none where nothing has drifted beyond it.
    func drafts(_ rule: DriftRule, by principal: String) -> [JournalDraft] {
        let drifted = profile.drifted(beyond: rule)
        guard let worst = drifted.first, let psi = worst.drift?.worst else { return [] }
        var body: [String: JSONValue] = [
            "feature": .string(worst.feature), "psi": .number(psi), "bound": .number(rule.psi),
            "action": .string(rule.action.rawValue),
            "features": .array(drifted.map { .string($0.feature) }),
        ]
        if let reference = profile.reference { body["reference"] = .string(reference.description) }
        return [
            JournalDraft(
                principal: principal, type: "features.drift", subject: "view/\(profile.view)", body: .object(body))
        ]
    }

    /// Counts the moments at which histories of a view were computed or accepted: a replayed clock may stand still.
    static let nextNumber = "(SELECT coalesce(max(number), 0) + 1 FROM feature_profiles WHERE view = ?)"

    /// Keeps it in the transaction that makes its history known.
    func insert(in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO feature_profiles
              (view, "key", number, definition, created, accepted, row_count, newest, worst, profile, reference)
            VALUES (?, ?, \(Self.nextNumber), ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (view, "key") DO NOTHING
            """,
            [
                .text(profile.view), .init(profile.key), .text(profile.view), .init(profile.definition),
                .init(profile.created),
                .init(profile.accepted), .integer(profile.rows), .init(profile.newest), .init(profile.worst),
                .text(try JSON.string(profile)), .text(try JSON.string(columns)),
            ])
    }
}

/// What a model version that is in use was learnt from.
public struct ModelInUse: Sendable, Equatable {
    /// The digest of the feature service's definitions.
    public var features: Digest
    /// Dataset versions by table.
    public var datasets: [String: Digest]

    public init(features: Digest, datasets: [String: Digest]) {
        self.features = features
        self.datasets = datasets
    }
}

extension FeatureStore {
    static let profileMigration = Migration(
        room: "features", version: 2,
        sql: """
            CREATE TABLE feature_profiles (
              view TEXT NOT NULL, "key" TEXT NOT NULL, number INTEGER NOT NULL, definition TEXT NOT NULL, created INTEGER NOT NULL,
              accepted INTEGER, row_count INTEGER NOT NULL, newest INTEGER, worst REAL, profile TEXT NOT NULL,
              reference TEXT NOT NULL, PRIMARY KEY (view, "key"));
            """)

    /// Profiles a history that was just computed, while the engine still shows what it was computed from.
    func profile(of history: ViewHistory, _ view: FeatureView, definition: Digest) async throws -> KeptProfile {
        let rule = view.drift ?? .standard
        let reference = try await reference(for: view, definition: definition, minRows: rule.minRows)
        let query = ProfileQuery(
            view: view, rows: history.rows, path: try await objects.localPath(history.digest),
            since: reference?.profile.newest)
        let samples = try await engine.run { try query.run(on: $0) }
        let now = time.now
        return KeptProfile(
            profile: HistoryProfile(
                view: view.name, key: history.key, definition: definition, created: now, rows: history.rows,
                newest: try await newestEvent(of: view), reference: reference?.profile.key,
                accepted: reference == nil ? now : nil,
                features: samples.map {
                    FeatureProfile(
                        $0, rows: history.rows, reference: reference?.columns[$0.feature.name], minRows: rule.minRows)
                }),
            columns: Dictionary(samples.map { ($0.feature.name, $0.values.profile) }) { first, _ in first })
    }

    /// The newest event of a view's sources, as the engine shows them.
    private func newestEvent(of view: FeatureView) async throws -> Timestamp? {
        let parts = try view.sources.map { name in
            let time = SQLText.identifier(try catalogue.eventSource(name).eventTime)
            return "SELECT max(CAST(\(time) AS TIMESTAMP)) AS newest FROM \(SQLText.identifier(name))"
        }
        guard !parts.isEmpty else { return nil }
        return try await engine.query(
            "SELECT max(newest) AS newest FROM (\(parts.joined(separator: " UNION ALL ")))",
            context: "the sources of features/\(view.name)"
        ).timestamps("newest").first ?? nil
    }

    /// What a view's new history is compared with: the history that the newest model version in use was learnt from, or one
    /// that was accepted since; else the first.
    private func reference(
        for view: FeatureView, definition: Digest, minRows: Int
    ) async throws -> KeptProfile? {
        let model = try await keyOfModel(view, definition: definition)
        return try await database.read { transaction in
            var rows = try transaction.query(
                """
                SELECT * FROM feature_profiles
                WHERE view = ? AND definition = ? AND accepted IS NOT NULL AND row_count >= ?
                ORDER BY number DESC LIMIT 1
                """, [.text(view.name), .init(definition), .integer(Int64(minRows))])
            if let model {
                rows += try transaction.query(
                    "SELECT * FROM feature_profiles WHERE view = ? AND \"key\" = ? AND row_count >= ?",
                    [.text(view.name), .init(model), .integer(Int64(minRows))])
            }
            return try rows.max { try $0.integer("number") < $1.integer("number") }.map { try Self.load($0) }
        }
    }

    private func keyOfModel(_ view: FeatureView, definition: Digest) async throws -> Digest? {
        let catalogue = catalogue
        // A model's bill of materials says nothing of streams.
        guard let models = modelsInUse, boundStreams(readBy: view.sources).isEmpty else { return nil }
        var services: Set<Digest> = []
        for name in catalogue.services.keys where try catalogue.viewNames(ofService: name).contains(view.name) {
            services.insert(try catalogue.digest(ofService: name))
        }
        guard let model = try await models().first(where: { services.contains($0.features) }) else { return nil }
        return try historyKey(definition, model.datasets, streams: [:])
    }

    private static func load(_ row: Row) throws -> KeptProfile {
        var kept = KeptProfile(
            profile: try JSON.decode(HistoryProfile.self, from: try row.string("profile")),
            columns: try JSON.decode([String: ReferenceProfile.Column].self, from: try row.string("reference")))
        kept.profile.accepted = try row.optionalTimestamp("accepted")
        return kept
    }

    /// The profile of a history; nil where it has none.
    func profile(of history: ViewHistory) async throws -> HistoryProfile? {
        try await database.read { transaction in
            try transaction.first(
                "SELECT profile, accepted FROM feature_profiles WHERE view = ? AND \"key\" = ?",
                [.text(history.view), .init(history.key)]
            ).map { try Self.profile($0) }
        }
    }

    private static func profile(_ row: Row) throws -> HistoryProfile {
        var profile = try JSON.decode(HistoryProfile.self, from: try row.string("profile"))
        profile.accepted = try row.optionalTimestamp("accepted")
        return profile
    }

    /// The profile of a view's present history, or of the last one where that is not computed yet; nil where there is none.
    /// - Throws: ``FeaturesFailure/unknown(kind:name:known:)`` for an unknown view.
    public func presentProfile(of name: String) async throws -> HistoryProfile? {
        let definition = try catalogue.digest(ofView: name)
        do {
            if let history = try await presentHistory(of: try catalogue.view(name), definition: definition),
                let profile = try await profile(of: history)
            {
                return profile
            }
        } catch DatasetsFailure.notIngested {}
        return try await database.read { transaction in
            try transaction.first(
                """
                SELECT profile, accepted FROM feature_profiles WHERE view = ? AND definition = ?
                ORDER BY number DESC LIMIT 1
                """, [.text(name), .init(definition)]
            ).map { try Self.profile($0) }
        }
    }

    /// All profiles of a view, whatever its definition was, newest first.
    public func profiles(of name: String, limit: Int = 100) async throws -> [HistoryProfile.Summary] {
        _ = try catalogue.view(name)
        return try await database.read { transaction in
            try transaction.query(
                """
                SELECT "key", created, row_count, worst, accepted FROM feature_profiles WHERE view = ?
                ORDER BY number DESC LIMIT ?
                """, [.text(name), .integer(Int64(limit))]
            ).map { row in
                HistoryProfile.Summary(
                    created: try row.timestamp("created"), rows: try row.integer("row_count"),
                    worst: try row.optionalDouble("worst"), accepted: try row.optionalTimestamp("accepted"),
                    key: try row.digest("key"))
            }
        }
    }

    /// Takes the distribution of a view's present history as the one that later ones are compared with.
    ///
    /// A history that was blocked because it had drifted is used from then on.
    /// - Throws: ``FeaturesFailure/notProfiled(view:)`` where the history was computed before profiles were made.
    @discardableResult
    public func acceptDistribution(of name: String, by principal: String) async throws -> HistoryProfile {
        let history = try await history(of: name, by: principal)
        guard var profile = try await profile(of: history) else { throw FeaturesFailure.notProfiled(view: name) }
        let now = time.now
        profile.accepted = now
        var body: [String: JSONValue] = ["history": .string(history.digest.description)]
        if let worst = profile.worst { body["psi"] = .number(worst) }
        let draft = JournalDraft(
            principal: principal, type: "features.accepted", subject: "view/\(name)", body: .object(body))
        try await database.write { transaction in
            try transaction.execute(
                "UPDATE feature_profiles SET accepted = ?, number = \(KeptProfile.nextNumber) WHERE view = ? AND \"key\" = ?",
                [.init(now), .text(name), .text(name), .init(history.key)])
            try Journal.append(draft, in: transaction, at: now)
        }
        return profile
    }

    /// The history of a view, for what values are taken from: computed now if it is not there.
    ///
    /// - Throws: ``FeaturesFailure/drifted(_:)`` where its values have drifted and its view blocks such.
    func usableHistory(of name: String, lateData: FeatureView.LateData? = nil) async throws -> ViewHistory {
        let history = try await history(of: name, lateData: lateData)
        let rule = try catalogue.view(name).drift ?? .standard
        guard rule.action == .block, let profile = try await profile(of: history),
            let worst = profile.drifted(beyond: rule).first, let psi = worst.drift?.worst
        else { return history }
        throw FeaturesFailure.drifted(
            DriftFinding(view: name, feature: worst.feature, psi: psi, bound: rule.psi))
    }
}
