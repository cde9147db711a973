import Basics
import Foundation
import Synchronization

/// Whose signed tokens a server takes.
public struct WebTokenOptions: Sendable {
    /// A file with the issuer's public keys: a JSON Web Key Set (RFC 7517).
    public var keysPath: String
    /// What `iss` must be.
    public var issuer: String
    /// What must be among `aud`: a token for another service is none for this one.
    public var audience: String
    /// The claim that holds the roles: a list, or words with spaces between.
    public var rolesClaim: String
    /// Seconds by which the clocks of issuer and server may differ.
    public var leewaySeconds: Int64 = 60

    public init(keysPath: String, issuer: String, audience: String, rolesClaim: String = "roles") {
        self.keysPath = keysPath
        self.issuer = issuer
        self.audience = audience
        self.rolesClaim = rolesClaim
    }
}

/// Verifies JSON Web Tokens (RFC 7519) signed by RS256 or ES256.
///
/// The key decides on the algorithm, never the token; `exp` must be there. Keys are read from a file, anew when
/// ``reload()`` is called: whoever rotates them replaces the file.
public final class WebTokens: Sendable {
    /// A longer one is refused unread.
    static let bytesMax = 8192
    private static let fileMax = 1 << 20
    private static let keysMax = 100

    private let options: WebTokenOptions
    private let keys: Mutex<[WebKey]>
    private let changes = Atomic<Int>(0)

    /// - Throws: `AccessFailure.badFile` where the keys can not be read.
    public init(_ options: WebTokenOptions) throws(AccessFailure) {
        self.options = options
        keys = Mutex(try WebTokens.read(options.keysPath))
    }

    /// The file that the keys are in.
    public var path: String { options.keysPath }

    /// Moves when the keys change: what was verified by others is verified again.
    var generation: Int { changes.load(ordering: .acquiring) }

    /// Reads the keys again.
    /// - Throws: `AccessFailure.badFile`; the keys in use stay in use.
    public func reload() throws(AccessFailure) {
        let read = try WebTokens.read(options.keysPath)
        keys.withLock { $0 = read }
        changes.wrappingAdd(1, ordering: .acquiringAndReleasing)
    }

    /// What a token says, once it is verified.
    struct Claims: Sendable {
        let subject: String
        let roles: [Principal.Grant]
        /// With the leeway.
        let expires: Timestamp
    }

    /// Why a token is worth nothing.
    struct Problem: Error {
        let reason: String
    }

    /// Whether a text looks like a token in three parts.
    static func isToken(_ text: String) -> Bool { text.utf8.lazy.filter { $0 == UInt8(ascii: ".") }.count == 2 }

    /// - Throws: `Problem`.
    func verify(_ text: String, at moment: Timestamp) throws(Problem) -> Claims {
        let whole = Array(text.utf8)
        guard whole.count <= WebTokens.bytesMax else { throw Problem(reason: "the token is too long") }
        let parts = whole.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let headerBytes = Base64URL.decode(parts[0]),
            let payload = Base64URL.decode(parts[1]), let signature = Base64URL.decode(parts[2]),
            let header = try? JSON.decode(JSONValue.self, from: headerBytes), header.object != nil
        else { throw Problem(reason: "the token is malformed") }
        guard let algorithm = header["alg"]?.string.flatMap(WebKey.Algorithm.init) else {
            throw Problem(reason: "the token is not signed by RS256 or ES256")
        }
        guard header["crit"] == nil else { throw Problem(reason: "the token asks for what is not understood here") }
        let id = header["kid"]?.string
        let candidates = keys.withLock { $0 }.filter { $0.algorithm == algorithm && (id == nil || $0.id == id) }
        guard !candidates.isEmpty else { throw Problem(reason: "the key that the token names is not known") }
        let signed = Array(whole.prefix(parts[0].count + 1 + parts[1].count))
        guard candidates.contains(where: { $0.verifies(signature, of: signed) }) else {
            throw Problem(reason: "the signature of the token is wrong")
        }
        guard let claims = try? JSON.decode(JSONValue.self, from: payload), claims.object != nil else {
            throw Problem(reason: "the token is malformed")
        }
        return try check(claims, at: moment)
    }

    private func check(_ claims: JSONValue, at moment: Timestamp) throws(Problem) -> Claims {
        let leeway = max(0, options.leewaySeconds)
        let now = moment.microseconds / 1_000_000
        guard let expiry = try WebTokens.seconds(claims, "exp") else {
            throw Problem(reason: "the token has no time at which it expires")
        }
        guard now < expiry + leeway else { throw Problem(reason: "the token has expired") }
        for claim in ["nbf", "iat"] {
            guard let from = try WebTokens.seconds(claims, claim) else { continue }
            guard now >= from - leeway else { throw Problem(reason: "the token is not valid yet") }
        }
        guard claims["iss"]?.string == options.issuer else {
            throw Problem(reason: "the token is by another issuer")
        }
        let audience = claims["aud"]?.array?.compactMap(\.string) ?? claims["aud"]?.string.map { [$0] } ?? []
        guard audience.contains(options.audience) else {
            throw Problem(reason: "the token is for another service")
        }
        guard let subject = claims["sub"]?.string, (1...200).contains(subject.utf8.count),
            subject.utf8.allSatisfy({ $0 > 32 && $0 != 127 })
        else { throw Problem(reason: "the token does not say whose it is") }
        return Claims(
            subject: subject, roles: roles(claims, issued: moment),
            expires: Timestamp(microseconds: (expiry + leeway) * 1_000_000))
    }

    /// A time in seconds since 1970, which may have a fraction (RFC 7519, section 2).
    private static func seconds(_ claims: JSONValue, _ name: String) throws(Problem) -> Int64? {
        guard let value = claims[name] else { return nil }
        guard let number = value.double, (0...1e11).contains(number) else {
            throw Problem(reason: "'\(name)' of the token is no time")
        }
        return Int64(number)
    }

    /// `viewer`, or `operator:endpoint/orders` for a role on one resource. Words that are no role are other services'.
    private func roles(_ claims: JSONValue, issued: Timestamp) -> [Principal.Grant] {
        let claim = claims[options.rolesClaim]
        let words =
            claim?.array?.compactMap(\.string)
            ?? claim?.string.map { $0.split(separator: " ").map(String.init) } ?? []
        return words.prefix(100).compactMap { word in
            let parts = word.split(separator: ":", maxSplits: 1).map(String.init)
            guard let role = parts.first.flatMap(Role.init),
                let resource = try? AccessResource(parts.count > 1 ? parts[1] : AccessResource.everything.text)
            else { return nil }
            return Principal.Grant(role: role, resource: resource.text, granted: issued, by: options.issuer)
        }
    }

    private static func read(_ path: String) throws(AccessFailure) -> [WebKey] {
        func refuse(_ reason: String) -> AccessFailure { .badFile(path, reason) }
        guard let bytes = FileManager.default.contents(atPath: path) else { throw refuse("it can not be read") }
        guard bytes.count <= fileMax else { throw refuse("it has more than \(fileMax) bytes") }
        guard let document = try? JSON.decode(JSONValue.self, from: [UInt8](bytes)),
            let entries = document["keys"]?.array
        else { throw refuse("it is no JSON Web Key Set, {\"keys\": […]}") }
        guard entries.count <= keysMax else { throw refuse("it has more than \(keysMax) keys") }
        var keys: [WebKey] = []
        for entry in entries {
            do { if let key = try WebKey.read(entry) { keys.append(key) } } catch { throw refuse(error.reason) }
        }
        guard !keys.isEmpty else { throw refuse("it has no key for RS256 or ES256") }
        return keys
    }
}
