import Basics
import CSimdJSON

/// Whole documents, read by the parser of the hot path: rows that are written come in thousands.
enum JSONTree {
    private static let depthMax = 32

    /// - Throws: ``FeastFailure/malformed(_:where:limit:)``.
    static func value(_ bytes: [UInt8]) throws -> JSONValue {
        let parser = mw_json_parser_new(max(bytes.count, 1), depthMax)
        defer { mw_json_parser_free(parser) }
        var tree = mw_tree_view()
        var problem = mw_json_error()
        let status = bytes.withUnsafeBytes { mw_tree_parse(parser, $0.baseAddress, $0.count, &tree, &problem) }
        guard status == MW_JSON_OK, tree.count > 0 else { throw FeastFailure(status, problem) }
        return value(tree, 0)
    }

    /// The value of a node; the parser bounds how deep it is.
    private static func value(_ tree: mw_tree_view, _ index: Int) -> JSONValue {
        let node = tree.nodes[index]
        switch node.value.kind {
        case MW_VALUE_BOOL: return .bool(node.value.boolean)
        case MW_VALUE_INT64: return .integer(node.value.int64)
        case MW_VALUE_UINT64: return .number(Double(node.value.uint64))
        case MW_VALUE_DOUBLE: return .number(node.value.number)
        case MW_VALUE_TEXT: return .string(OnlineRequest.string(node.value.text))
        case MW_VALUE_ARRAY:
            var items: [JSONValue] = []
            var child = index + 1
            while child < node.end {
                items.append(value(tree, child))
                child = tree.nodes[child].end
            }
            return .array(items)
        case MW_VALUE_OBJECT:
            var members: [String: JSONValue] = [:]
            var child = index + 1
            while child < node.end {
                members[OnlineRequest.string(tree.nodes[child].key)] = value(tree, child)
                child = tree.nodes[child].end
            }
            return .object(members)
        default: return .null
        }
    }
}

extension FeastFailure {
    /// What the parser did not take.
    init(_ status: mw_json_status, _ problem: mw_json_error) {
        func string<Characters>(_ characters: Characters) -> String {
            withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        self = .malformed(string(problem.message), where: string(problem.where), limit: status == MW_JSON_LIMIT)
    }
}
