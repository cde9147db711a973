import Basics
import Configuration
import Features
import Streams

extension StreamScoring {
    /// Reads what stands under `streams/`.
    public static func all(_ documents: FactoryDocuments) throws -> [StreamScoring] {
        try (documents.folders["streams"] ?? []).map { try StreamScoring($0) }
    }

    /// Reads one definition.
    /// - Throws: `ConfigurationFailure` naming file and line.
    public init(_ node: YAMLNode) throws {
        let map = try node.mapping(allowing: [
            "scorer", "owner", "description", "model", "from", "to", "dead_letters", "start", "rows", "id",
            "partitions",
            "windows",
        ])
        func number(_ key: String, _ standard: Int, _ range: ClosedRange<Int>) throws -> Int {
            let value = try map.int(key, default: standard)
            guard range.contains(value) else {
                throw ConfigurationFailure(
                    try map.required(key).place, "'\(key)' must be from \(range.lowerBound) to \(range.upperBound)")
            }
            return value
        }
        try self.init(
            name: try map.string("scorer"), owner: try map.optionalString("owner") ?? "",
            model: try map.string("model"), from: try Self.topic(try map.required("from")),
            to: try Self.topic(try map.required("to")), deadLetters: try map.node("dead_letters").map(Self.topic),
            start: try map.choice("start", default: StreamStart.oldest),
            rows: try number("rows", 1024, 1...Self.rowsMax), idField: try map.optionalString("id") ?? "id",
            partitions: try number("partitions", 4, 1...1024), windows: try map.node("windows").map { try Windows($0) })
    }

    private static func topic(_ node: YAMLNode) throws -> TopicName {
        do { return try TopicName(try node.string()) } catch let failure as StreamFailure {
            throw ConfigurationFailure(node.place, failure.message)
        }
    }
}

extension StreamScoring.Windows {
    init(_ node: YAMLNode) throws {
        let map = try node.mapping(allowing: ["key", "time", "tile", "features"])
        self.init(
            key: try map.optionalString("key"), time: try map.optionalString("time"),
            tileSeconds: try map.seconds("tile", default: 1),
            features: try WindowFeature.list(try map.required("features")))
        do { _ = try WindowFeature.plan(features, of: "the windows", tileSeconds: tileSeconds) } catch let failure
            as any Failure
        {
            throw ConfigurationFailure(try map.required("features").place, failure.message)
        }
    }
}
