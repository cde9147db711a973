import Basics
import CSimdJSON

/// Whole JSON documents, read by the parser of the hot path: for bodies whose rows come in thousands.
public enum JSONTree {
    private static let depthMax = 32

    /// The value of a document. Of members with one name the last counts; an integer above the largest `Int64` becomes
    /// a floating-point number.
    /// - Throws: ``JSONTreeFailure`` where the bytes are no JSON in UTF-8, or nest deeper than 32 levels.
    public static func value(_ bytes: [UInt8]) throws(JSONTreeFailure) -> JSONValue {
        let parser = mw_json_parser_new(max(bytes.count, 1), depthMax)
        defer { mw_json_parser_free(parser) }
        var tree = mw_tree_view()
        var problem = mw_json_error()
        let status = bytes.withUnsafeBytes { mw_tree_parse(parser, $0.baseAddress, $0.count, &tree, &problem) }
        guard status == MW_JSON_OK, tree.count > 0 else { throw JSONTreeFailure(status, problem) }
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
        case MW_VALUE_TEXT: return .string(string(node.value.text))
        case MW_VALUE_ARRAY:
            var items: [JSONValue] = []
            items.reserveCapacity(count(tree, index))
            var child = index + 1
            while child < node.end {
                items.append(value(tree, child))
                child = tree.nodes[child].end
            }
            return .array(items)
        case MW_VALUE_OBJECT:
            var members = [String: JSONValue](minimumCapacity: count(tree, index))
            var child = index + 1
            while child < node.end {
                members[string(tree.nodes[child].key)] = value(tree, child)
                child = tree.nodes[child].end
            }
            return .object(members)
        default: return .null
        }
    }

    /// How many children a node has.
    private static func count(_ tree: mw_tree_view, _ index: Int) -> Int {
        var count = 0
        var child = index + 1
        while child < tree.nodes[index].end {
            count += 1
            child = tree.nodes[child].end
        }
        return count
    }

    private static func string(_ text: mw_text) -> String {
        String(decoding: UnsafeRawBufferPointer(start: text.text, count: text.length), as: UTF8.self)
    }
}

/// What the parser did not take.
public struct JSONTreeFailure: Failure {
    public let code = FailureCode.invalidArgument
    /// One sentence without a full stop.
    public let problem: String
    /// Where it stands in the document, such as `inputs[1]`; may be empty.
    public let place: String
    /// Whether the document breaks a limit rather than the syntax.
    public let isLimit: Bool

    public var message: String { place.isEmpty ? problem : "\(problem) at \(place)" }

    init(_ status: mw_json_status, _ error: mw_json_error) {
        func string<Characters>(_ characters: Characters) -> String {
            withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        problem = string(error.message)
        place = string(error.where)
        isLimit = status == MW_JSON_LIMIT
    }
}
