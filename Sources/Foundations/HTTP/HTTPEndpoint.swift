import Foundation

/// Whose certificates a client takes for genuine.
public enum HTTPTrust: Sendable, Equatable {
    /// The authorities of this machine.
    case system
    /// The authorities, or the one certificate, of a PEM file.
    case authority(path: String)
    /// No check at all: for tests.
    case anybody
}

/// The parts of a base URL.
struct HTTPEndpoint: Sendable, CustomStringConvertible {
    let tls: Bool
    let host: String
    let port: UInt16
    let pathPrefix: String

    /// The value of the Host header.
    let authority: String

    init(_ url: String) throws(HTTPFailure) {
        guard let parts = URLComponents(string: url), let scheme = parts.scheme?.lowercased(),
            scheme == "http" || scheme == "https", let rawHost = parts.host, !rawHost.isEmpty,
            let port = UInt16(exactly: parts.port ?? (scheme == "https" ? 443 : 80))
        else { throw .badURL(url) }
        tls = scheme == "https"
        host = rawHost.trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        self.port = port
        var prefix = parts.percentEncodedPath
        while prefix.hasSuffix("/") { prefix.removeLast() }
        pathPrefix = prefix
        let shown = host.contains(":") ? "[\(host)]" : host
        authority = parts.port == nil ? shown : "\(shown):\(port)"
    }

    var description: String { "\(tls ? "https" : "http")://\(authority)" }
}
