import Basics
import HTTP

/// A principal whose proof was found good, with what it may do.
final class Identity: Sendable {
    let principal: String
    /// The token that it showed; nil for a certificate.
    let tokenID: String?
    let expires: Timestamp?
    /// Whether the proof is a signed token, which nothing that is looked up can take back.
    let isSigned: Bool
    private let scope: TokenScope
    /// The role on everything.
    private let role: Role?
    private let grants: [Principal.Grant]

    /// - Parameter expires: when the proof does, where it is no token of ours.
    init(_ principal: Principal, token: APIToken? = nil, expires: Timestamp? = nil) {
        self.principal = principal.id
        tokenID = token?.id
        self.expires = token?.expires ?? expires
        isSigned = token == nil && expires != nil
        scope = token?.scope ?? .whole
        role = principal.grants.first { $0.resource == AccessResource.everything.text }?.role
        grants = principal.grants.filter { $0.resource != AccessResource.everything.text }
    }

    /// Whether the role on everything and a token without limits are enough: no resource need be looked at.
    func mayEverywhere(_ action: Action) -> Bool {
        guard let role, scope.resources == nil, scope.actions?.contains(action) ?? true else { return false }
        return min(role, scope.role ?? .admin) >= action.role
    }

    /// Refuses what the principal may not do, or not with this token.
    /// - Throws: `AccessFailure.forbidden`, `undeclared`.
    func require(_ need: RouteNeed?, on name: String?) throws(AccessFailure) {
        guard let need else {
            guard mayEverywhere(.administer), scope.actions == nil else { throw .undeclared(principal: principal) }
            return
        }
        guard let text = need.action else { return }
        guard let action = Action(rawValue: text) else { throw .undeclared(principal: principal) }
        if mayEverywhere(action) { return }
        let kind = name == nil ? nil : need.kind
        let resource = kind.flatMap { kind in name.map { "\(kind)/\($0)" } }
        // Before the handler has named the resource, any of the kind will do.
        let some = name == nil && need.isNamedByHandler ? need.kind : nil
        func reaches(_ text: String) -> Bool {
            guard let place = try? AccessResource(text) else { return false }
            return some.map(place.reaches) ?? place.covers(kind: kind, name: name)
        }
        let best = ([role] + grants.filter { reaches($0.resource) }.map(\.role)).compactMap(\.self).max()
        guard let best, best >= action.role else {
            throw .forbidden(principal: principal, action: text, resource: resource, role: action.role)
        }
        let scoped =
            (scope.role ?? .admin) >= action.role && scope.actions?.contains(action) ?? true
            && scope.resources?.contains(where: reaches) ?? true
        guard scoped else { throw .forbidden(principal: principal, action: text, resource: resource, role: nil) }
    }
}
