import Foundation

/// Finds one string of bytes in others, in time that grows with the sum of their lengths.
///
/// By Knuth, Morris and Pratt, "Fast Pattern Matching in Strings" (1977), where the pattern is long.
struct ByteSearch {
    /// Up to here a plain search is as good as any.
    private static let short = 32

    private let pattern: UnsafeRawBufferPointer
    /// For each length of a matched beginning, the length of its longest proper end that is a beginning too.
    private let borders: [Int]
    let count: Int

    /// - Parameter pattern: valid as long as `first` is called.
    init(_ pattern: UnsafeRawBufferPointer) {
        self.pattern = pattern
        count = pattern.count
        guard pattern.count > ByteSearch.short else {
            borders = []
            return
        }
        var borders = Array(repeating: 0, count: pattern.count)
        var length = 0
        for index in 1..<pattern.count {
            while length > 0, pattern[index] != pattern[length] { length = borders[length - 1] }
            if pattern[index] == pattern[length] { length += 1 }
            borders[index] = length
        }
        self.borders = borders
    }

    /// Whether `text` holds `part` at a position, which may lie outside.
    static func holds(_ text: UnsafeRawBufferPointer, _ part: UnsafeRawBufferPointer, at position: Int) -> Bool {
        guard position >= 0, position + part.count <= text.count else { return false }
        guard part.count > 0, let left = text.baseAddress, let right = part.baseAddress else { return true }
        return memcmp(left + position, right, part.count) == 0
    }

    /// The first position at or after `from` where the pattern lies in `text`.
    func first(in text: UnsafeRawBufferPointer, from: Int) -> Int? {
        guard from + count <= text.count else { return nil }
        if borders.isEmpty {
            return (from...text.count - count).first { ByteSearch.holds(text, pattern, at: $0) }
        }
        var length = 0
        for index in from..<text.count {
            while length > 0, text[index] != pattern[length] { length = borders[length - 1] }
            if text[index] == pattern[length] { length += 1 }
            if length == count { return index - count + 1 }
        }
        return nil
    }
}
