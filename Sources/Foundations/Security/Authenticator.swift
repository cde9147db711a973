import Basics
import HTTP
import Synchronization
import Telemetry

/// The guard of a server: finds out who asks from `Authorization: Bearer` with a token of ours or a signed one of another
/// issuer, from Basic with a token as password, from `X-API-Key` or from a client certificate, and what they may do, and how
/// often.
///
/// What was found good is kept in memory for 4 seconds by its hash and looked up again in the background after 2, so the
/// hot path neither waits for SQL nor misses a revocation for longer than that. While the database does not answer,
/// who was found good stays so for a minute: whoever could revoke it can not reach the database either.
public final class Authenticator: AccessGuard {
    private let source: any CredentialSource
    private let webTokens: WebTokens?
    private let limits: RateLimits?
    private let log: Logger
    private let monotonic: @Sendable () -> UInt64
    private let clock: SteadyClock
    private let pause: @Sendable (Double) async -> Void
    private let times: IdentityCache.Times
    private let cache = IdentityCache()
    private let throttle = FailureThrottle()
    private let uses = Mutex<[String: Timestamp]>([:])
    private let failures: Counter
    private static let usesMax = 10_000

    /// - Parameters:
    ///   - webTokens: verifies the signed tokens of another issuer; nil where none are taken.
    ///   - limits: how often who was let in may ask; nil for no limit.
    ///   - metrics: gets `modelworks_access_failures_total`.
    ///   - log: told of failed attempts, never with what was shown.
    public convenience init(
        store: AccessStore, webTokens: WebTokens? = nil, limits: RateLimits? = nil, time: any TimeSource,
        metrics: MetricsRegistry = MetricsRegistry(), log: Logger = .silent
    ) {
        self.init(source: store, webTokens: webTokens, limits: limits, time: time, metrics: metrics, log: log)
    }

    /// The guard of a server without a factory.
    /// - Parameter keys: nil where only signed tokens are taken.
    public convenience init(
        keys: KeyFile?, webTokens: WebTokens?, limits: RateLimits? = nil, time: any TimeSource,
        metrics: MetricsRegistry = MetricsRegistry(), log: Logger = .silent
    ) {
        let source: any CredentialSource = keys ?? NoCredentials()
        self.init(source: source, webTokens: webTokens, limits: limits, time: time, metrics: metrics, log: log)
    }

    init(
        source: any CredentialSource, webTokens: WebTokens? = nil, limits: RateLimits? = nil, time: any TimeSource,
        metrics: MetricsRegistry = MetricsRegistry(), log: Logger = .silent,
        times: IdentityCache.Times = IdentityCache.Times(),
        monotonic: @escaping @Sendable () -> UInt64 = { SystemTime.monotonicNanoseconds },
        pause: @escaping @Sendable (Double) async -> Void = { try? await Task.sleep(for: .seconds($0)) }
    ) {
        self.source = source
        self.webTokens = webTokens
        self.limits = limits
        self.log = log
        self.monotonic = monotonic
        self.times = times
        self.pause = pause
        clock = SteadyClock(time, monotonic: monotonic)
        failures = metrics.counter(
            "modelworks_access_failures_total", help: "Requests whose credentials were wrong.")
    }

    // MARK: The hot path

    public func verdict(
        on credentials: InlineCredentials, for need: RouteNeed?, resource: UnsafeRawBufferPointer?
    ) -> AccessVerdict {
        let key: IdentityCache.Key
        var isBasic = false
        if let header = credentials.authorization {
            key = IdentityCache.Key(hash: TokenHash(of: header), kind: .authorization)
            isBasic = Credential.isBasic(header)
        } else if let text = credentials.apiKey {
            key = IdentityCache.Key(hash: TokenHash(of: text), kind: .apiKey)
        } else if let subject = credentials.clientSubject {
            key = IdentityCache.Key(hash: TokenHash(of: subject), kind: .certificate)
        } else {
            return .refused(Authenticator.nothingShown)
        }
        // Only the longer way compares where a page comes from.
        if isBasic, credentials.hasOrigin { return .unknown }
        let now = monotonic()
        guard let entry = cache.entry(key, thread: credentials.loopIndex, now: now), isGood(entry, now: now) else {
            return .unknown
        }
        if now >= entry.refreshAt, entry.claimRefresh() { refresh(key, entry) }
        let identity = entry.identity
        let mayEverywhere = need?.action.flatMap(Action.init).map(identity.mayEverywhere) ?? false
        do {
            if !mayEverywhere {
                try identity.require(need, on: resource.map { String(decoding: $0, as: UTF8.self) })
            }
            try limits?.take(identity.principal, for: need, model: resource)
            return .allowed(by: identity.principal)
        } catch {
            return .refused(error)
        }
    }

