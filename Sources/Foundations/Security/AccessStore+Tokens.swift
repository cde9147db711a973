import Basics
import SQL

extension AccessStore {
    /// Makes a token. Its text is in the answer and nowhere else.
    /// - Throws: `AccessFailure.unknownPrincipal` where the principal does not exist and no role for it is given,
    ///   `badLifetime`, `badResource`.
    public func createToken(_ request: TokenRequest, by: String) async throws -> IssuedToken {
        if let lifetime = request.lifetime, !(60...315_576_000).contains(lifetime) {
            throw AccessFailure.badLifetime(lifetime)
        }
        for resource in request.scope.resources ?? [] { _ = try AccessResource(resource) }
        let text = TokenText(random: random)
        let scope = try JSON.string(request.scope)
        let token = try await change { transaction, now in
            if let role = request.roleOfNewPrincipal,
                try transaction.first("SELECT id FROM principals WHERE id = ?", [.text(request.principal.text)]) == nil
            {
                try AccessStore.make(request.principal, display: nil, subject: nil, in: transaction, at: now)
                try AccessStore.give(role, to: request.principal, on: .everything, by: by, in: transaction, at: now)
                try AccessStore.journal(
                    "access.role.granted", "principal/\(request.principal)",
                    ["role": .string(role.rawValue), "resource": "*"], by: by, in: transaction, at: now)
            }
            _ = try AccessStore.principal(request.principal.text, in: transaction)
            let expires = request.lifetime.map { now.advanced(bySeconds: $0) }
            try transaction.execute(
                """
                INSERT INTO api_tokens (id, principal, hash, description, scope, created, created_by, expires)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    .text(text.id), .text(request.principal.text), .text(text.hash.hex), .text(request.description),
                    .text(scope), .init(now), .text(by), .init(expires),
                ])
            try AccessStore.journal(
                "access.token.created", "token/\(text.id)",
                [
                    "principal": .string(request.principal.text), "scope": try JSON.value(request.scope),
                    "expires": expires.map { .string($0.description) } ?? .null,
                ], by: by, in: transaction, at: now)
            return APIToken(
                id: text.id, principal: request.principal.text, description: request.description, scope: request.scope,
                created: now, createdBy: by, expires: expires)
        }
        return IssuedToken(token: token, secret: text.secret)
    }

    /// Tokens in the order they were made, revoked and expired ones too.
    /// - Parameter principal: only those of this one.
    public func tokens(of principal: PrincipalID? = nil) async throws -> [APIToken] {
        try await database.read { transaction in
            let rows =
                if let principal {
                    try transaction.query(
                        "SELECT * FROM api_tokens WHERE principal = ? ORDER BY created, id", [.text(principal.text)])
                } else {
                    try transaction.query("SELECT * FROM api_tokens ORDER BY created, id")
                }
            return try rows.map(AccessStore.token)
        }
    }

    /// Ends a token for good; other processes take no notice of it after 5 seconds at most. Revoking it twice changes
    /// nothing.
    /// - Throws: `AccessFailure.unknownToken`.
    @discardableResult
    public func revokeToken(_ id: String, by: String) async throws -> APIToken {
        try await change { transaction, now in
            guard let row = try transaction.first("SELECT * FROM api_tokens WHERE id = ?", [.text(id)]) else {
                throw AccessFailure.unknownToken(id)
            }
            var token = try AccessStore.token(row)
            guard token.revoked == nil else { return token }
            try transaction.execute("UPDATE api_tokens SET revoked = ? WHERE id = ?", [.init(now), .text(id)])
            try AccessStore.journal(
                "access.token.revoked", "token/\(id)", ["principal": .string(token.principal)], by: by,
                in: transaction, at: now)
            token.revoked = now
            return token
        }
    }

    /// Notes when tokens were used last. No entry of the journal: nothing changes by it.
    func noteUse(_ uses: [String: Timestamp]) async throws {
        guard !uses.isEmpty else { return }
        try await database.write { transaction in
            for (id, moment) in uses {
                try transaction.execute(
                    "UPDATE api_tokens SET last_used = ? WHERE id = ? AND (last_used IS NULL OR last_used < ?)",
                    [.init(moment), .text(id), .init(moment)])
            }
        }
    }

    /// What a token stands for; nil where there is none of that name and hash.
    func find(_ text: TokenText) async throws -> (token: APIToken, principal: Principal)? {
        try await database.read { transaction in
            guard let row = try transaction.first("SELECT * FROM api_tokens WHERE id = ?", [.text(text.id)]),
                TokenHash(hex: try row.string("hash")) == text.hash
            else { return nil }
            let token = try AccessStore.token(row)
            return (token, try AccessStore.principal(token.principal, in: transaction))
        }
    }

    /// A token and its principal by the token's name, for one that was proven before; nil where it is gone.
    func find(tokenID id: String) async throws -> (token: APIToken, principal: Principal)? {
        try await database.read { transaction in
            guard let row = try transaction.first("SELECT * FROM api_tokens WHERE id = ?", [.text(id)]) else {
                return nil
            }
            let token = try AccessStore.token(row)
            return (token, try AccessStore.principal(token.principal, in: transaction))
        }
    }

    /// The principal that a certificate's subject belongs to.
    func find(certificateSubject subject: String) async throws -> Principal? {
        try await database.read { transaction in
            try transaction.first("SELECT * FROM principals WHERE certificate_subject = ?", [.text(subject)]).map {
                try AccessStore.principal($0, in: transaction)
            }
        }
    }

    private static func token(_ row: Row) throws -> APIToken {
        APIToken(
            id: try row.string("id"), principal: try row.string("principal"),
            description: try row.string("description"),
            scope: try JSON.decode(TokenScope.self, from: try row.string("scope")),
            created: try row.timestamp("created"), createdBy: try row.string("created_by"),
            expires: try row.optionalInteger("expires").map(Timestamp.init(microseconds:)),
            revoked: try row.optionalInteger("revoked").map(Timestamp.init(microseconds:)),
            lastUsed: try row.optionalInteger("last_used").map(Timestamp.init(microseconds:)))
    }
}
