/// Whether callers have to show who they are.
public enum AccessMode: String, Sendable, Hashable, CaseIterable {
    /// Everybody who can connect may do everything, under the name they give: for one machine.
    case off
    case on

    /// What holds where nothing was said: `off` where only this machine can connect.
    public static func standard(host: String) -> AccessMode { isLoopback(host) ? .off : .on }

    /// Whether only this machine can connect to a server that listens on a host. A name counts by what it says, not by
    /// what it resolves to.
    public static func isLoopback(_ host: String) -> Bool {
        let name = host.lowercased()
        if name == "localhost" || name == "::1" || name == "[::1]" { return true }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.first == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    /// Refuses to serve a network what only one machine should reach.
    /// - Parameters:
    ///   - encrypted: whether the server has a certificate.
    ///   - insecure: whether somebody said that this is meant.
    /// - Throws: `AccessFailure.exposed`.
    public func check(host: String, encrypted: Bool, insecure: Bool) throws(AccessFailure) {
        guard !AccessMode.isLoopback(host), !insecure, self == .off || !encrypted else { return }
        throw .exposed(host: host, authenticated: self == .on, encrypted: encrypted)
    }
}
