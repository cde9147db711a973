import Basics
import Journal
import SQL
import Synchronization

/// Principals, their roles and their tokens. Every change is an entry of the journal in the same transaction; no token
/// is ever stored, only its SHA-256.
public final class AccessStore: Sendable {
    let database: Database
    let time: any TimeSource
    let random: any RandomSource
    private let changes = Atomic<Int>(0)

    /// - Parameter database: one that the migrations of the journal and of this room were applied to.
    public init(database: Database, time: any TimeSource, random: any RandomSource) {
        self.database = database
        self.time = time
        self.random = random
    }

    /// The tables of this room.
    public static let migrations = [
        Migration(
            room: "security", version: 1,
            sql: """
                CREATE TABLE principals (
                    id TEXT PRIMARY KEY, display TEXT NOT NULL, disabled INTEGER NOT NULL, certificate_subject TEXT,
                    created INTEGER NOT NULL);
                CREATE UNIQUE INDEX principals_subject ON principals (certificate_subject);
                CREATE TABLE role_grants (
                    principal TEXT NOT NULL REFERENCES principals (id), resource TEXT NOT NULL, role TEXT NOT NULL,
                    granted INTEGER NOT NULL, granted_by TEXT NOT NULL, PRIMARY KEY (principal, resource));
                CREATE TABLE api_tokens (
                    id TEXT PRIMARY KEY, principal TEXT NOT NULL REFERENCES principals (id), hash TEXT NOT NULL,
                    description TEXT NOT NULL, scope TEXT NOT NULL, created INTEGER NOT NULL,
                    created_by TEXT NOT NULL, expires INTEGER, revoked INTEGER, last_used INTEGER);
                CREATE INDEX api_tokens_principal ON api_tokens (principal, id);
                """)
    ]

    /// Grows with every change made through this value: what was decided before may be decided otherwise now.
    var generation: Int { changes.load(ordering: .acquiring) }

    /// Makes a change together with what the journal says of it.
    func change<Value: Sendable>(
        _ body: @escaping @Sendable (Transaction, Timestamp) throws -> Value
    ) async throws -> Value {
        let now = time.now
        let value = try await database.write { try body($0, now) }
        changes.add(1, ordering: .acquiringAndReleasing)
        return value
    }

    static func journal(
        _ type: String, _ subject: String, _ body: JSONValue, by: String, in transaction: Transaction, at now: Timestamp
    ) throws {
        try Journal.append(
            JournalDraft(principal: by, type: type, subject: subject, body: body), in: transaction, at: now)
    }

    // MARK: Principals

    /// All principals, in order of their names.
    public func principals() async throws -> [Principal] {
        try await database.read { transaction in
            try transaction.query("SELECT * FROM principals ORDER BY id").map {
                try AccessStore.principal($0, in: transaction)
            }
        }
    }

    /// - Throws: `AccessFailure.unknownPrincipal`.
    public func principal(_ id: PrincipalID) async throws -> Principal {
        try await database.read { try AccessStore.principal(id.text, in: $0) }
    }

    /// Whether somebody enabled is admin of everything.
    public func hasAdmin() async throws -> Bool {
        try await database.read { try AccessStore.admins(in: $0, without: "") > 0 }
    }

    /// Gives a role on a resource in place of the one held there; a principal that does not exist is made.
    /// - Parameters:
    ///   - display: what people call it; nil leaves it as it is.
    ///   - subject: the subject of its client certificates, as RFC 2253 text; nil leaves it as it is.
    ///   - by: who gives it.
    @discardableResult
    public func grant(
        _ role: Role, to id: PrincipalID, on resource: AccessResource = .everything, display: String? = nil,
        certificateSubject subject: String? = nil, by: String
    ) async throws -> Principal {
        try await change { transaction, now in
            if resource == .everything, role != .admin { try AccessStore.keepAdmin(without: id.text, in: transaction) }
            if let subject,
                let owner = try transaction.first(
                    "SELECT id FROM principals WHERE certificate_subject = ? AND id <> ?",
                    [.text(subject), .text(id.text)])
            {
                throw AccessFailure.subjectTaken(subject: subject, by: try owner.string("id"))
            }
            try AccessStore.make(id, display: display, subject: subject, in: transaction, at: now)
            try AccessStore.give(role, to: id, on: resource, by: by, in: transaction, at: now)
            var body: [String: JSONValue] = ["role": .string(role.rawValue), "resource": .string(resource.text)]
            if let subject { body["certificate_subject"] = .string(subject) }
            try AccessStore.journal(
                "access.role.granted", "principal/\(id)", .object(body), by: by, in: transaction, at: now)
            return try AccessStore.principal(id.text, in: transaction)
        }
    }

