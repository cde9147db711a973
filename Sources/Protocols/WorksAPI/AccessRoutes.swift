import Basics
import HTTP
import Security

extension WorksAPI {
    /// A token that was just made, with its text.
    public struct IssuedDocument: Sendable, Codable {
        public var token: APIToken
        /// The text; it is told this once.
        public var secret: String
    }

    /// What a role is given or taken on.
    private struct GrantBody: Decodable {
        var role: Role
        var on: String?
        var display: String?
        var certificateSubject: String?
    }

    private struct TokenBody: Decodable {
        var principal: String
        var description: String?
        var role: Role?
        var actions: [Action]?
        var resources: [String]?
        /// Null: until it is revoked.
        var lifetimeSeconds: Int64?
        var neverExpires: Bool?
    }

    func installAccess(_ access: AccessStore, on router: Router) {
        installPrincipals(access, on: router)
        router.get("\(Self.prefix)/tokens", needs: .right(to: .administer)) { request in
            let principal = try request.query("principal").map { try PrincipalID($0) }
            return try .json(try await access.tokens(of: principal))
        }
        router.post("\(Self.prefix)/tokens", needs: .right(to: .administer)) { request in
            let wanted = try body(TokenBody.self, request)
            var asked = TokenRequest(
                principal: try PrincipalID(wanted.principal), description: wanted.description ?? "",
                scope: TokenScope(role: wanted.role, actions: wanted.actions, resources: wanted.resources),
                roleOfNewPrincipal: wanted.role)
            if let lifetime = wanted.lifetimeSeconds { asked.lifetime = lifetime }
            if wanted.neverExpires ?? false { asked.lifetime = nil }
            let issued = try await access.createToken(asked, by: principal(request))
            var response = try HTTPResponse.json(
                IssuedDocument(token: issued.token, secret: issued.secret.revealed))
            response.headers["Cache-Control"] = "no-store"
            return response
        }
        router.post("\(Self.prefix)/tokens/{id}/revoke", needs: .right(to: .administer)) { request in
            try .json(try await access.revokeToken(try request.parameter("id"), by: principal(request)))
        }
    }

    private func installPrincipals(_ access: AccessStore, on router: Router) {
        router.get("\(Self.prefix)/principals", needs: .right(to: .administer)) { _ in
            try .json(try await access.principals())
        }
        router.post("\(Self.prefix)/principals/{id}/grant", needs: .right(to: .administer)) { request in
            let wanted = try body(GrantBody.self, request)
            return try .json(
                try await access.grant(
                    wanted.role, to: try PrincipalID(try request.parameter("id")),
                    on: try AccessResource(wanted.on ?? "*"), display: wanted.display,
                    certificateSubject: wanted.certificateSubject, by: principal(request)))
        }
        router.post("\(Self.prefix)/principals/{id}/revoke", needs: .right(to: .administer)) { request in
            struct Body: Decodable { var on: String? }
            let resource = try AccessResource(try body(Body.self, request).on ?? "*")
            return try .json(
                try await access.revokeRole(
                    from: try PrincipalID(try request.parameter("id")), on: resource, by: principal(request)))
        }
        for (word, disabled) in [("disable", true), ("enable", false)] {
            router.post("\(Self.prefix)/principals/{id}/\(word)", needs: .right(to: .administer)) { request in
                try .json(
                    try await access.setDisabled(
                        disabled, try PrincipalID(try request.parameter("id")), by: principal(request)))
            }
        }
        router.get("\(Self.prefix)/whoami", needs: .right(to: .read)) { request in
            try .json(["principal": principal(request)])
        }
    }
}
