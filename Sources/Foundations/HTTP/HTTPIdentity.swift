/// The certificate that a client shows to servers that ask for one: PEM files.
public struct HTTPIdentity: Sendable, Equatable {
    /// The certificate, followed by those between it and the root.
    public var chainPath: String
    public var keyPath: String

    public init(chainPath: String, keyPath: String) {
        self.chainPath = chainPath
        self.keyPath = keyPath
    }
}
