import Basics

/// What can go wrong with principals, roles and tokens.
public enum AccessFailure: Failure, Hashable {
    /// A name that no principal can have.
    case badPrincipal(String)
    case badResource(String)
    case unknownPrincipal(String)
    case unknownToken(String)
    case noSuchGrant(principal: String, resource: String)
    /// The change would leave nobody who can make another.
    case lastAdmin(String)
    /// The certificate subject belongs to another principal.
    case subjectTaken(subject: String, by: String)
    case badLifetime(Int64)
    /// `role` is the least that would do; nil where the token leaves the action out.
    case forbidden(principal: String, action: String, resource: String?, role: Role?)
    /// The route says of itself no action, so only callers with every right get there.
    case undeclared(principal: String)
    /// A browser on a page of another origin sent a password.
    case foreignOrigin(String)
    case tooManyAttempts
    /// A file of keys can not be used, and why.
    case badFile(String, String)
    /// What is no rate limit.
    case badLimit(String)
    /// Listening beyond this machine without proof of who asks, or in clear text.
    case exposed(host: String, authenticated: Bool, encrypted: Bool)

    public var code: FailureCode {
        switch self {
        case .badPrincipal, .badResource, .badLifetime, .badLimit: .invalidArgument
        case .unknownPrincipal, .unknownToken, .noSuchGrant: .notFound
        case .lastAdmin, .exposed, .badFile: .failedPrecondition
        case .subjectTaken: .alreadyExists
        case .forbidden, .undeclared, .foreignOrigin: .permissionDenied
        case .tooManyAttempts: .resourceExhausted
        }
    }

    public var message: String {
        switch self {
        case .badPrincipal(let text): "'\(text.prefix(120))' is no name of a principal"
        case .badResource(let text): "'\(text.prefix(120))' is no resource"
        case .unknownPrincipal(let id): "there is no principal '\(id)'"
        case .unknownToken(let id): "there is no token '\(id)'"
        case .noSuchGrant(let principal, let resource): "\(principal) has no role on \(resource)"
        case .lastAdmin(let id): "\(id) is the last admin"
        case .subjectTaken(let subject, let principal):
            "the certificate subject '\(subject)' belongs to \(principal) already"
        case .badLifetime(let seconds): "a token can not be valid for \(seconds) seconds"
        case .forbidden(let principal, let action, let resource, let role):
            "\(principal) may not \(action)\(resource.map { " on \($0)" } ?? "")"
                + (role.map { ": that needs the role \($0.rawValue)" } ?? ": the token in use leaves that out")
        case .undeclared(let principal): "\(principal) may not use this route: only an admin may"
        case .foreignOrigin(let origin):
            "a request of a page at '\(origin.prefix(120))' may not change anything here with a password"
        case .badFile(let path, let reason): "the keys in '\(path)' can not be used: \(reason)"
        case .badLimit(let text): "'\(text.prefix(200))' is no rate limit"
        case .tooManyAttempts: "too many failed attempts to sign in come from this address"
        case .exposed(let host, let authenticated, let encrypted):
            "the server would listen on '\(host)', beyond this machine, without "
                + [authenticated ? nil : "authentication", encrypted ? nil : "TLS"].compactMap { $0 }
                .joined(separator: " and without ")
        }
    }

    public var remedy: String? {
        switch self {
        case .badPrincipal: "Write user:NAME or service:NAME: 1 to 100 letters, digits, '.', '_', '-' and '@'"
        case .badResource: "Write KIND/NAME, such as model/arrival-delay, KIND/* for all of a kind, or * for everything"
        case .unknownPrincipal: "See 'modelworks principal list'; 'modelworks principal grant' makes one"
        case .unknownToken: "See 'modelworks token list'"
        case .noSuchGrant: "See 'modelworks principal list'"
        case .lastAdmin: "Make another principal admin first"
        case .subjectTaken: "Take it from that principal first"
        case .badLifetime: "Choose from one minute to ten years, or 'never'"
        case .forbidden(let principal, _, let resource, let role):
            if let role {
                "Ask an admin for 'modelworks principal grant \(principal) --role \(role.rawValue)"
                    + (resource.map { " --on \($0)'" } ?? "'")
            } else {
                "Use a token that includes it"
            }
        case .undeclared: "Ask an admin"
        case .foreignOrigin: "Send a token as 'Authorization: Bearer'"
        case .tooManyAttempts: "Wait a moment, and check the token"
        case .badFile: "Give a file made by 'modelworks api-key create', or the issuer's JSON Web Key Set"
        case .badLimit:
            "Write KEY=RATE or KEY=RATE/BURST, a key such as all, principal, model:NAME or principal+model, and requests a second"
        case .exposed(_, let authenticated, _):
            (authenticated ? "Give --tls-cert and --tls-key" : "Leave out '--auth off', give --tls-cert and --tls-key")
                + ", listen on 127.0.0.1, or say --insecure where something in front of it does this work"
        }
    }
}
