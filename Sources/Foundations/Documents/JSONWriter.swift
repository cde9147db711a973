/// Writes a JSON document member by member, in the order given, without an intermediate tree: for answers of thousands
/// of rows. Begin and end calls must match; commas are its own affair.
public struct JSONWriter {
    /// What was written so far.
    public private(set) var bytes: [UInt8] = []

    /// - Parameter capacity: how many bytes to make room for at once.
    public init(capacity: Int = 256) { bytes.reserveCapacity(capacity) }

    /// Writes an object, as a member where a key is given.
    public mutating func object(_ key: StaticString? = nil, _ body: (inout JSONWriter) throws -> Void) rethrows {
        begin(key)
        bytes.append(UInt8(ascii: "{"))
        try body(&self)
        bytes.append(UInt8(ascii: "}"))
    }

    /// Writes an array, as a member where a key is given.
    public mutating func array(_ key: StaticString? = nil, _ body: (inout JSONWriter) throws -> Void) rethrows {
        begin(key)
        bytes.append(UInt8(ascii: "["))
        try body(&self)
        bytes.append(UInt8(ascii: "]"))
    }

    /// Writes an array of objects as a member; nothing at all where there are no items.
    public mutating func objects<Item>(
        _ key: StaticString, _ items: some Collection<Item>, _ body: (inout JSONWriter, Item) throws -> Void
    ) rethrows {
        guard !items.isEmpty else { return }
        try array(key) { writer in
            for item in items { try writer.object { try body(&$0, item) } }
        }
    }

    /// Writes a text member whose key came from outside.
    public mutating func member(named key: String, _ text: String) {
        begin(nil)
        string(key)
        bytes.append(UInt8(ascii: ":"))
        string(text)
    }

    /// Writes a text member.
    public mutating func member(_ key: StaticString, _ text: String) {
        begin(key)
        string(text)
    }

    /// Writes an integer member.
    public mutating func member(_ key: StaticString, _ number: Int64) {
        begin(key)
        bytes.append(contentsOf: String(number).utf8)
    }

    /// Writes a truth member.
    public mutating func member(_ key: StaticString, _ truth: Bool) {
        begin(key)
        bytes.append(contentsOf: (truth ? "true" : "false").utf8)
    }

    /// Writes a floating-point member; what JSON has no number for becomes `"NaN"`, `"Infinity"` or `"-Infinity"`.
    public mutating func member(_ key: StaticString, _ number: Double) {
        begin(key)
        guard number.isFinite else {
            string(number.isNaN ? "NaN" : number < 0 ? "-Infinity" : "Infinity")
            return
        }
        bytes.append(contentsOf: number.description.utf8)
    }

    /// Writes the name of a member that came from outside; its value is the element, object or array written next.
    public mutating func name(_ key: String) {
        begin(nil)
        string(key)
        bytes.append(UInt8(ascii: ":"))
    }

    /// Writes a finite number or a whole one as an element of an array, so that it is read back with the same bits.
    public mutating func element(number: some CustomStringConvertible & Numeric) {
        begin(nil)
        bytes.append(contentsOf: number.description.utf8)
    }

    /// Writes a truth as an element of an array.
    public mutating func element(_ truth: Bool) {
        begin(nil)
        bytes.append(contentsOf: (truth ? "true" : "false").utf8)
    }

    /// Writes null as an element of an array.
    public mutating func null() {
        begin(nil)
        bytes.append(contentsOf: "null".utf8)
    }

    /// Writes a text as an element of an array.
    public mutating func element(_ text: String) {
        begin(nil)
        string(text)
    }

    /// Writes a whole JSON document as an element of an array.
    public mutating func element(json document: [UInt8]) {
        begin(nil)
        bytes.append(contentsOf: document)
    }

    private mutating func begin(_ key: StaticString?) {
        if let last = bytes.last, last != UInt8(ascii: "{"), last != UInt8(ascii: "["), last != UInt8(ascii: ":") {
            bytes.append(UInt8(ascii: ","))
        }
        guard let key else { return }
        bytes.append(UInt8(ascii: "\""))
        key.withUTF8Buffer { bytes.append(contentsOf: $0) }
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
    }

    private mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { utf8 in
            if utf8.allSatisfy({ $0 >= 32 && $0 != 34 && $0 != 92 }) {
                bytes.append(contentsOf: utf8)
            } else {
                for byte in utf8 { escape(byte) }
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func escape(_ byte: UInt8) {
        switch byte {
        case 34: bytes.append(contentsOf: #"\""#.utf8)
        case 92: bytes.append(contentsOf: #"\\"#.utf8)
        case 10: bytes.append(contentsOf: #"\n"#.utf8)
        case 9: bytes.append(contentsOf: #"\t"#.utf8)
        case 13: bytes.append(contentsOf: #"\r"#.utf8)
        case 0..<32:
            let digits = String(byte, radix: 16)
            bytes.append(contentsOf: (byte < 16 ? "\\u000" : "\\u00").utf8)
            bytes.append(contentsOf: digits.utf8)
        default: bytes.append(byte)
        }
    }
}
