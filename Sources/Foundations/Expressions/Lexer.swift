import Basics

/// A word, number, string or sign of an expression, and where it begins.
struct Token {
    enum Kind: Equatable {
        /// The magnitude of an integer literal.
        case integer(UInt64)
        case double(Double)
        case string(String)
        /// A bare word: a name, a function or a keyword.
        case word(String)
        /// A name in double quotes, which is never a keyword.
        case quoted(String)
        case symbol(String)
        case end
    }

    let kind: Kind
    /// In Unicode scalars from the start of the text.
    let offset: Int

    /// How a message shows it.
    var shown: String {
        switch kind {
        case .integer(let value): "'\(value)'"
        case .double(let value): "'\(value)'"
        case .string(let text): "the string '\(text.prefix(32))'"
        case .word(let word): "'\(word.prefix(64))'"
        case .quoted(let name): "'\(name.prefix(64))'"
        case .symbol(let symbol): "'\(symbol)'"
        case .end: "the end"
        }
    }
}

/// Cuts an expression into tokens.
struct Lexer {
    private let bytes: [UInt8]
    private var index = 0
    private var offset = 0

    /// - Throws: where the text is too long, or holds what is no token.
    static func tokens(of text: String) throws(ExpressionFailure) -> [Token] {
        guard text.utf8.count <= ExpressionLimits.textBytes else {
            throw .tooLarge(
                "the expression has \(text.utf8.count) bytes where \(ExpressionLimits.textBytes) are allowed")
        }
        var lexer = Lexer(bytes: Array(text.utf8))
        var tokens: [Token] = []
        while true {
            let token = try lexer.next()
            tokens.append(token)
            if token.kind == .end { return tokens }
        }
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func byte(_ ahead: Int = 0) -> UInt8? { index + ahead < bytes.count ? bytes[index + ahead] : nil }

    private mutating func advance(_ count: Int = 1) {
        for _ in 0..<count {
            guard let byte = byte() else { return }
            if byte & 0xC0 != 0x80 { offset += 1 }
            index += 1
        }
    }

    private mutating func next() throws(ExpressionFailure) -> Token {
        while let byte = byte(), byte == 32 || (9...13).contains(byte) { advance() }
        let start = offset
        guard let first = byte() else { return Token(kind: .end, offset: start) }
        switch first {
        case UInt8(ascii: "'"):
            return Token(kind: .string(try enclosed(by: first, "string", start)), offset: start)
        case UInt8(ascii: "\""):
            return Token(kind: .quoted(try enclosed(by: first, "name", start)), offset: start)
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return try number(start)
        case UInt8(ascii: "."): return try number(start)
        default: break
        }
        if Lexer.beginsWord(first) {
            let from = index
            while let byte = byte(), Lexer.beginsWord(byte) || Lexer.isDigit(byte) { advance() }
            return Token(kind: .word(String(decoding: bytes[from..<index], as: UTF8.self)), offset: start)
        }
        return try symbol(start)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }

    private static func beginsWord(_ byte: UInt8) -> Bool {
        (65...90).contains(byte) || (97...122).contains(byte) || byte == 95
    }

    private mutating func symbol(_ start: Int) throws(ExpressionFailure) -> Token {
        let two = String(decoding: bytes[index..<min(index + 2, bytes.count)], as: UTF8.self)
        if ["//", "<=", ">=", "<>", "!=", "=="].contains(two) {
            advance(2)
            return Token(kind: .symbol(two), offset: start)
        }
        let scalar = String(decoding: bytes[index..<min(index + 4, bytes.count)], as: UTF8.self)
        let one = scalar.unicodeScalars.first.map(String.init) ?? ""
        guard one.utf8.count == 1, "+-*/%=<>(),".contains(one) else {
            throw .syntax("unexpected character '\(one)'", at: start)
        }
        advance()
        return Token(kind: .symbol(one), offset: start)
    }

    /// What stands between two equal quotes, in which a doubled quote is one.
    private mutating func enclosed(by quote: UInt8, _ what: String, _ start: Int) throws(ExpressionFailure) -> String {
        advance()
        var content: [UInt8] = []
        while let byte = byte() {
            if byte == quote {
                advance()
                guard self.byte() == quote else { return String(decoding: content, as: UTF8.self) }
            }
            content.append(byte)
            advance()
        }
        throw .syntax("the \(what) that begins has no closing quote", at: start)
    }

    private mutating func digits() -> Int {
        let from = index
        while let byte = byte(), Lexer.isDigit(byte) { advance() }
        return index - from
    }

    private mutating func number(_ start: Int) throws(ExpressionFailure) -> Token {
        let from = index
        var count = digits()
        var whole = true
        if byte() == UInt8(ascii: ".") {
            whole = false
            advance()
            let fraction = digits()
            guard fraction > 0 else { throw .syntax("expected digits after the '.' of the number", at: start) }
            count += fraction
        }
        if byte() == UInt8(ascii: "e") || byte() == UInt8(ascii: "E") {
            whole = false
            advance()
            if byte() == UInt8(ascii: "+") || byte() == UInt8(ascii: "-") { advance() }
            guard digits() > 0 else { throw .syntax("expected digits in the exponent of the number", at: start) }
        }
        if let byte = byte(), Lexer.beginsWord(byte) || byte == UInt8(ascii: ".") {
            throw .syntax("the number is followed by '\(Unicode.Scalar(byte))'", at: start)
        }
        let text = String(decoding: bytes[from..<index], as: UTF8.self)
        if whole {
            guard let value = UInt64(text), value <= UInt64(Int64.max) + 1 else {
                throw .syntax("the integer \(text.prefix(40)) does not fit into 64 bits", at: start)
            }
            return Token(kind: .integer(value), offset: start)
        }
        guard let value = Double(text), value.isFinite else {
            throw .syntax("the number \(text.prefix(40)) is out of range", at: start)
        }
        return Token(kind: .double(value), offset: start)
    }
}
