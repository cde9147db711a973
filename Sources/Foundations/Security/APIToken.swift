import Basics

/// What is known of an API token, without the token itself.
public struct APIToken: Sendable, Hashable, Codable {
    /// Names it; part of its text, no secret.
    public var id: String
    public var principal: String
    public var description: String
    public var scope: TokenScope
    public var created: Timestamp
    public var createdBy: String
    /// Nil: it is valid until it is revoked.
    public var expires: Timestamp?
    public var revoked: Timestamp?
    /// The last use, to the minute.
    public var lastUsed: Timestamp?
}

/// What a token leaves of its principal's rights.
public struct TokenScope: Sendable, Hashable, Codable {
    /// With it nothing can be done that needs a higher role; nil leaves all.
    public var role: Role?
    /// Nil leaves all.
    public var actions: [Action]?
    /// As in `AccessResource`; nil leaves all. With a list, whatever concerns the factory as a whole is left out.
    public var resources: [String]?

    public init(role: Role? = nil, actions: [Action]? = nil, resources: [String]? = nil) {
        self.role = role
        self.actions = actions
        self.resources = resources
    }

    /// Everything its principal may do.
    public static let whole = TokenScope()
}

/// A token that was just made: the only moment at which its text is known.
public struct IssuedToken: Sendable {
    public let token: APIToken
    /// What its holder sends as `Authorization: Bearer`.
    public let secret: Secret
}

/// What is asked for when a token is made.
public struct TokenRequest: Sendable {
    public var principal: PrincipalID
    public var description: String
    public var scope: TokenScope
    /// Seconds from now, at least 60 and at most ten years; nil: until it is revoked.
    public var lifetime: Int64?
    /// The role a principal gets that does not exist yet; nil: the principal must exist.
    public var roleOfNewPrincipal: Role?

    public init(
        principal: PrincipalID, description: String = "", scope: TokenScope = .whole, lifetime: Int64? = 90 * 86_400,
        roleOfNewPrincipal: Role? = nil
    ) {
        self.principal = principal
        self.description = description
        self.scope = scope
        self.lifetime = lifetime
        self.roleOfNewPrincipal = roleOfNewPrincipal
    }
}
