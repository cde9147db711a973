import Basics
import Foundation
import Sealing

/// An address that is told of changes in the registry.
public struct Webhook: Sendable, Equatable {
    public var id: String
    public var name: String
    public var description: String
    public var url: String
    public var events: [WebhookEvent]
    public var isActive: Bool
    public var created: Timestamp
    public var updated: Timestamp

    /// - Throws: ``RegistryFailure/invalid(_:)``.
    static func check(name: String) throws {
        let isPlain = name.utf8.allSatisfy {
            (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || ".-_".utf8.contains($0)
        }
        let ends = [name.utf8.first, name.utf8.last].allSatisfy { $0.map { !".-_".utf8.contains($0) } ?? false }
        guard isPlain, ends, name.utf8.count <= 63 else {
            throw RegistryFailure.invalid(
                "Webhook name '\(name)' is invalid. It must start and end with a letter or digit, be at most 63 characters "
                    + "long, and contain only letters, digits, dots (.), underscores (_), and hyphens (-).")
        }
    }

    /// Refuses an address that nothing should be sent to.
    /// - Parameter hosts: those that are allowed; nil allows any.
    /// - Throws: ``RegistryFailure/badAddress(_:reason:)``.
    static func check(url: String, hosts: [String]?) throws {
        guard let parts = URLComponents(string: url), let host = parts.encodedHost?.lowercased(), !host.isEmpty,
            let scheme = parts.scheme?.lowercased()
        else { throw RegistryFailure.badAddress(url, reason: "it is no URL with a host") }
        // An escaped NUL, for one, would end the name of the host later on, and so before what the list was compared with.
        let isAddress = host.hasPrefix("[") && host.hasSuffix("]")
        guard
            (isAddress ? host.dropFirst().dropLast() : host[...]).utf8.allSatisfy({
                (48...57).contains($0) || (97...122).contains($0) || ".:-".utf8.contains($0)
            })
        else {
            throw RegistryFailure.badAddress(url, reason: "its host has other characters than a-z, 0-9, '.', ':', '-'")
        }
        guard ["http", "https"].contains(scheme) else {
            throw RegistryFailure.badAddress(url, reason: "its scheme is neither http nor https")
        }
        guard parts.user == nil, parts.password == nil, parts.fragment == nil else {
            throw RegistryFailure.badAddress(url, reason: "it has a user, a password or a fragment")
        }
        guard let hosts else { return }
        let port = parts.port ?? (scheme == "https" ? 443 : 80)
        let isAllowed = hosts.contains { pattern in
            let pattern = pattern.lowercased()
            if pattern.hasPrefix("*.") { return host.hasSuffix(pattern.dropFirst()) }
            return pattern == host || pattern == "\(host):\(port)"
        }
        guard isAllowed else { throw RegistryFailure.badAddress(url, reason: "its host is not in 'webhook_hosts'") }
    }

    /// What the journal tells of an address: paths and queries of webhooks are often secrets.
    static func journaled(url: String) -> [String: JSONValue] {
        guard let parts = URLComponents(string: url) else { return [:] }
        return [
            "scheme": .string(parts.scheme?.lowercased() ?? ""),
            "host": .string(parts.encodedHost?.lowercased() ?? ""),
            "path": .string(Digest(of: parts.percentEncodedPath).description),
        ]
    }
}

/// News on the way to an address.
public struct WebhookDelivery: Sendable, Codable, Equatable {
    /// The same for every attempt, so that who receives it twice can tell.
    public var id: String
    public var webhook: String
    /// Of the journal's entry that it tells of.
    public var sequence: Int64
    public var event: String
    public var state: State
    public var attempts: Int
    /// When it is sent next; nil where it is not.
    public var next: Timestamp?
    /// Why the last attempt failed; nil where none did.
    public var error: String?
    public var created: Timestamp

    public enum State: String, Sendable, Codable, CaseIterable {
        case waiting, delivered
        /// Given up after so many attempts.
        case dead
    }
}

/// A request that is to be sent now.
public struct WebhookRequest: Sendable {
    public var id: String
    /// The id of the webhook.
    public var webhook: String
    public var url: String
    public var body: [UInt8]
    public var secret: Secret?

    /// The headers that MLflow's own server sends: the id, the time, and `v1,` with the Base64 of the HMAC-SHA256 over
    /// `ID.TIME.BODY` where there is a secret.
    public func headers(at now: Timestamp) -> [(name: String, value: String)] {
        let seconds = String(now.microseconds / 1_000_000)
        var headers = [
            (name: "Content-Type", value: "application/json"), (name: "X-MLflow-Delivery-Id", value: id),
            (name: "X-MLflow-Timestamp", value: seconds),
        ]
        if let secret {
            let signature = KeyedHash.sha256(Array("\(id).\(seconds).".utf8) + body, key: secret)
            headers.append((name: "X-MLflow-Signature", value: "v1,\(Base64.text(signature))"))
        }
        return headers
    }
}

/// What came of sending a request once.
public struct WebhookTrial: Sendable, Equatable {
    /// The status of the answer; nil where there was none.
    public var status: Int?
    /// The beginning of the answer, or why there was none.
    public var text: String

    public init(status: Int?, text: String) {
        self.status = status
        self.text = text
    }

    /// Whether the news was received.
    public var isGood: Bool { status.map { (200...299).contains($0) } ?? false }
}
