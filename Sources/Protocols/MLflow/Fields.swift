import Basics
import Documents
import Experiments
import Foundation
import HTTP

/// The fields of a request or of a message in it, whether they came in a JSON body or in a query.
///
/// `experiment_id` may be written `experimentId` too; numbers may be text; what is not known is passed over.
struct Fields {
    private let members: [String: JSONValue]
    /// Where they stand in the request, for messages.
    private let place: Place
    /// Whether they came in a query, where one value and a list of one look the same.
    private let isQuery: Bool
    /// Whether a name may be there in its other spelling, such as `runId`. Of a batch's thousands hardly one is.
    private let hasCapitals: Bool

    /// - Throws: ``MLflowFailure/mediaType(_:)``. A body that is no JSON object counts as empty.
    init(_ request: HTTPRequest) throws {
        place = Place()
        if [.get, .head].contains(request.method), request.body.isEmpty || !request.query.isEmpty {
            var members: [String: JSONValue] = [:]
            for (name, value) in request.query {
                if case .array(let items)? = members[name] {
                    members[name] = .array(items + [.string(value)])
                } else {
                    members[name] = .array([.string(value)])
                }
            }
            self.members = members
            isQuery = true
            // A query has one spelling only.
            hasCapitals = false
            return
        }
        if [.post, .put].contains(request.method) {
            let type = request.header("Content-Type") ?? ""
            guard
                type == "application/json"
                    || type.split(separator: ";").first?.trimmingCharacters(in: .whitespaces).lowercased()
                        == "application/json"
            else { throw MLflowFailure.mediaType(type) }
        }
        var document = (try? JSONTree.value(request.body)) ?? .null
        // Old clients encode twice.
        if case .string(let text) = document { document = (try? JSONTree.value(Array(text.utf8))) ?? .null }
        members = document.object ?? [:]
        isQuery = false
        hasCapitals = Self.hasCapitals(members)
    }

    /// The members of a message, such as one that came within another.
    init(_ members: [String: JSONValue]) { self.init(members, Place()) }

    private init(_ members: [String: JSONValue], _ place: Place) {
        self.members = members
        self.place = place
        isQuery = false
        hasCapitals = Self.hasCapitals(members)
    }

    /// A message within a request: of a batch there are thousands, and hardly one is ever told of.
    private struct Place {
        var above = ""
        var name = ""
        var index: Int?

        /// What stands before the names of its fields, such as `metrics[0].`.
        var prefix: String {
            guard !name.isEmpty else { return "" }
            return "\(above)\(name)\(index.map { "[\($0)]" } ?? "")."
        }
    }

    private var prefix: String { place.prefix }

    /// A text that must be there and not be empty.
    func text(_ name: String) throws -> String {
        guard let text = try optionalText(name), !text.isEmpty else { throw MLflowFailure.missing(prefix + name) }
        return text
    }

    func optionalText(_ name: String) throws -> String? {
        switch try scalar(name) {
        case nil: return nil
        case .string(let text)?:
            return try checked(text, name)
        case let other?: throw wrong(Self.brief(other), name)
        }
    }

    private func checked(_ text: String, _ name: String) throws -> String {
        guard !text.utf8.contains(0) else { throw wrong("text with a NUL character", name) }
        return text
    }

    /// A text or a number, as ids are sent.
    func identifier(_ name: String) throws -> String {
        guard let text = try optionalIdentifier(name), !text.isEmpty else { throw MLflowFailure.missing(prefix + name) }
        return text
    }

    func optionalIdentifier(_ name: String) throws -> String? {
        if case .integer(let number)? = try scalar(name) { return String(number) }
        return try optionalText(name)
    }

    func optionalInteger(_ name: String) throws -> Int64? {
        switch try scalar(name) {
        case nil: return nil
        case .integer(let number)?: return number
        case .number(let number)?:
            guard let whole = Int64(exactly: number) else { throw wrong("\(number)", name) }
            return whole
        case .string(let text)?:
            guard let number = Int64(text) else { throw wrong("\"\(text)\"", name) }
            return number
        case let other?: throw wrong(Self.brief(other), name)
        }
    }

    func integer(_ name: String) throws -> Int64 {
        guard let number = try optionalInteger(name) else { throw MLflowFailure.missing(prefix + name) }
        return number
    }

    /// A floating-point number, or `NaN`, `Infinity` or `-Infinity` as text.
    func double(_ name: String) throws -> Double {
        switch try scalar(name) {
        case nil: throw MLflowFailure.missing(prefix + name)
        case .integer(let number)?: return Double(number)
        case .number(let number)?: return number
        case .string(let text)?:
            if text == "NaN" { return .nan }
            let isDecimal =
                !text.contains { "xXnN".contains($0) } || text.hasSuffix("Infinity") || text.hasSuffix("inf")
            guard isDecimal, let number = Double(text.replacing("Infinity", with: "inf")) else {
                throw wrong("\"\(text)\"", name)
            }
            return number
        case let other?: throw wrong(Self.brief(other), name)
        }
    }

    func flag(_ name: String) throws -> Bool { try optionalFlag(name) ?? false }

    func optionalFlag(_ name: String) throws -> Bool? {
        switch try scalar(name) {
        case nil: return nil
        case .bool(let truth)?: return truth
        // Python's clients write the truth in a query with a capital letter.
        case .string("true")?, .string("True")?: return true
        case .string("false")?, .string("False")?: return false
        case let other?: throw wrong(Self.brief(other), name)
        }
    }