    /// Moves when what was found good before may be so no longer.
    private var generation: Int { source.generation &+ (webTokens?.generation ?? 0) }

    private func isGood(_ entry: IdentityCache.Entry, now: UInt64) -> Bool {
        guard now < entry.validUntil, entry.generation == generation else { return false }
        guard let expires = entry.identity.expires else { return true }
        return clock.now < expires
    }

    private func refresh(_ key: IdentityCache.Key, _ entry: IdentityCache.Entry) {
        Task {
            // Where it fails, the next request after the entry's end finds out in the foreground.
            _ = try? await renew(entry.identity, key)
        }
    }

    // MARK: The longer way

    public func admit(_ credentials: RequestCredentials) async throws -> Caller {
        let key: IdentityCache.Key
        if let header = credentials.authorization {
            key = IdentityCache.Key(hash: TokenHash(of: header), kind: .authorization)
            var header = header
            let isBasic = header.withUTF8 { Credential.isBasic(UnsafeRawBufferPointer($0)) }
            if isBasic { try Authenticator.refuseForeignPages(credentials) }
        } else if let text = credentials.apiKey {
            key = IdentityCache.Key(hash: TokenHash(of: text), kind: .apiKey)
        } else if let subject = credentials.clientSubject {
            key = IdentityCache.Key(hash: TokenHash(of: subject), kind: .certificate)
        } else {
            throw Authenticator.nothingShown
        }
        let now = monotonic()
        let known = cache.entry(key)
        if let known, isGood(known, now: now) { return caller(known.identity) }
        do {
            return caller(try await look(credentials, key))
        } catch let problem as Unproven {
            cache.remove(key)
            try await turnAway(credentials, problem)
        } catch {
            log.error("who asks can not be looked up", ["error": .string("\(error)")])
            if let known, now < known.graceUntil, known.identity.expires.map({ clock.now < $0 }) ?? true {
                return caller(known.identity)
            }
            throw error
        }
    }

    /// Writes down when tokens were used last. To be called now and then, in the background.
    public func flushUses() async throws {
        let noted = uses.withLock { uses in
            defer { uses = [:] }
            return uses
        }
        try await source.noteUse(noted)
    }

    /// Why a credential proves nothing.
    private struct Unproven: Error {
        var reason: String
        var remedy: String
        /// The public part of a token that is well formed.
        var tokenID: String?
    }

    private func look(_ credentials: RequestCredentials, _ key: IdentityCache.Key) async throws -> Identity {
        let generation = generation
        let now = monotonic()
        let identity: Identity
        if let header = credentials.authorization {
            identity = try await identify(header)
        } else if let text = credentials.apiKey {
            identity = try await identify(shown: text)
        } else {
            identity = try await identify(certificate: credentials.clientSubject ?? "")
        }
        let times = identity.isSigned ? .untilExpiry : times
        cache.put(IdentityCache.Entry(identity, generation: generation, at: now, times: times), key)
        return identity
    }

    private func identify(_ header: String) async throws -> Identity {
        guard let credential = Credential(header) else {
            throw Unproven(reason: "the Authorization header can not be read", remedy: Authenticator.howTo)
        }
        var user: String?
        let shown: String
        switch credential {
        case .bearer(let token): shown = token
        case .basic(let name, let password):
            shown = password
            if !name.isEmpty, name != "token" { user = name }
        }
        return try await identify(shown: shown, user: user)
    }

    /// - Parameter user: who is said to show it; nil where nothing is said.
    private func identify(shown: String, user: String? = nil) async throws -> Identity {
        let remedy = Authenticator.howTo
        if let webTokens, user == nil, WebTokens.isToken(shown) { return try verify(shown, webTokens) }
        guard let text = TokenText(shown) else {
            throw Unproven(reason: "what was sent is no token", remedy: remedy)
        }
        guard let found = try await source.find(text) else {
            throw Unproven(reason: "the token is not known", remedy: remedy, tokenID: text.id)
        }
        if let user, (try? PrincipalID(user))?.text != found.principal.id {
            throw Unproven(
                reason: "the token belongs to somebody else than the user name says",
                remedy: "Use 'token' as the user name", tokenID: text.id)
        }
        return try proven(found.token, found.principal)
    }

    private func verify(_ text: String, _ webTokens: WebTokens) throws -> Identity {
        do {
            let claims = try webTokens.verify(text, at: clock.now)
            // No kind of name that principals of ours have.
            let name = "jwt:\(claims.subject)"
            let principal = Principal(
                id: name, display: claims.subject, disabled: false, created: clock.now, grants: claims.roles)
            return Identity(principal, expires: claims.expires)
        } catch {
            throw Unproven(reason: error.reason, remedy: "Ask the issuer for a new token")
        }
    }

