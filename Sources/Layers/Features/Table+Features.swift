import Columnar

extension Table {
    /// A column of texts or whole numbers as texts, as join keys are written.
    func texts(_ name: String) throws -> [String?] {
        let column = try column(name)
        return (0..<rowCount).map { row in
            switch column[row] {
            case .string(let text): text
            case .integer(let number): "\(number)"
            default: nil
            }
        }
    }

    /// A join key's value as a literal of SQL; nil where it is null.
    func literal(_ name: String, row: Int) throws -> String? {
        switch try column(name)[row] {
        case .integer(let number): "\(number)"
        case .string(let text): SQLText.literal(text)
        default: nil
        }
    }
}
