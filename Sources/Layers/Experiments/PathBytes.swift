/// Cuts paths as the database and file systems see them, by bytes. To Swift a `/` with a combining mark after it is one
/// character that is no `/`.
public enum PathBytes {
    static let slash = UInt8(ascii: "/")

    /// The names between slashes.
    public static func names(
        of path: some StringProtocol, maxSplits: Int = .max, omittingEmpty: Bool = true
    ) -> [String] {
        path.utf8.split(separator: slash, maxSplits: maxSplits, omittingEmptySubsequences: omittingEmpty).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    /// The rest of a text that begins with a prefix; nil where it begins in another way.
    public static func rest(of text: String, after prefix: String) -> String? {
        guard text.utf8.starts(with: prefix.utf8) else { return nil }
        return String(decoding: text.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
    }

    /// The URI of what lies below another, which may end in slashes or be nothing but a scheme and a slash.
    public static func append(_ path: String, to uri: String) -> String {
        var base = uri.utf8[...]
        while base.last == slash { base.removeLast() }
        return "\(String(decoding: base, as: UTF8.self))/\(path)"
    }
}
