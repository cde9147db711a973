import HTTP

/// The guard of a server that lets everybody in and yet has limits: who asks is told apart by the address.
public struct OpenAccess: AccessGuard {
    private let limits: RateLimits

    public init(limits: RateLimits) { self.limits = limits }

    public func verdict(
        on credentials: InlineCredentials, for need: RouteNeed?, resource: UnsafeRawBufferPointer?
    ) -> AccessVerdict {
        do {
            try limits.take(
                OpenAccess.name(String(decoding: credentials.remoteAddress, as: UTF8.self)), for: need, model: resource)
            return .allowed()
        } catch {
            return .refused(error)
        }
    }

    public func admit(_ credentials: RequestCredentials) async throws -> Caller {
        let name = OpenAccess.name(credentials.remoteAddress)
        return Caller(name: name, isKnown: false) { [limits] need, resource in
            try limits.take(name, for: need, model: resource)
        }
    }

    private static func name(_ address: String) -> String { "address:\(FailureThrottle.source(address))" }
}
