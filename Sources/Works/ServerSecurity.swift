import HTTP
import Security

/// How a server keeps out whom it should.
public struct ServerSecurity: Sendable {
    public var access: AccessMode
    /// Nil: plain HTTP.
    public var certificate: HTTPServerConfiguration.Certificate?
    /// Whether listening beyond this machine without authentication and TLS was asked for in so many words.
    public var insecure: Bool
    /// Each element has certificate and keys read again at once, and the access log opened anew; the files are looked at
    /// every few seconds besides.
    public var reloads: AsyncStream<Void>?

    /// Open to everybody on this machine.
    public init(
        access: AccessMode = .off, certificate: HTTPServerConfiguration.Certificate? = nil, insecure: Bool = false,
        reloads: AsyncStream<Void>? = nil
    ) {
        self.access = access
        self.certificate = certificate
        self.insecure = insecure
        self.reloads = reloads
    }
}
