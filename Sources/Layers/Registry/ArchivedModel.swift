import Basics

/// Everything that is known of a registered model and its versions, in one document: what an import brings, and what a
/// stored model is compared with. Equal models have equal documents.
public struct ArchivedModel: Sendable, Codable, Equatable {
    public var name: String
    public var description: String
    public var created: Timestamp
    public var updated: Timestamp
    public var tags: [String: String]
    /// Versions by the aliases that stand for them.
    public var aliases: [String: Int64]
    /// The highest number that was ever given; no less than that of any version.
    public var lastVersion: Int64
    /// In the order of their numbers.
    public private(set) var versions: [Version]

    /// A version of the model.
    public struct Version: Sendable, Codable, Equatable {
        public var number: Int64
        public var stage: Stage
        public var description: String
        /// Where it was registered from, as a URI.
        public var source: String
        /// Where its files are, as a URI.
        public var location: String
        /// Empty where none was named.
        public var run: String
        public var runLink: String
        public var loggedModel: String?
        public var created: Timestamp
        public var updated: Timestamp
        public var tags: [String: String]

        public init(
            number: Int64, stage: Stage, description: String, source: String, location: String, run: String,
            runLink: String, loggedModel: String?, created: Timestamp, updated: Timestamp, tags: [String: String]
        ) {
            self.number = number
            self.stage = stage
            self.description = description
            self.source = source
            self.location = location
            self.run = run
            self.runLink = runLink
            self.loggedModel = loggedModel
            self.created = created
            self.updated = updated
            self.tags = tags
        }
    }

    public init(
        name: String, description: String, created: Timestamp, updated: Timestamp, tags: [String: String],
        aliases: [String: Int64], lastVersion: Int64, versions: [Version]
    ) {
        self.name = name
        self.description = description
        self.created = created
        self.updated = updated
        self.tags = tags
        self.aliases = aliases
        self.lastVersion = max(lastVersion, versions.map(\.number).max() ?? 0)
        self.versions = versions.sorted { $0.number < $1.number }
    }

    /// Reads a document, whose versions and highest number need not agree.
    /// - Throws: `DecodingError`.
    public init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            name: try members.decode(String.self, forKey: .name),
            description: try members.decode(String.self, forKey: .description),
            created: try members.decode(Timestamp.self, forKey: .created),
            updated: try members.decode(Timestamp.self, forKey: .updated),
            tags: try members.decode([String: String].self, forKey: .tags),
            aliases: try members.decode([String: Int64].self, forKey: .aliases),
            lastVersion: try members.decode(Int64.self, forKey: .lastVersion),
            versions: try members.decode([Version].self, forKey: .versions))
    }

    /// Names the whole of the document.
    public func digest() throws -> Digest { Digest(of: try JSON.canonical(self)) }

    /// Changes each version.
    public mutating func changeVersions(_ change: (inout Version) throws -> Void) rethrows {
        for index in versions.indices { try change(&versions[index]) }
    }

    /// Leaves the highest version in Production there, and archives the others: only one can serve.
    /// - Returns: the numbers of those that were archived.
    public mutating func keepOneInProduction() -> [Int64] {
        let others = versions.filter { $0.stage == .production }.map(\.number).dropLast()
        changeVersions { if others.contains($0.number) { $0.stage = .archived } }
        return Array(others)
    }
}
