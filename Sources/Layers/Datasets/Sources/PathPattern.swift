import Foundation

/// A pattern of paths: `*`, `?` and `[…]` within a name, `**` for any number of folders.
///
/// As in a shell, a wildcard does not match a leading dot. What starts with `_` or `.` is no data: writers keep their
/// marks and logs under such names.
struct PathPattern: Sendable {
    /// The folders before the first wildcard.
    let base: [String]
    /// What stands after them; empty where there is no wildcard at all.
    let parts: [String]

    init(_ path: String) {
        let names = path.split(separator: "/").map(String.init)
        let first = names.firstIndex(where: PathPattern.isWild) ?? names.endIndex
        base = Array(names[..<first])
        parts = Array(names[first...])
    }

    var isPlain: Bool { parts.isEmpty }

    /// Whether a path below the base, given by its names, is one of the pattern's.
    func matches(_ names: ArraySlice<String>) -> Bool { Self.matches(names, parts[...]) }

    /// Whether files that match may lie below the folder of these names.
    func reaches(_ names: ArraySlice<String>) -> Bool {
        var parts = parts[...]
        for name in names {
            guard let part = parts.first, parts.count > 1 || part == "**" else { return false }
            if part == "**" { return true }
            guard Self.matches(name, part) else { return false }
            parts = parts.dropFirst()
        }
        return true
    }

    /// Whether a name is one that folders of data keep for their own ends.
    static func isHidden(_ name: String) -> Bool { name.hasPrefix(".") || name.hasPrefix("_") }

    static func isWild(_ name: String) -> Bool { name.contains { "*?[".contains($0) } }

    private static func matches(_ names: ArraySlice<String>, _ parts: ArraySlice<String>) -> Bool {
        guard let part = parts.first else { return names.isEmpty }
        guard part == "**" else {
            guard let name = names.first, matches(name, part) else { return false }
            return matches(names.dropFirst(), parts.dropFirst())
        }
        if matches(names, parts.dropFirst()) { return true }
        guard let name = names.first, !isHidden(name) else { return false }
        return matches(names.dropFirst(), parts)
    }

    private static func matches(_ name: String, _ part: String) -> Bool { fnmatch(part, name, FNM_PERIOD) == 0 }
}
