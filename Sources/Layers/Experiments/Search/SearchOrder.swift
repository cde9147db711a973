/// One key of an order, such as `metrics.loss DESC`.
public struct SearchOrder: Sendable, Equatable {
    public var entity: SearchVocabulary.Entity
    public var key: String
    public var isAscending: Bool

    private static let countMax = 32

    public init(entity: SearchVocabulary.Entity, key: String, isAscending: Bool) {
        self.entity = entity
        self.key = key
        self.isAscending = isAscending
    }

    /// Reads the keys of an order, the first of which counts most.
    /// - Throws: ``ExperimentsFailure/search(_:)``.
    public static func keys(_ texts: [String], _ vocabulary: SearchVocabulary) throws -> [SearchOrder] {
        try check(count: texts.count)
        var orders: [SearchOrder] = []
        for text in texts {
            let order = try SearchOrder(text, vocabulary)
            guard !orders.contains(where: { $0.entity == order.entity && $0.key == order.key }) else {
                throw ExperimentsFailure.search("`order_by` contains duplicate fields: \(texts)")
            }
            orders.append(order)
        }
        return orders
    }

    /// Refuses more keys than a statement should join by.
    /// - Throws: ``ExperimentsFailure/search(_:)``.
    public static func check(count: Int) throws {
        guard count <= countMax else {
            throw ExperimentsFailure.search("`order_by` has more than \(countMax) fields")
        }
    }

    private init(_ text: String, _ vocabulary: SearchVocabulary) throws {
        func refusal() -> ExperimentsFailure { .search("Invalid order_by clause '\(text)'") }
        var tokens = try SearchLexer.tokens(text)[...]
        let path: SearchPath
        switch tokens.popFirst() {
        case .word(let found, _)?: path = found
        case .text(let name)?: path = SearchPath(prefix: nil, name: name)
        default: throw refusal()
        }
        isAscending = true
        if let last = tokens.popFirst() {
            switch last.written.uppercased() {
            case "ASC": isAscending = true
            case "DESC": isAscending = false
            default: throw ExperimentsFailure.search("Invalid ordering key in order_by clause '\(text)'")
            }
        }
        guard tokens.isEmpty else { throw refusal() }
        (entity, key) = try vocabulary.key(path)
        guard entity != .dataset else { throw refusal() }
    }
}
