/// Decides who may use which route. A router has at most one, given before its server starts.
public protocol AccessGuard: Sendable {
    /// The decision from what is in memory, on the loop thread: it must not block, and should not allocate.
    /// - Parameters:
    ///   - need: nil where the route declares none.
    ///   - resource: the name of the resource in bytes, where the path or the handler gives one.
    func verdict(
        on credentials: InlineCredentials, for need: RouteNeed?, resource: UnsafeRawBufferPointer?
    ) -> AccessVerdict

    /// Finds out who asks.
    /// - Throws: `HTTPFailure.unauthenticated`, or any `Failure` for which the caller is turned away.
    func admit(_ credentials: RequestCredentials) async throws -> Caller
}

/// What a request on the hot path shows of who asks: bytes of the transport, valid until its handler returns.
public struct InlineCredentials {
    /// The Authorization header as it came. Never to be logged.
    public let authorization: UnsafeRawBufferPointer?
    /// The X-API-Key header, which stands for a bearer token. Never to be logged.
    public let apiKey: UnsafeRawBufferPointer?
    /// The address of the peer, without its port.
    public let remoteAddress: UnsafeRawBufferPointer
    /// The subject of a client certificate that was verified, as RFC 2253 text.
    public let clientSubject: UnsafeRawBufferPointer?
    /// Whether a page of a browser sends it.
    public let hasOrigin: Bool
    /// Which loop this is; what a guard keeps for each loop needs no lock.
    public let loopIndex: Int

    package init(
        authorization: UnsafeRawBufferPointer?, apiKey: UnsafeRawBufferPointer? = nil,
        remoteAddress: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
        clientSubject: UnsafeRawBufferPointer?, hasOrigin: Bool, loopIndex: Int
    ) {
        self.authorization = authorization
        self.apiKey = apiKey
        self.remoteAddress = remoteAddress
        self.clientSubject = clientSubject
        self.hasOrigin = hasOrigin
        self.loopIndex = loopIndex
    }
}

/// What a guard says of a request on the hot path.
public enum AccessVerdict {
    /// - Parameter principal: who asks; nil where nobody looked.
    case allowed(by: String? = nil)
    /// The answer is the one for this error.
    case refused(any Error)
    /// It has to be looked up: `admit` is asked, and the handler runs afterwards.
    case unknown
}

/// What a request brings along to show who asks.
public struct RequestCredentials: Sendable {
    public var method: HTTPMethod
    /// The Authorization header as it came. Never to be logged.
    public var authorization: String?
    /// The X-API-Key header, which stands for a bearer token. Never to be logged.
    public var apiKey: String?
    public var origin: String?
    public var host: String?
    /// The address of the peer, without its port.
    public var remoteAddress: String
    /// The subject of a client certificate that was verified, as RFC 2253 text.
    public var clientSubject: String?

    public init(
        method: HTTPMethod, authorization: String? = nil, apiKey: String? = nil, origin: String? = nil,
        host: String? = nil, remoteAddress: String = "", clientSubject: String? = nil
    ) {
        self.method = method
        self.authorization = authorization
        self.apiKey = apiKey
        self.origin = origin
        self.host = host
        self.remoteAddress = remoteAddress
        self.clientSubject = clientSubject
    }

    init(_ request: HTTPRequest) {
        self.init(
            method: request.method, authorization: request.header("Authorization"),
            apiKey: request.header("X-API-Key"), origin: request.header("Origin"), host: request.header("Host"),
            remoteAddress: request.remoteAddress, clientSubject: request.clientSubject)
    }
}

/// Who asks, and what they may do.
public struct Caller: Sendable {
    /// Such as `user:mina`: what the journal says of what they do.
    public let name: String
    /// False for somebody who showed nothing and is told apart by the address alone: nothing is done in that name.
    public let isKnown: Bool
    private let check: @Sendable (RouteNeed?, String?) throws -> Void

    /// - Parameter check: throws where the caller may not do what is needed on the resource of that name.
    public init(
        name: String, isKnown: Bool = true,
        check: @escaping @Sendable (_ need: RouteNeed?, _ resource: String?) throws -> Void
    ) {
        self.name = name
        self.isKnown = isKnown
        self.check = check
    }

    /// Refuses what the caller may not do.
    /// - Parameter resource: the name of the resource, where the need has a kind.
    public func require(_ need: RouteNeed?, on resource: String? = nil) throws { try check(need, resource) }
}
