/// Header fields in the order they came; names are compared without case.
public struct HTTPHeaders: Sendable, ExpressibleByDictionaryLiteral {
    /// Every field, repeated names included.
    public private(set) var fields: [(name: String, value: String)] = []

    public init() {}

    public init(dictionaryLiteral elements: (String, String)...) {
        for (name, value) in elements { add(name, value) }
    }

    /// The value of the first field of that name; setting replaces all of them, nil removes them.
    public subscript(name: String) -> String? {
        get { fields.first { HTTPHeaders.same($0.name, name) }?.value }
        set {
            fields.removeAll { HTTPHeaders.same($0.name, name) }
            if let newValue { add(name, newValue) }
        }
    }

    /// Adds a field beside those of the same name.
    public mutating func add(_ name: String, _ value: String) { fields.append((name, value)) }

    static func same(_ left: String, _ right: String) -> Bool {
        let (left, right) = (left.utf8, right.utf8)
        return left.count == right.count && zip(left, right).allSatisfy { lower($0) == lower($1) }
    }

    private static func lower(_ byte: UInt8) -> UInt8 { (65...90).contains(byte) ? byte | 32 : byte }

    /// The fields as lines for the wire. What can not stand in a header is left out rather than sent: a line break in
    /// a value would let its author write headers of their own.
    func lines(leavingOut reserved: Set<String> = []) -> [UInt8] {
        var bytes: [UInt8] = []
        for (name, value) in fields where HTTPHeaders.isToken(name) && !reserved.contains(name.lowercased()) {
            bytes.append(contentsOf: name.utf8)
            bytes.append(contentsOf: [58, 32])
            bytes.append(contentsOf: value.utf8.filter { $0 == 9 || ($0 >= 32 && $0 != 127) })
            bytes.append(contentsOf: [13, 10])
        }
        return bytes
    }

    /// Those that the transport writes itself.
    static let transportOwned: Set<String> = [
        "content-length", "transfer-encoding", "connection", "date", "x-request-id",
    ]

    // RFC 9110, section 5.6.2.
    private static func isToken(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { byte in
                (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                    || "!#$%&'*+-.^_`|~".utf8.contains(byte)
            }
    }
}
