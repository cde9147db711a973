import Basics
import Foundation
import Synchronization

/// API keys in a file, for servers without a factory. It holds hashes: who reads it can not use a key.
public final class KeyFile: CredentialSource {
    /// One key as the file has it.
    public struct Entry: Sendable, Codable, Equatable {
        /// Names it; part of the key's text, no secret.
        public var id: String
        /// The SHA-256 of the key.
        public var hash: String
        public var principal: String
        public var role: Role
        /// Nil leaves all that the role may do.
        public var actions: [Action]?
        /// Such as `endpoint/orders`; nil leaves all.
        public var resources: [String]?
        public var description: String?
        public var created: Timestamp
        /// Nil: it is valid until it is taken out of the file.
        public var expires: Timestamp?
    }

    /// What a new key is to be.
    public struct Request: Sendable {
        public var principal: PrincipalID
        public var role: Role
        public var actions: [Action]?
        public var resources: [String]?
        public var description: String?
        /// Nil: until it is revoked.
        public var lifetimeSeconds: Int64?

        public init(
            principal: PrincipalID, role: Role, actions: [Action]? = nil, resources: [String]? = nil,
            description: String? = nil, lifetimeSeconds: Int64? = nil
        ) {
            self.principal = principal
            self.role = role
            self.actions = actions
            self.resources = resources
            self.description = description
            self.lifetimeSeconds = lifetimeSeconds
        }
    }

    private struct Document: Codable {
        var keys: [Entry] = []
    }

    private static let bytesMax = 16 << 20

    public let path: String
    private let entries: Mutex<[String: Entry]>
    private let changes = Atomic<Int>(0)

    /// - Throws: `AccessFailure.badFile`.
    public init(path: String) throws(AccessFailure) {
        self.path = path
        entries = Mutex(try KeyFile.index(KeyFile.read(path), path))
    }

    /// Reads the file again.
    /// - Throws: `AccessFailure.badFile`; the keys in use stay in use.
    public func reload() throws(AccessFailure) {
        let read = try KeyFile.index(KeyFile.read(path), path)
        entries.withLock { $0 = read }
        changes.wrappingAdd(1, ordering: .acquiringAndReleasing)
    }

    // MARK: Changing a file

    /// Every key of a file, in its order.
    /// - Throws: `AccessFailure.badFile`.
    public static func list(_ path: String) throws(AccessFailure) -> [Entry] { try read(path) }

    /// Adds a key to a file, which is made where there is none.
    /// - Throws: `AccessFailure.badFile`, `badResource`, `badLifetime`.
    public static func create(
        _ request: Request, in path: String, time: any TimeSource, random: any RandomSource
    ) throws -> (entry: Entry, secret: Secret) {
        for resource in request.resources ?? [] { _ = try AccessResource(resource) }
        if let lifetime = request.lifetimeSeconds, !(60...315_576_000).contains(lifetime) {
            throw AccessFailure.badLifetime(lifetime)
        }
        let text = TokenText(random: random)
        let now = time.now
        let entry = Entry(
            id: text.id, hash: text.hash.hex, principal: request.principal.text, role: request.role,
            actions: request.actions, resources: request.resources, description: request.description, created: now,
            expires: request.lifetimeSeconds.map(now.advanced(bySeconds:)))
        let known = FileManager.default.fileExists(atPath: path) ? try read(path) : []
        try write(known + [entry], to: path)
        return (entry, text.secret)
    }

    /// Takes a key out of a file.
    /// - Throws: `AccessFailure.unknownToken`, `badFile`.
    public static func revoke(_ id: String, in path: String) throws {
        let known = try read(path)
        guard known.contains(where: { $0.id == id }) else { throw AccessFailure.unknownToken(id) }
        try write(known.filter { $0.id != id }, to: path)
    }

    private static func read(_ path: String) throws(AccessFailure) -> [Entry] {
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw .badFile(path, "it can not be read")
        }
        guard bytes.count <= bytesMax else { throw .badFile(path, "it has more than \(bytesMax) bytes") }
        do { return try JSON.decode(Document.self, from: [UInt8](bytes)).keys } catch {
            throw .badFile(path, "it is no file of API keys: \(error)")
        }
    }

    /// In one step, so that a server never reads half of it.
    private static func write(_ entries: [Entry], to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let beside = "\(path).new"
        let data = try encoder.encode(Document(keys: entries))
        guard
            FileManager.default.createFile(
                atPath: beside, contents: data, attributes: [.posixPermissions: 0o600]), rename(beside, path) == 0
        else { throw AccessFailure.badFile(path, String(cString: strerror(errno))) }
    }

    private static func index(_ entries: [Entry], _ path: String) throws(AccessFailure) -> [String: Entry] {
        for entry in entries {
            guard TokenHash(hex: entry.hash) != nil, (try? PrincipalID(entry.principal)) != nil else {
                throw .badFile(path, "the key '\(entry.id)' has no sound hash and principal")
            }
        }
        return Dictionary(entries.map { ($0.id, $0) }) { _, last in last }
    }

    // MARK: Looking up

    var generation: Int { changes.load(ordering: .acquiring) }

    func find(_ text: TokenText) -> (token: APIToken, principal: Principal)? {
        guard let entry = entries.withLock({ $0[text.id] }), TokenHash(hex: entry.hash) == text.hash else { return nil }
        return KeyFile.proof(entry)
    }

    func find(tokenID id: String) -> (token: APIToken, principal: Principal)? {
        entries.withLock { $0[id] }.map(KeyFile.proof)
    }

    func find(certificateSubject subject: String) -> Principal? { nil }

    func principal(_ id: PrincipalID) throws -> Principal { throw AccessFailure.unknownPrincipal(id.text) }

    func noteUse(_ uses: [String: Timestamp]) {}

    private static func proof(_ entry: Entry) -> (token: APIToken, principal: Principal) {
        let token = APIToken(
            id: entry.id, principal: entry.principal, description: entry.description ?? "",
            scope: TokenScope(actions: entry.actions, resources: entry.resources), created: entry.created,
            createdBy: "", expires: entry.expires)
        let grant = Principal.Grant(
            role: entry.role, resource: AccessResource.everything.text, granted: entry.created, by: "")
        let principal = Principal(
            id: entry.principal, display: entry.principal, disabled: false, created: entry.created, grants: [grant])
        return (token, principal)
    }
}
