import Foundation

/// The address of a store, such as `postgresql://works@db.internal/factory?sslmode=verify-full`.
///
/// A password is taken out of the address as it is read. Better ways to give one are the query items `password_env=NAME`
/// and `password_file=PATH`; any other secret of an engine is named the same way.
public struct StoreURL: Sendable, Hashable, CustomStringConvertible {
    /// In lower case.
    public let scheme: String
    /// Nil where the address names none, such as `sqlite:works.db`.
    public let host: String?
    public let port: Int?
    public let user: String?
    /// Percent-decoded: absolute for `file:///var/lib/works`, relative for `sqlite:works.db`, `/db` after a host.
    public let path: String
    /// Settings of the store by name, without the ones that name secrets.
    public let settings: [String: String]
    private let secrets: [String: Secret]

    /// - Parameters:
    ///   - text: the address.
    ///   - secrets: where `…_env` and `…_file` items are looked up.
    /// - Throws: `StoreURLFailure.malformed`, or the `SecretFailure` of a secret that can not be had.
    public init(_ text: String, secrets source: SecretSource) throws {
        guard let parts = URLComponents(string: text), let scheme = parts.scheme, !scheme.isEmpty else {
            throw StoreURLFailure.malformed(
                StoreURL.redacted(text), reason: "it is no address of the form scheme://host/path")
        }
        self.scheme = scheme.lowercased()
        host = parts.host.flatMap { $0.isEmpty ? nil : $0.trimmingCharacters(in: CharacterSet(charactersIn: "[]")) }
        port = parts.port
        user = parts.user.flatMap { $0.isEmpty ? nil : $0 }
        path = parts.path
        var settings: [String: String] = [:]
        var secrets: [String: Secret] = [:]
        if let password = parts.password, !password.isEmpty { secrets["password"] = Secret(password) }
        for item in parts.queryItems ?? [] {
            let value = item.value ?? ""
            if let name = item.name.cut("_env") {
                secrets[name] = try source.variable(value)
            } else if let name = item.name.cut("_file") {
                secrets[name] = try source.file(value)
            } else if settings.updateValue(value, forKey: item.name) != nil {
                throw StoreURLFailure.malformed(StoreURL.redacted(text), reason: "it sets '\(item.name)' twice")
            }
        }
        if let password = settings.removeValue(forKey: "password") { secrets["password"] = Secret(password) }
        self.settings = settings
        self.secrets = secrets
    }

    private init(_ other: StoreURL, path: String) {
        scheme = other.scheme
        host = other.host
        port = other.port
        user = other.user
        self.path = path
        settings = other.settings
        secrets = other.secrets
    }

    /// The same address with a relative path taken as one under `root`.
    public func rooted(at root: String) -> StoreURL {
        host != nil || path.isEmpty || path.hasPrefix("/") ? self : StoreURL(self, path: "\(root)/\(path)")
    }

    /// The secret of a name: `password` for the address's own.
    public func secret(_ name: String) -> Secret? { secrets[name] }

    /// The address without any secret.
    public var description: String {
        var text = "\(scheme):"
        if let host {
            text += "//" + (user.map { "\($0)@" } ?? "") + (host.contains(":") ? "[\(host)]" : host)
            if let port { text += ":\(port)" }
        } else if path.hasPrefix("/") {
            text += "//"
        }
        text += path
        let items = settings.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return items.isEmpty ? text : "\(text)?\(items.joined(separator: "&"))"
    }

    /// A setting that is a whole number.
    /// - Throws: `StoreURLFailure.setting` where it is none or lies outside `range`.
    public func integer(_ name: String, in range: ClosedRange<Int>) throws -> Int? {
        guard let text = settings[name] else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw StoreURLFailure.setting(
                name, in: description,
                reason: "it must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// A setting that is `true` or `false`.
    /// - Throws: `StoreURLFailure.setting` where it is neither.
    public func flag(_ name: String) throws -> Bool? {
        guard let text = settings[name] else { return nil }
        guard let value = Bool(text) else {
            throw StoreURLFailure.setting(name, in: description, reason: "it must be true or false")
        }
        return value
    }

    /// Refuses settings that the store does not know.
    /// - Throws: `StoreURLFailure.unknownSetting` naming the first.
    public func allow(_ known: Set<String>) throws {
        if let name = settings.keys.sorted().first(where: { !known.contains($0) }) {
            throw StoreURLFailure.unknownSetting(name, in: description, known: known.sorted())
        }
    }

    /// What may be told of a text that is no address: nothing that could be a password.
    private static func redacted(_ text: String) -> String {
        guard let at = text.lastIndex(of: "@") else { return text }
        return "…\(text[at...])"
    }
}

extension String {
    /// The text before a suffix, where it has that suffix and something before it.
    fileprivate func cut(_ suffix: String) -> String? {
        hasSuffix(suffix) && count > suffix.count ? String(dropLast(suffix.count)) : nil
    }
}

/// What can be wrong with the address of a store.
public enum StoreURLFailure: Failure, Hashable {
    case malformed(String, reason: String)
    case unknownScheme(String, store: String, known: [String])
    case unknownSetting(String, in: String, known: [String])
    case setting(String, in: String, reason: String)

    public var code: FailureCode { .invalidArgument }

    public var message: String {
        switch self {
        case .malformed(let url, let reason): "the store address '\(url)' can not be read: \(reason)"
        case .unknownScheme(let url, let store, _):
            "the \(store) store can not be opened at '\(url)': its scheme is not known"
        case .unknownSetting(let name, let url, _): "the store address '\(url)' has an unknown setting '\(name)'"
        case .setting(let name, let url, let reason): "the setting '\(name)' of '\(url)' can not be used: \(reason)"
        }
    }

    public var remedy: String? {
        switch self {
        case .malformed, .setting: nil
        case .unknownScheme(_, _, let known): "Known: \(known.joined(separator: ", "))"
        case .unknownSetting(let name, _, let known):
            known.isEmpty
                ? "It takes none"
                : (NearestWord.of(name, among: known).map { "Did you mean '\($0)'? " } ?? "")
                    + "Known: \(known.joined(separator: ", "))"
        }
    }
}