    /// A moment in milliseconds since 1970.
    func optionalMoment(_ name: String) throws -> Timestamp? {
        guard let milliseconds = try optionalInteger(name) else { return nil }
        let (microseconds, isTooFar) = milliseconds.multipliedReportingOverflow(by: 1000)
        guard !isTooFar else { throw wrong("\(milliseconds)", name, "it lies too far from 1970") }
        return Timestamp(microseconds: microseconds)
    }

    /// A list of texts; one text stands for a list of one.
    func texts(_ name: String) throws -> [String] {
        switch try member(name) {
        case nil, .null?: return []
        case .string(let text)?: return [try checked(text, name)]
        case .array(let items)?:
            return try items.map { item in
                switch item {
                case .string(let text): return try checked(text, name)
                case .integer(let number): return String(number)
                default: throw wrong(Self.brief(item), name)
                }
            }
        case let other?: throw wrong(Self.brief(other), name)
        }
    }

    /// A list of messages.
    func messages(_ name: String) throws -> [Fields] {
        switch try member(name) {
        case nil, .null?: return []
        case .array(let items)?:
            let above = prefix
            return try items.enumerated().map { index, item in
                guard let members = item.object else { throw wrong(Self.brief(item), "\(name)[\(index)]") }
                return Fields(members, Place(above: above, name: name, index: index))
            }
        case let other?: throw wrong(Self.brief(other), name)
        }
    }

    /// A message within.
    func message(_ name: String) throws -> Fields {
        guard let members = try member(name)?.object else { throw MLflowFailure.missing(prefix + name) }
        return Fields(members, Place(above: prefix, name: name))
    }

    /// Messages of a key and a value.
    func pairs(_ name: String) throws -> [Pair] {
        try messages(name).map { Pair(key: try $0.text("key"), value: try $0.optionalText("value") ?? "") }
    }

    /// Texts by key, in the order of the keys.
    func map(_ name: String) throws -> [Pair] {
        switch try member(name) {
        case nil, .null?: return []
        case .object(let members)?:
            return try members.sorted { $0.key < $1.key }.map { key, value in
                guard let text = value.string, !(key + text).utf8.contains(0) else {
                    throw wrong(Self.brief(value), "\(name).\(key)")
                }
                return Pair(key: key, value: text)
            }
        case let other?: throw wrong(Self.brief(other), name)
        }
    }

    /// One of some names, or its number.
    /// - Parameter choices: in the order of their numbers, from one on.
    /// - Throws: ``MLflowFailure/wrong(_:name:reason:)``.
    func choice<Choice: RawRepresentable>(
        _ name: String, _ choices: [Choice]
    ) throws -> Choice? where Choice.RawValue == String {
        if case .integer(let number)? = try scalar(name) {
            guard number > 0, number <= choices.count else { throw wrong("\(number)", name) }
            return choices[Int(number) - 1]
        }
        guard let text = try optionalText(name) else { return nil }
        guard let choice = choices.first(where: { $0.rawValue == text }) else { throw wrong("\"\(text)\"", name) }
        return choice
    }

    /// Which stage of the life cycle is looked at.
    func view(_ name: String) throws -> StageView {
        switch try optionalText(name) {
        case nil, "ACTIVE_ONLY"?: return .active
        case "DELETED_ONLY"?: return .deleted
        case "ALL"?: return .all
        case let other?: throw wrong("\"\(other)\"", name)
        }
    }

    /// How many results are wanted.
    /// - Parameter standard: taken where nothing is said; nil where something must be.
    func limit(_ name: String = "max_results", standard: Int64?, most: Int64) throws -> Int {
        let limit = try optionalInteger(name) ?? standard ?? 0
        guard limit > 0 else { throw wrong("\(limit)", name, "It must be a positive integer") }
        guard limit <= most else { throw wrong("\(limit)", name, "It must be at most \(most)") }
        return Int(clamping: limit)
    }

    func missing(_ name: String) -> MLflowFailure { .missing(prefix + name) }

    func wrong(_ value: String, _ name: String, _ reason: String? = nil) -> MLflowFailure {
        .wrong(value, name: prefix + name, reason: reason)
    }

    /// A field that is no list; of several in a query the last counts.
    private func scalar(_ name: String) throws -> JSONValue? {
        switch try member(name) {
        case nil, .null?: return nil
        case .array(let items)?:
            guard isQuery, let last = items.last else { throw wrong("a list", name) }
            return last
        case let value?: return value
        }
    }

    private func member(_ name: String) throws -> JSONValue? {
        let plain = members[name]
        guard hasCapitals, name.utf8.contains(UInt8(ascii: "_")) else { return plain }
        let words = name.split(separator: "_")
        let camel = words.prefix(1).joined() + words.dropFirst().map(\.capitalized).joined()
        guard let other = members[camel] else { return plain }
        guard plain == nil else { throw MLflowFailure.bothSpellings(name) }
        return other
    }

    private static func hasCapitals(_ members: [String: JSONValue]) -> Bool {
        members.keys.contains { $0.utf8.contains { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) } }
    }

    private static func brief(_ value: JSONValue) -> String {
        let text = (try? JSON.string(value)) ?? "?"
        return text.utf8.count <= 100 ? text : "\(text.prefix(100))..."
    }
}
