import Basics

/// A body that was sent to one of the routes that write, taken apart member by member; what is wrong with it is gathered
/// and thrown at the end.
struct FeastBody {
    private let members: [String: JSONValue]
    private(set) var problems: [ShapeProblem] = []

    /// - Throws: ``FeastFailure`` where the bytes are no JSON object.
    init(_ bytes: [UInt8]) throws {
        let document = try FeastFailure.document(bytes)
        guard let members = document.object else { throw FeastFailure.shape([.wrong(.body)]) }
        self.members = members
    }

    /// A text, which must be there where `isNeeded`.
    mutating func text(_ name: String, isNeeded: Bool = false) -> String? {
        switch member(name, isNeeded: isNeeded) {
        case nil: return nil
        case .string(let text)?: return text
        default:
            problems.append(.wrong(.text, .member(name)))
            return nil
        }
    }

    mutating func flag(_ name: String) -> Bool {
        switch member(name, isNeeded: false) {
        case nil: return false
        case .bool(let flag)?: return flag
        default:
            problems.append(.wrong(.truth, .member(name)))
            return false
        }
    }

    /// A list of texts; nil where there is none.
    mutating func texts(_ name: String) -> [String]? {
        guard let value = member(name, isNeeded: false) else { return nil }
        guard case .array(let items) = value else {
            problems.append(.wrong(.list, .member(name)))
            return nil
        }
        var texts: [String] = []
        for (index, item) in items.enumerated() {
            if case .string(let text) = item {
                texts.append(text)
            } else {
                problems.append(.wrong(.text, .member(name), .element(index)))
            }
        }
        return texts
    }

    /// The columns of a data frame: lists of values, or values by the index of their row, as pandas writes them.
    mutating func frame(_ name: String) -> [String: [JSONValue]] {
        guard let value = member(name, isNeeded: true) else { return [:] }
        guard case .object(let members) = value else {
            problems.append(.wrong(.members, .member(name)))
            return [:]
        }
        var columns: [String: [JSONValue]] = [:]
        for (column, values) in members.sorted(by: { $0.key < $1.key }) {
            switch values {
            case .array(let items): columns[column] = items
            case .object(let rows): columns[column] = Self.inOrder(rows)
            default: problems.append(.wrong(.list, .member(name), .member(column)))
            }
        }
        return columns
    }

    /// - Throws: ``FeastFailure/shape(_:)`` where something was wrong.
    func check() throws {
        guard problems.isEmpty else { throw FeastFailure.shape(problems) }
    }

    private mutating func member(_ name: String, isNeeded: Bool) -> JSONValue? {
        guard let value = members[name], value != .null || isNeeded else {
            if isNeeded { problems.append(.missing(name)) }
            return nil
        }
        return value
    }

    private static func inOrder(_ rows: [String: JSONValue]) -> [JSONValue] {
        rows.sorted { left, right in
            if let first = Int64(left.key), let second = Int64(right.key) { return first < second }
            return left.key < right.key
        }.map(\.value)
    }
}
