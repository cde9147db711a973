/// The name of a topic: 1 to 249 of the characters a-z, A-Z, 0-9, `.`, `_` and `-`, and neither `.` nor `..`; the rules of
/// Kafka (`org.apache.kafka.common.internals.Topic`).
public struct TopicName: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    /// The name as it was given.
    public let text: String

    static let lengthLimit = 249

    /// - Throws: `StreamFailure.invalidTopic` saying which rule is broken.
    public init(_ text: String) throws {
        guard !text.isEmpty else { throw StreamFailure.invalidTopic(text, reason: "it is empty") }
        guard text.utf8.count <= TopicName.lengthLimit else {
            throw StreamFailure.invalidTopic(
                String(text.prefix(40)), reason: "it is longer than \(TopicName.lengthLimit) characters")
        }
        guard text != ".", text != ".." else {
            throw StreamFailure.invalidTopic(text, reason: "'.' and '..' mean folders")
        }
        guard text.utf8.allSatisfy(TopicName.isAllowed) else {
            throw StreamFailure.invalidTopic(text, reason: "only letters, digits, '.', '_' and '-' may stand in it")
        }
        self.text = text
    }

    public init(from decoder: any Decoder) throws {
        try self.init(try decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }

    public var description: String { text }

    public static func < (left: TopicName, right: TopicName) -> Bool { left.text < right.text }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
