/// A piece of a filter or an order.
enum SearchToken: Sendable, Equatable {
    /// A key or a keyword, unquoted.
    case word(SearchPath, text: String)
    /// Text in single or double quotes.
    case text(String)
    case number(SearchNumber, text: String)
    case comparison(String)
    case open, close, comma

    /// The token as it stands in a message.
    var written: String {
        switch self {
        case .word(_, let text), .comparison(let text), .number(_, let text): text
        case .text(let text): "'\(text)'"
        case .open: "("
        case .close: ")"
        case .comma: ","
        }
    }
}

/// A number of a filter: whole where it was written so and fits.
public enum SearchNumber: Sendable, Equatable {
    case integer(Int64)
    case double(Double)
}

/// Cuts a filter into tokens, in one pass over its bytes.
struct SearchLexer {
    private var rest: ArraySlice<UInt8>
    private let whole: String

    /// - Throws: ``ExperimentsFailure/search(_:)``.
    static func tokens(_ text: String) throws -> [SearchToken] {
        var lexer = SearchLexer(rest: Array(text.utf8)[...], whole: text)
        // No text of a database has one.
        guard !lexer.rest.contains(0) else { throw lexer.refusal("it has a NUL character") }
        var tokens: [SearchToken] = []
        while let token = try lexer.next() { tokens.append(token) }
        return tokens
    }

    private mutating func next() throws -> SearchToken? {
        while let byte = rest.first, byte == 32 || (9...13).contains(byte) { rest.removeFirst() }
        guard let byte = rest.first else { return nil }
        switch byte {
        case UInt8(ascii: "("):
            rest.removeFirst()
            return .open
        case UInt8(ascii: ")"):
            rest.removeFirst()
            return .close
        case UInt8(ascii: ","):
            rest.removeFirst()
            return .comma
        case UInt8(ascii: "="), UInt8(ascii: "!"), UInt8(ascii: "<"), UInt8(ascii: ">"):
            let text = take { "=!<>".utf8.contains($0) }
            guard ["=", "!=", "<", "<=", ">", ">="].contains(text) else { throw refusal("'\(text)' is no comparison") }
            return .comparison(text)
        case UInt8(ascii: "'"): return .text(try quoted())
        case UInt8(ascii: "\""), UInt8(ascii: "`"):
            let text = try quoted()
            // A quoted name may go on with a dot: "metrics"."loss".
            if rest.first == UInt8(ascii: ".") { return try path(from: text, quote: true) }
            return byte == UInt8(ascii: "`")
                ? .word(SearchPath(prefix: nil, name: text), text: text) : .text(text)
        case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."):
            let text = take { SearchLexer.isWord($0) || $0 == 43 || $0 == 45 }
            if let number = Int64(text) { return .number(.integer(number), text: text) }
            guard let number = Double(text), number.isFinite else { throw refusal("'\(text)' is no number") }
            return .number(.double(number), text: text)
        default:
            let text = take(SearchLexer.isWord)
            guard !text.isEmpty else { throw refusal("it has an unexpected character") }
            return try path(from: text, quote: false)
        }
    }

    /// A key from its first part on: up to the first dot it is the prefix; after a dot a quoted part may follow.
    private mutating func path(from first: String, quote: Bool) throws -> SearchToken {
        var text = first
        if quote, rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            text += "." + (try part())
            return .word(SearchPath(prefix: first, name: String(text.dropFirst(first.count + 1))), text: text)
        }
        while text.hasSuffix("."), let byte = rest.first, byte == 34 || byte == 96 { text += try part() }
        guard let dot = text.firstIndex(of: ".") else { return .word(SearchPath(prefix: nil, name: text), text: text) }
        let name = String(text[text.index(after: dot)...])
        guard !name.isEmpty else { throw refusal("'\(text)' names no key") }
        return .word(SearchPath(prefix: String(text[..<dot]), name: name), text: text)
    }

    private mutating func part() throws -> String {
        if let byte = rest.first, byte == 34 || byte == 96 { return try quoted() }
        return take(SearchLexer.isWord)
    }

    /// The text within quotes; a quote that is written twice stands for itself.
    private mutating func quoted() throws -> String {
        guard let quote = rest.popFirst() else { return "" }
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            guard byte == quote else {
                bytes.append(byte)
                continue
            }
            guard rest.first == quote else { return String(decoding: bytes, as: UTF8.self) }
            rest.removeFirst()
            bytes.append(byte)
        }
        throw refusal("a quote is not closed")
    }

    private mutating func take(_ belongs: (UInt8) -> Bool) -> String {
        let piece = rest.prefix { belongs($0) }
        rest = rest.dropFirst(piece.count)
        return String(decoding: piece, as: UTF8.self)
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 97...122, UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "@"), UInt8(ascii: "#"),
            UInt8(ascii: "$"), 128...255:
            true
        default: false
        }
    }

    private func refusal(_ reason: String) -> ExperimentsFailure {
        .search("Invalid filter string: \(SearchFilter.brief(whole)): \(reason)")
    }
}
