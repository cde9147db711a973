/// One piece of a statement's text.
struct SQLToken: Equatable {
    enum Kind: Equatable {
        /// An unquoted name or keyword.
        case word
        /// A name in double quotes.
        case name
        /// A text in single quotes.
        case literal
        /// A space or a comment.
        case blank
        case placeholder
        case semicolon
        case comma
        case open
        case close
        case other
    }

    let kind: Kind
    let text: String

    /// The word in capitals, or an empty text where this is no word.
    var keyword: String { kind == .word ? text.uppercased() : "" }
}

/// Cuts SQL into pieces, so that what stands in literals, quoted names and comments is never taken for SQL.
struct SQLScanner {
    private let bytes: [UInt8]
    private var position = 0

    private init(_ sql: String) { bytes = Array(sql.utf8) }

    /// All pieces of a text; joined they are the text again.
    static func tokens(_ sql: String) -> [SQLToken] {
        var scanner = SQLScanner(sql)
        var tokens: [SQLToken] = []
        while let token = scanner.next() { tokens.append(token) }
        return tokens
    }

    private func byte(_ offset: Int = 0) -> UInt8? {
        let index = position + offset
        return bytes.indices.contains(index) ? bytes[index] : nil
    }

    private mutating func next() -> SQLToken? {
        guard let first = byte() else { return nil }
        let start = position
        let kind = take(first)
        return SQLToken(kind: kind, text: String(decoding: bytes[start..<position], as: UTF8.self))
    }

    private mutating func take(_ first: UInt8) -> SQLToken.Kind {
        switch first {
        case UInt8(ascii: "'"):
            quoted(first)
            return .literal
        case UInt8(ascii: "\""):
            quoted(first)
            return .name
        case UInt8(ascii: "-") where byte(1) == UInt8(ascii: "-"):
            while let current = byte(), current != 10 { position += 1 }
            return .blank
        case UInt8(ascii: "/") where byte(1) == UInt8(ascii: "*"):
            position += 2
            while byte() != nil, !(byte() == UInt8(ascii: "*") && byte(1) == UInt8(ascii: "/")) { position += 1 }
            position = min(position + 2, bytes.count)
            return .blank
        case _ where SQLScanner.isSpace(first):
            while let current = byte(), SQLScanner.isSpace(current) { position += 1 }
            return .blank
        case _ where SQLScanner.startsWord(first):
            while let current = byte(), SQLScanner.startsWord(current) || SQLScanner.isDigit(current) { position += 1 }
            return .word
        case _ where SQLScanner.isDigit(first):
            while let current = byte(),
                SQLScanner.isDigit(current) || SQLScanner.startsWord(current) || current == UInt8(ascii: ".")
            {
                position += 1
            }
            return .other
        default:
            position += 1
            return SQLScanner.single(first)
        }
    }

    private mutating func quoted(_ mark: UInt8) {
        position += 1
        while let current = byte() {
            position += 1
            guard current == mark else { continue }
            guard byte() == mark else { return }
            position += 1
        }
    }

    private static func single(_ byte: UInt8) -> SQLToken.Kind {
        switch byte {
        case UInt8(ascii: "?"): .placeholder
        case UInt8(ascii: ";"): .semicolon
        case UInt8(ascii: ","): .comma
        case UInt8(ascii: "("): .open
        case UInt8(ascii: ")"): .close
        default: .other
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }
    private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }

    private static func startsWord(_ byte: UInt8) -> Bool {
        (65...90).contains(byte) || (97...122).contains(byte) || byte == UInt8(ascii: "_") || byte >= 128
    }
}
