import Basics

/// Where tokens and certificates are looked up.
protocol CredentialSource: Sendable {
    /// Moves when what was decided before may be decided otherwise now.
    var generation: Int { get }

    /// What a token stands for; nil where there is none of that name and hash.
    func find(_ text: TokenText) async throws -> (token: APIToken, principal: Principal)?

    /// A token and its principal by the token's name, for one that was proven before; nil where it is gone.
    func find(tokenID id: String) async throws -> (token: APIToken, principal: Principal)?

    /// The principal that a certificate's subject belongs to.
    func find(certificateSubject subject: String) async throws -> Principal?

    /// - Throws: `AccessFailure.unknownPrincipal`.
    func principal(_ id: PrincipalID) async throws -> Principal

    /// Notes when tokens were used last.
    func noteUse(_ uses: [String: Timestamp]) async throws
}

extension AccessStore: CredentialSource {}

/// Knows nobody: where all who are let in prove themselves otherwise.
struct NoCredentials: CredentialSource {
    let generation = 0

    func find(_ text: TokenText) -> (token: APIToken, principal: Principal)? { nil }
    func find(tokenID id: String) -> (token: APIToken, principal: Principal)? { nil }
    func find(certificateSubject subject: String) -> Principal? { nil }
    func principal(_ id: PrincipalID) throws -> Principal { throw AccessFailure.unknownPrincipal(id.text) }
    func noteUse(_ uses: [String: Timestamp]) {}
}
