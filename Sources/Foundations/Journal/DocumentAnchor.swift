import Basics

/// An anchor in a store of named documents, such as an object of a bucket elsewhere.
///
/// The latest checkpoint is one document that is replaced only in the version that was read: of two processes that store
/// at once, the second reads again, so that it never goes back.
public struct DocumentAnchor: JournalAnchor {
    /// A document and its version, such as an entity tag; nil for a store that has none.
    public struct Document: Sendable {
        public let bytes: [UInt8]
        public let version: String?

        public init(bytes: [UInt8], version: String?) {
            self.bytes = bytes
            self.version = version
        }
    }

    /// Gives a document, or nil where there is none of that name.
    public typealias Get = @Sendable (_ name: String) async throws -> Document?
    /// Writes a document durably, if its version is still the one that was read (nil: if there is still none); false where
    /// it is another by now. A store without versions may always write: then only one process may use the anchor.
    public typealias Put =
        @Sendable (_ name: String, _ bytes: [UInt8], _ replacing: String?) async throws -> Bool

    public let place: String
    private let name: String
    private let get: Get
    private let put: Put
    private static let attempts = 10

    /// - Parameters:
    ///   - name: of the document, such as `journal/checkpoint.json`.
    ///   - place: the store, for messages; no secret.
    public init(name: String, place: String, get: @escaping Get, put: @escaping Put) {
        self.name = name
        self.place = "'\(name)' in \(place)"
        self.get = get
        self.put = put
    }

    public func store(_ checkpoint: Checkpoint) async throws {
        let bytes = try JSON.canonical(checkpoint)
        for _ in 0..<Self.attempts {
            let document = try await reach { try await get(name) }
            guard try follows(checkpoint, try document.map(read)) else { return }
            if try await reach({ try await put(name, bytes, document?.version) }) { return }
        }
        throw JournalFailure.anchor(place: place, reason: "others wrote it at every one of \(Self.attempts) attempts")
    }

    public func latest() async throws -> Checkpoint? { try await reach { try await get(name) }.map(read) }

    private func read(_ document: Document) throws -> Checkpoint {
        do { return try JSON.decode(Checkpoint.self, from: document.bytes) } catch {
            throw JournalFailure.anchor(place: place, reason: "it is no checkpoint: \(error)")
        }
    }

    private func reach<Value>(_ body: () async throws -> Value) async throws -> Value {
        do { return try await body() } catch {
            throw JournalFailure.anchor(place: place, reason: "\((error as? any Failure)?.message ?? "\(error)")")
        }
    }
}
