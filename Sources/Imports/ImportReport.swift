import Basics

/// What became of an import: what the source has, what is here of it, and every difference.
public struct ImportReport: Sendable, Codable {
    /// Where it came from, for people.
    public var source: String
    /// Whether nothing was changed, because only a rehearsal was asked for.
    public var isRehearsal: Bool
    public var parts: [Part] = []
    public var differences: [Difference] = []
    /// What is here on purpose in another way than it was there.
    public var notes: [String] = []
    public var seconds: Double = 0

    /// One kind of thing.
    public struct Part: Sendable, Codable {
        public var name: String
        /// How many the source has.
        public var there: Int
        /// How many of them are here, and equal.
        public var here: Int
        /// Over the digests of all of them, there and here.
        public var thereDigest: Digest
        public var hereDigest: Digest
    }

    /// Something that could not be brought in, or is another thing here.
    public struct Difference: Sendable, Codable {
        public var what: String
        public var reason: String
    }

    public var isEqual: Bool { differences.isEmpty }
}

/// Counts one kind of thing on both sides, and folds the digests of each side into one.
struct Tally {
    let name: String
    private var there: [String: Digest] = [:]
    private var here: [String: Digest] = [:]

    init(_ name: String) { self.name = name }

    mutating func add(_ id: String, there digest: Digest, here other: Digest?) {
        there[id] = digest
        here[id] = other
    }

    var part: ImportReport.Part {
        func total(_ side: [String: Digest]) -> Digest {
            Digest(of: side.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: "\n"))
        }
        return ImportReport.Part(
            name: name, there: there.count, here: there.count { here[$0.key] == $0.value }, thereDigest: total(there),
            hereDigest: total(here))
    }
}
