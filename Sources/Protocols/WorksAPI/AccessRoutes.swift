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
        router.get(
            "\(Self.prefix)/tokens", needs: .right(to: .administer),
            about: .init(
                "Lists tokens, without their texts",
                query: [
                    .optional("principal", "only of this one")
                ], answer: .json([APIToken].self))
        ) { request in
            let principal = try request.query("principal").map { try PrincipalID($0) }
            return try .json(try await access.tokens(of: principal))
        }
        router.post(
            "\(Self.prefix)/tokens", needs: .right(to: .administer),
            about: .init(
                "Makes a token and tells its text this once", body: .json(TokenBody.self),
                answer: .json(IssuedDocument.self))
        ) { request in
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
        router.post(
            "\(Self.prefix)/tokens/{id}/revoke", needs: .right(to: .administer),
            about: .init(
                "Ends a token", answer: .json(APIToken.self))
        ) { request in
            try .json(try await access.revokeToken(try request.parameter("id"), by: principal(request)))
        }
    }

    private func installPrincipals(_ access: AccessStore, on router: Router) {
        router.get(
            "\(Self.prefix)/principals", needs: .right(to: .administer),
            about: .init(
                "Lists who may ask", answer: .json([Principal].self))
        ) { _ in
            try .json(try await access.principals())
        }
        router.post(
            "\(Self.prefix)/principals/{id}/grant", needs: .right(to: .administer),
            about: .init(
                "Gives a role", body: .json(GrantBody.self), answer: .json(Principal.self))
        ) { request in
            let wanted = try body(GrantBody.self, request)
            return try .json(
                try await access.grant(
                    wanted.role, to: try PrincipalID(try request.parameter("id")),
                    on: try AccessResource(wanted.on ?? "*"), display: wanted.display,
                    certificateSubject: wanted.certificateSubject, by: principal(request)))
        }
        router.post(
            "\(Self.prefix)/principals/{id}/revoke", needs: .right(to: .administer),
            about: .init(
                "Takes a role away", body: .json(RevokeBody.self), answer: .json(Principal.self))
        ) { request in
            let resource = try AccessResource(try body(RevokeBody.self, request).on ?? "*")
            return try .json(
                try await access.revokeRole(
                    from: try PrincipalID(try request.parameter("id")), on: resource, by: principal(request)))
        }
        for (word, disabled) in [("disable", true), ("enable", false)] {
            router.post(
                "\(Self.prefix)/principals/{id}/\(word)", needs: .right(to: .administer),
                about: .init(
                    "Keeps somebody out, or lets them in again", answer: .json(Principal.self))
            ) { request in
                try .json(
                    try await access.setDisabled(
                        disabled, try PrincipalID(try request.parameter("id")), by: principal(request)))
            }
        }
        router.get(
            "\(Self.prefix)/whoami", needs: .right(to: .read),
            about: .init(
                "Tells as whom one asks", answer: .json([String: String].self))
        ) { request in
            try .json(["principal": principal(request)])
        }
    }
}

private struct RevokeBody: Codable { var on: String? }
