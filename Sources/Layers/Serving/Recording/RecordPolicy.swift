import Configuration

/// What is kept of the requests to a model.
public struct RecordPolicy: Sendable, Codable, Equatable {
    /// The share of requests that is kept, from 0 to 1. The hash of a request's id decides, so that the same requests are
    /// kept wherever and whenever they are asked.
    public var sample = 1.0
    /// Whether the values of inputs are kept; else only their types and shapes.
    public var inputs = true
    /// The same for outputs.
    public var outputs = true
    /// What is made unreadable before it is kept.
    public var redactions: [Redaction] = []
    public var durability = Durability.acknowledged
    /// Values of a record that take more bytes together are kept as their digests.
    public var maxBytes = 64 << 10
    /// Days after which records are deleted, once they are compacted; nil for never.
    public var keepDays: Int?

    /// When a caller gets its answer.
    public enum Durability: String, Sendable, Codable, CaseIterable {
        /// Once the record is with the operating system: an answer that was given is kept.
        case acknowledged
        /// At once. Records wait in a line that is bounded; what does not fit is dropped, and counted.
        case asynchronous = "async"
    }

    /// How values of an input are made unreadable.
    public struct Redaction: Sendable, Codable, Equatable {
        public var input: String
        /// A number, or a name where the model names its columns, of the last dimension; nil for the whole input.
        public var column: String?
        public var how: How
        /// Whether models without such an input are left as they are; else they are not served.
        public var isOptional = false

        public enum How: String, Sendable, Codable, CaseIterable {
            /// The same value gives the same hash, which nobody can make who has not the key. Halves and truth values, of
            /// which there are so few that a hash would hide nothing, are masked.
            case hash
            /// No values are kept, only type and shape. Of a column: as ``mask``.
            case drop
            /// Zeros, or texts of no bytes.
            case mask
        }

        public init(input: String, column: String? = nil, how: How) {
            self.input = input
            self.column = column
            self.how = how
        }
    }

    /// Everything is kept.
    public init() {}

    /// Reads a section `record`, which changes what `standard` says:
    ///
    ///     record:
    ///       sample: 10%
    ///       inputs: true
    ///       outputs: true
    ///       redact: [{email: hash}, {"features[3]": mask}, ssn]   # drop where nothing is said
    ///       durability: acknowledged        # or async
    ///       max_bytes: 64KiB
    ///       keep_days: 90
    ///
    /// - Throws: `ConfigurationFailure` for another key, or a value that is not what it has to be.
    init(_ node: YAMLNode, over standard: RecordPolicy) throws {
        self = standard
        let map = try node.mapping(allowing: [
            "sample", "inputs", "outputs", "redact", "durability", "max_bytes", "keep_days",
        ])
        sample = try map.share("sample", default: sample)
        inputs = try map.bool("inputs", default: inputs)
        outputs = try map.bool("outputs", default: outputs)
        durability = try map.choice("durability", default: durability)
        maxBytes = Int(clamping: try map.bytes("max_bytes", default: Int64(maxBytes)))
        keepDays = try map.optionalInt("keep_days") ?? keepDays
        if let days = keepDays, days < 1 {
            throw ConfigurationFailure(try map.required("keep_days").place, "records are kept for a day at least")
        }
        if map.node("redact") != nil { redactions = try map.list("redact").map { try Redaction($0) } }
    }
}

extension RecordPolicy {
    /// Reads what holds for all models that say nothing themselves; its redactions are for the models that have such inputs.
    ///
    /// - Throws: `ConfigurationFailure` for another key, or a value that is not what it has to be.
    public init(ofAllModels node: YAMLNode) throws {
        try self.init(node, over: RecordPolicy())
        for place in redactions.indices { redactions[place].isOptional = true }
    }
}

extension RecordPolicy.Redaction {
    fileprivate init(_ node: YAMLNode) throws {
        var (subject, how) = ("", How.drop)
        if let map = try? node.mapping() {
            guard let entry = map.entries.first, map.entries.count == 1 else {
                throw ConfigurationFailure(node.place, "a redaction is one input, such as {email: hash}")
            }
            let word = try entry.value.string()
            guard let known = How(rawValue: word) else {
                throw ConfigurationFailure(entry.value.place, "'\(word)' is none of hash, drop and mask")
            }
            (subject, how) = (entry.key, known)
        } else {
            subject = try node.string()
        }
        guard subject.hasSuffix("]"), let open = subject.lastIndex(of: "[") else {
            self.init(input: subject, how: how)
            return
        }
        self.init(
            input: String(subject[..<open]), column: String(subject[subject.index(after: open)...].dropLast()), how: how
        )
    }
}
