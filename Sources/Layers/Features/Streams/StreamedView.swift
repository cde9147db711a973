import Aggregations
import Basics
import Datasets
import KeyValue

/// A view over a stream as it is kept up to date online.
struct StreamedView: Sendable {
    enum Content: Sendable {
        /// The windows, and where their columns lie in an event.
        case windows(WindowPlan, columns: [Int])
        /// Where the features lie in an event.
        case latest([Int])
    }

    let view: FeatureView
    let source: StreamSource
    let prefix: [UInt8]
    let layout: OnlineLayout
    let content: Content
    private let keys: [Int]

    init(_ view: FeatureView, digest: Digest, source: StreamSource) throws {
        self.view = view
        self.source = source
        prefix = OnlineKey.prefix(digest)
        layout = OnlineLayout(view.features)
        func places(_ names: [String]) throws -> [Int] {
            try names.map { name in
                guard let place = source.column(name) else {
                    throw FeaturesFailure.badView(
                        view: view.name, problem: "the stream '\(source.name)' has no column '\(name)'")
                }
                return place
            }
        }
        keys = try places(view.joinKeys)
        if case .latest = view.content {
            content = .latest(try places(view.featureNames))
        } else {
            let plan = try view.windowPlan(
                columnTypes: Dictionary(source.definition.columns.map { ($0.name, $0.type) }) { first, _ in first },
                latenessSeconds: source.definition.latenessSeconds)
            content = .windows(plan, columns: try places(plan.columns.map(\.name)))
        }
    }

    /// The key of an event's entity in the online store; nil where a join key is null.
    func key(of event: StreamEvent) -> [UInt8]? {
        var texts: [String] = []
        for place in keys {
            guard let text = OnlineKey.text(event.values[place]) else { return nil }
            texts.append(text)
        }
        return OnlineKey.key(prefix: prefix, texts: texts)
    }

    // What is kept beside the values lies in a table of its own, under a letter and the view's prefix.

    var positionKey: [UInt8] { [UInt8(ascii: "p")] + prefix }
    var statePrefix: [UInt8] { [UInt8(ascii: "s")] + prefix }
    var duePrefix: [UInt8] { [UInt8(ascii: "d")] + prefix }
    var waitingPrefix: [UInt8] { [UInt8(ascii: "w")] + prefix }

    func stateKey(_ key: [UInt8]) -> [UInt8] { [UInt8(ascii: "s")] + key }

    /// Where it stands that an entity's values change at a moment; ascending by moment.
    func dueKey(_ key: [UInt8], at moment: Int64) -> [UInt8] {
        duePrefix + KeyValueStamp(moment, 0).bytes.prefix(8) + key.dropFirst(prefix.count)
    }

    /// The moment and the entity's key that ``dueKey(_:at:)`` was made of.
    func due(in key: UnsafeRawBufferPointer) -> (moment: Int64, key: [UInt8])? {
        let start = 1 + prefix.count
        guard key.count > start + 8 else { return nil }
        let moment = UInt64(bigEndian: key.loadUnaligned(fromByteOffset: start, as: UInt64.self))
        return (Int64(bitPattern: moment ^ (1 << 63)), prefix + key.dropFirst(start + 8))
    }

    func waitingKey(_ event: StreamEvent) -> [UInt8] {
        waitingPrefix + KeyValueStamp(event.available, event.sequence).bytes
    }
}

/// How far a view has been brought along its stream; it lies beside the states.
struct IngestionPosition: Sendable, Codable, Hashable {
    /// The first record that has not been taken in.
    var next: Int64 = 0
    var clock = StreamClock()
    /// Events taken in.
    var events: Int64 = 0
    /// Events dropped because they arrived too late.
    var late: Int64 = 0
    /// Events without a join key.
    var keyless: Int64 = 0
}

extension Catalogue {
    /// The streams that event sources read, as deep as they go; all for nil.
    func streams(readBy sources: [String]?) -> Set<String> {
        var found: Set<String> = []
        var waiting = sources ?? Array(events.keys)
        var seen: Set<String> = []
        while let name = waiting.popLast() {
            guard seen.insert(name).inserted, let events = events[name] else { continue }
            if events.stream != nil { found.insert(name) }
            waiting += namesRead(by: name)
        }
        return found
    }

    /// Whether a view's values are brought online as events arrive, and not from its history.
    func isStreamed(_ view: FeatureView) -> Bool {
        if case .sql = view.content { return false }
        return view.sources.contains { events[$0]?.stream != nil }
    }
}
