import CSimdJSON
import Features

/// The body of a request for online features, seen in place: it is valid until its parser reads the next one.
struct OnlineRequest {
    private let tree: mw_tree_view
    /// The node of the `entities`.
    private let entities: Int
    private let service: mw_text?
    private let features: Range<Int>
    let hasFullNames: Bool
    let tellsVersions: Bool

    /// - Throws: ``FeastFailure/shape(_:)``.
    init(_ tree: mw_tree_view) throws {
        self.tree = tree
        guard tree.count > 0, tree.nodes[0].value.kind == MW_VALUE_OBJECT else {
            throw FeastFailure.shape([.wrong(.body)])
        }
        var problems: [ShapeProblem] = []
        func member(_ name: StaticString) -> Int? {
            let found = name.withUTF8Buffer { bytes in
                bytes.withMemoryRebound(to: CChar.self) { text in
                    withUnsafePointer(to: tree) { mw_tree_member($0, 0, text.baseAddress, text.count) }
                }
            }
            return found < 0 ? nil : Int(found)
        }
        func flag(_ name: StaticString) -> Bool {
            guard let index = member(name) else { return false }
            if tree.nodes[index].value.kind != MW_VALUE_BOOL { problems.append(.wrong(.truth, .member("\(name)"))) }
            return tree.nodes[index].value.boolean
        }
        hasFullNames = flag("full_feature_names")
        tellsVersions = flag("include_feature_view_version_metadata")
        var service: mw_text?
        if let index = member("feature_service"), tree.nodes[index].value.kind != MW_VALUE_NULL {
            service = tree.nodes[index].value.text
            if tree.nodes[index].value.kind != MW_VALUE_TEXT {
                problems.append(.wrong(.text, .member("feature_service")))
            }
        }
        self.service = service
        var features = 0..<0
        if let index = member("features"), tree.nodes[index].value.kind != MW_VALUE_NULL {
            if tree.nodes[index].value.kind == MW_VALUE_ARRAY {
                features = index + 1..<tree.nodes[index].end
                for node in features where tree.nodes[node].value.kind != MW_VALUE_TEXT {
                    problems.append(.wrong(.text, .member("features"), .element(node - index - 1)))
                    break
                }
            } else {
                problems.append(.wrong(.list, .member("features")))
            }
        }
        self.features = features
        entities = member("entities") ?? 0
        if entities == 0 {
            problems.append(.missing("entities"))
        } else if tree.nodes[entities].value.kind != MW_VALUE_OBJECT {
            problems.append(.wrong(.members, .member("entities")))
        } else {
            var node = entities + 1
            while node < tree.nodes[entities].end {
                if tree.nodes[node].value.kind != MW_VALUE_ARRAY {
                    problems.append(.wrong(.list, .member("entities"), .member(Self.string(tree.nodes[node].key))))
                }
                node = tree.nodes[node].end
            }
        }
        guard problems.isEmpty else { throw FeastFailure.shape(problems) }
    }

    /// What tells requests for the same outputs: flags, then each name with its length.
    func writePlanKey(into key: inout [UInt8]) {
        key.removeAll(keepingCapacity: true)
        key.append((hasFullNames ? 1 : 0) | (tellsVersions ? 2 : 0) | (service == nil ? 0 : 4))
        if let service { return Self.append(service, to: &key) }
        for node in features { Self.append(tree.nodes[node].value.text, to: &key) }
    }

    /// - Throws: ``FeastFailure/value(_:remedy:)`` where nothing is asked for.
    func selection() throws -> OnlineSelection {
        if let service { return .service(Self.string(service)) }
        guard !features.isEmpty else {
            throw FeastFailure.value(
                "no feature was asked for", remedy: "Give 'features', written view:feature, or 'feature_service'.")
        }
        return .features(features.map { Self.string(tree.nodes[$0].value.text) })
    }

    /// The values of a join key, one a node; nil where it was not given.
    func values(_ key: String) -> UnsafeBufferPointer<mw_node>? {
        var key = key
        let found = key.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { text in
                withUnsafePointer(to: tree) { mw_tree_member($0, entities, text.baseAddress, text.count) }
            }
        }
        guard found > 0, Int(found) < tree.count else { return nil }
        let index = Int(found)
        return UnsafeBufferPointer(start: tree.nodes + index + 1, count: tree.nodes[index].end - index - 1)
    }

    private static func append(_ text: mw_text, to key: inout [UInt8]) {
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: text.length)) { key.append(contentsOf: $0) }
        key.append(contentsOf: UnsafeRawBufferPointer(start: text.text, count: text.length))
    }

    static func string(_ text: mw_text) -> String {
        String(decoding: UnsafeRawBufferPointer(start: text.text, count: text.length), as: UTF8.self)
    }
}
