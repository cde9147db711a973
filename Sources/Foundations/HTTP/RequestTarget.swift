/// The target of a request line, taken apart: decoded path segments and decoded query.
struct RequestTarget: Sendable {
    let path: String
    let segments: [String]
    let query: [(String, String)]

    /// - Throws: `HTTPFailure.badTarget` where escapes are wrong, the path does not start with `/`, or it steps up by
    ///   `..`, which no path of ours needs and file routes must never see.
    init(_ raw: some Collection<UInt8>) throws(HTTPFailure) {
        var rest = Array(raw)[...]
        // A proxy's absolute form: http://host/path.
        if rest.first != UInt8(ascii: "/"), let colon = rest.firstIndex(of: UInt8(ascii: ":")),
            rest[colon...].starts(with: "://".utf8)
        {
            rest = rest[colon...].dropFirst(3)
            rest = rest[(rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex)...]
            if rest.isEmpty { rest = [UInt8(ascii: "/")] }
        }
        let end = rest.firstIndex(of: UInt8(ascii: "?")) ?? rest.endIndex
        let rawPath = rest[..<end]
        if rawPath.elementsEqual("*".utf8) {
            (path, segments, query) = ("*", ["*"], [])
            return
        }
        guard rawPath.first == UInt8(ascii: "/") else { throw .badTarget("the path does not start with '/'") }
        var segments: [String] = []
        for piece in rawPath.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            guard let segment = PercentCoding.decode(piece) else {
                throw .badTarget("the path has a malformed percent escape or is not UTF-8")
            }
            // By bytes: to Swift a '/' with a combining mark after it is another character.
            let names = segment.utf8.split(separator: UInt8(ascii: "/"))
            guard !names.contains(where: { $0.elementsEqual(".".utf8) || $0.elementsEqual("..".utf8) }) else {
                throw .badTarget("the path contains '.' or '..' as a segment")
            }
            segments.append(segment)
        }
        self.segments = segments
        path = "/" + segments.joined(separator: "/")
        query = try RequestTarget.query(rest[end...].dropFirst())
    }

    private static func query(_ raw: ArraySlice<UInt8>) throws(HTTPFailure) -> [(String, String)] {
        var result: [(String, String)] = []
        for piece in raw.split(separator: UInt8(ascii: "&")) {
            let equals = piece.firstIndex(of: UInt8(ascii: "=")) ?? piece.endIndex
            guard let name = PercentCoding.decode(piece[..<equals], form: true),
                let value = PercentCoding.decode(piece[equals...].dropFirst(), form: true)
            else { throw .badTarget("the query has a malformed percent escape or is not UTF-8") }
            result.append((name, value))
        }
        return result
    }
}

extension RequestTarget {
    /// Stands in for a target that could not be understood.
    static let root = RequestTarget()

    private init() { (path, segments, query) = ("/", [""], []) }
}