    private func proven(_ token: APIToken, _ principal: Principal) throws -> Identity {
        let remedy = "Ask an admin for 'modelworks token create --principal \(principal.id)'"
        let moment = clock.now
        if token.revoked != nil {
            throw Unproven(reason: "the token '\(token.id)' was revoked", remedy: remedy, tokenID: token.id)
        }
        if let expires = token.expires, moment >= expires {
            throw Unproven(
                reason: "the token '\(token.id)' expired at \(expires)", remedy: remedy, tokenID: token.id)
        }
        if principal.disabled {
            throw Unproven(
                reason: "\(principal.id) is disabled",
                remedy: "Ask an admin for 'modelworks principal enable \(principal.id)'", tokenID: token.id)
        }
        note(token.id, moment)
        return Identity(principal, token: token)
    }

    private func identify(certificate subject: String) async throws -> Identity {
        guard let principal = try await source.find(certificateSubject: subject) else {
            throw Unproven(
                reason: "the certificate of '\(subject)' belongs to no principal",
                remedy: "Ask an admin for 'modelworks principal grant NAME --role ROLE --certificate-subject SUBJECT'")
        }
        if principal.disabled {
            throw Unproven(
                reason: "\(principal.id) is disabled",
                remedy: "Ask an admin for 'modelworks principal enable \(principal.id)'")
        }
        return Identity(principal)
    }

    /// Looks an identity up again by its names alone: its proof was found good before.
    private func renew(_ identity: Identity, _ key: IdentityCache.Key) async throws {
        let generation = generation
        let now = monotonic()
        do {
            let fresh: Identity
            if let id = identity.tokenID {
                guard let found = try await source.find(tokenID: id) else {
                    throw Unproven(reason: "the token is gone", remedy: "", tokenID: id)
                }
                fresh = try proven(found.token, found.principal)
            } else {
                let id = try PrincipalID(identity.principal)
                let principal = try await source.principal(id)
                guard !principal.disabled else { throw Unproven(reason: "disabled", remedy: "") }
                fresh = Identity(principal)
            }
            cache.put(IdentityCache.Entry(fresh, generation: generation, at: now, times: times), key)
        } catch let problem as Unproven {
            cache.remove(key)
            throw problem
        }
    }

    private func note(_ id: String, _ moment: Timestamp) {
        let minute = moment.floored(toSeconds: 60)
        uses.withLock { uses in
            if uses[id] != nil || uses.count < Authenticator.usesMax { uses[id] = minute }
        }
    }

    private func turnAway(_ credentials: RequestCredentials, _ problem: Unproven) async throws -> Never {
        failures.increment()
        let (outcome, count) = throttle.failed(credentials.remoteAddress, now: monotonic())
        // The first ones, then ever fewer: an attack must not fill the log.
        if count <= 5 || count.nonzeroBitCount == 1 {
            log.warning(
                "credentials were wrong",
                [
                    "remote": .string(credentials.remoteAddress), "reason": .string(problem.reason),
                    "attempts": .integer(Int64(count)), "credential": problem.tokenID.map { .string($0) } ?? .null,
                ])
        }
        switch outcome {
        case .refused: throw AccessFailure.tooManyAttempts
        case .delayed(let seconds):
            if seconds > 0 {
                await pause(seconds)
                throttle.waited(credentials.remoteAddress)
            }
            throw HTTPFailure.unauthenticated(problem.reason, remedy: problem.remedy)
        }
    }

    private func caller(_ identity: Identity) -> Caller {
        Caller(name: identity.principal) { [limits] need, resource in
            try identity.require(need, on: resource)
            try limits?.take(identity.principal, for: need, model: resource)
        }
    }

    private static let howTo = "Send a valid token as 'Authorization: Bearer TOKEN'"

    private static let nothingShown = HTTPFailure.unauthenticated(
        "the request does not show who sends it", remedy: "Send a token as 'Authorization: Bearer TOKEN'")

    /// A browser sends the password of a site with whatever page asks for it, so a page of another origin could act in
    /// the name of its reader. Other clients send no Origin.
    private static func refuseForeignPages(_ credentials: RequestCredentials) throws {
        guard let origin = credentials.origin, credentials.method != .get, credentials.method != .head else { return }
        let authority = origin.split(separator: "/", omittingEmptySubsequences: true).last.map(String.init)
        guard let host = credentials.host, origin.contains("://"), authority?.lowercased() == host.lowercased() else {
            throw AccessFailure.foreignOrigin(origin)
        }
    }
}
