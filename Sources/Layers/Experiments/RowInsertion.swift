import SQL

extension Transaction {
    /// Inserts rows by statements of few sizes, so that few have to be prepared and few are sent, in the order given.
    /// - Parameters:
    ///   - insert: up to VALUES.
    ///   - columns: how many values a row has.
    ///   - rest: what follows the values.
    ///   - isCounted: whether the caller looks at the result; without, a server is not waited for.
    /// - Returns: how many rows were changed; 0 where nobody counts.
    @discardableResult
    func insertMany<Item>(
        _ items: [Item], _ insert: String, columns: Int, _ rest: String, isCounted: Bool = false,
        _ values: (Item) -> [SQLValue]
    ) throws -> Int {
        let row = "(\(SearchStatement.marks(columns)))"
        var changed = 0
        var left = items[...]
        for size in [100, 10, 1] {
            guard left.count >= size else { continue }
            let rows = [String](repeating: row, count: size).joined(separator: ", ")
            let statement = "\(insert) VALUES \(rows) \(rest)"
            while left.count >= size {
                let values = left.prefix(size).flatMap(values)
                if isCounted {
                    changed += try execute(statement, values)
                } else {
                    try executeLater(statement, values)
                }
                left = left.dropFirst(size)
            }
        }
        return changed
    }
}