    /// Takes the role on a resource away.
    /// - Throws: `AccessFailure.noSuchGrant`, `unknownPrincipal`, `lastAdmin`.
    @discardableResult
    public func revokeRole(
        from id: PrincipalID, on resource: AccessResource = .everything, by: String
    ) async throws -> Principal {
        try await change { transaction, now in
            _ = try AccessStore.principal(id.text, in: transaction)
            if resource == .everything { try AccessStore.keepAdmin(without: id.text, in: transaction) }
            let removed = try transaction.execute(
                "DELETE FROM role_grants WHERE principal = ? AND resource = ?", [.text(id.text), .text(resource.text)])
            guard removed > 0 else { throw AccessFailure.noSuchGrant(principal: id.text, resource: resource.text) }
            try AccessStore.journal(
                "access.role.revoked", "principal/\(id)", ["resource": .string(resource.text)], by: by,
                in: transaction, at: now)
            return try AccessStore.principal(id.text, in: transaction)
        }
    }

    /// Shuts a principal out with all its tokens and certificates, or lets it in again.
    /// - Throws: `AccessFailure.unknownPrincipal`, `lastAdmin`.
    @discardableResult
    public func setDisabled(_ disabled: Bool, _ id: PrincipalID, by: String) async throws -> Principal {
        try await change { transaction, now in
            let before = try AccessStore.principal(id.text, in: transaction)
            guard before.disabled != disabled else { return before }
            if disabled { try AccessStore.keepAdmin(without: id.text, in: transaction) }
            try transaction.execute(
                "UPDATE principals SET disabled = ? WHERE id = ?", [.init(disabled), .text(id.text)])
            try AccessStore.journal(
                disabled ? "access.principal.disabled" : "access.principal.enabled", "principal/\(id)", [:], by: by,
                in: transaction, at: now)
            return try AccessStore.principal(id.text, in: transaction)
        }
    }

    // MARK: Inside a transaction

    static func make(
        _ id: PrincipalID, display: String?, subject: String?, in transaction: Transaction, at now: Timestamp
    ) throws {
        try transaction.execute(
            """
            INSERT INTO principals (id, display, disabled, certificate_subject, created) VALUES (?, ?, 0, ?, ?)
            ON CONFLICT (id) DO NOTHING
            """, [.text(id.text), .text(display ?? id.text), .init(subject), .init(now)])
        if let display {
            try transaction.execute(
                "UPDATE principals SET display = ? WHERE id = ?", [.text(display), .text(id.text)])
        }
        if let subject {
            try transaction.execute(
                "UPDATE principals SET certificate_subject = ? WHERE id = ?", [.text(subject), .text(id.text)])
        }
    }

    static func give(
        _ role: Role, to id: PrincipalID, on resource: AccessResource, by: String, in transaction: Transaction,
        at now: Timestamp
    ) throws {
        try transaction.execute(
            """
            INSERT INTO role_grants (principal, resource, role, granted, granted_by) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (principal, resource) DO UPDATE SET
                role = excluded.role, granted = excluded.granted, granted_by = excluded.granted_by
            """, [.text(id.text), .text(resource.text), .text(role.rawValue), .init(now), .text(by)])
    }

    static func principal(_ id: String, in transaction: Transaction) throws -> Principal {
        guard let row = try transaction.first("SELECT * FROM principals WHERE id = ?", [.text(id)]) else {
            throw AccessFailure.unknownPrincipal(id)
        }
        return try principal(row, in: transaction)
    }

    static func principal(_ row: Row, in transaction: Transaction) throws -> Principal {
        let id = try row.string("id")
        let grants = try transaction.query(
            "SELECT * FROM role_grants WHERE principal = ? ORDER BY resource", [.text(id)])
        return Principal(
            id: id, display: try row.string("display"), disabled: try row.bool("disabled"),
            certificateSubject: try row.optionalString("certificate_subject"), created: try row.timestamp("created"),
            grants: try grants.compactMap { grant in
                // A role that this program does not know gives nothing.
                guard let role = Role(rawValue: try grant.string("role")) else { return nil }
                return Principal.Grant(
                    role: role, resource: try grant.string("resource"), granted: try grant.timestamp("granted"),
                    by: try grant.string("granted_by"))
            })
    }

    private static func admins(in transaction: Transaction, without id: String) throws -> Int {
        try transaction.query(
            """
            SELECT p.id FROM principals p JOIN role_grants g ON g.principal = p.id
            WHERE p.disabled = 0 AND g.resource = '*' AND g.role = 'admin' AND p.id <> ?
            """, [.text(id)]
        ).count
    }

    /// Refuses a change that takes the last admin away, where `id` is it.
    private static func keepAdmin(without id: String, in transaction: Transaction) throws {
        let isAdmin = try admins(in: transaction, without: "") > admins(in: transaction, without: id)
        if isAdmin, try admins(in: transaction, without: id) == 0 { throw AccessFailure.lastAdmin(id) }
    }
}
