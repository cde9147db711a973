import Basics

/// The name of a principal: `user:mina` or `service:trainer`.
public struct PrincipalID: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let text: String

    /// - Parameter text: a bare name means a user. Other kinds are kept for the factory itself.
    /// - Throws: `AccessFailure.badPrincipal`.
    public init(_ text: String) throws(AccessFailure) {
        let whole = text.contains(":") ? text : "user:\(text)"
        let parts = whole.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let kind = parts.first, ["user", "service"].contains(kind), let name = parts.last,
            (1...100).contains(name.utf8.count),
            name.utf8.allSatisfy({
                (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || ".-_@".utf8.contains($0)
            })
        else { throw .badPrincipal(text) }
        self.text = whole
    }

    public var description: String { text }

    public static func < (left: PrincipalID, right: PrincipalID) -> Bool { left.text < right.text }
}

/// What a role or a token reaches: everything, all of a kind, or one thing.
public struct AccessResource: Sendable, Hashable, CustomStringConvertible {
    /// `*`, `model/*` or `model/arrival-delay`.
    public let text: String

    public static let everything = AccessResource(unchecked: "*")

    private init(unchecked text: String) { self.text = text }

    /// - Throws: `AccessFailure.badResource`.
    public init(_ text: String) throws(AccessFailure) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let printable = text.utf8.allSatisfy { $0 > 32 && $0 != 127 }
        let sound =
            parts.count == 2 && parts.allSatisfy { !$0.isEmpty }
            && (parts.first?.utf8.allSatisfy { (97...122).contains($0) } ?? false)
        guard text == "*" || (sound && printable && text.utf8.count <= 200) else { throw .badResource(text) }
        self.text = text
    }

    public var description: String { text }

    /// Whether it reaches a thing; a nil name asks for the factory as a whole.
    func covers(kind: String?, name: String?) -> Bool {
        if text == "*" { return true }
        guard let kind, let name else { return false }
        return text == "\(kind)/\(name)" || text == "\(kind)/*"
    }

    /// Whether it reaches anything of a kind.
    func reaches(_ kind: String) -> Bool { text == "*" || text.hasPrefix("\(kind)/") }
}

/// Somebody or something that can be told apart: a person, a program.
public struct Principal: Sendable, Hashable, Codable {
    /// A role on a resource.
    public struct Grant: Sendable, Hashable, Codable {
        public var role: Role
        /// `*`, `model/*` or `model/arrival-delay`.
        public var resource: String
        public var granted: Timestamp
        /// Who gave it.
        public var by: String
    }

    public var id: String
    /// What people call it.
    public var display: String
    /// A disabled principal keeps its roles and can do nothing.
    public var disabled: Bool
    /// The subject of its client certificates, as RFC 2253 text.
    public var certificateSubject: String?
    public var created: Timestamp
    public var grants: [Grant]
}
