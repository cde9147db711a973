/// The word of a list that one may have meant.
public enum NearestWord {
    /// Longer words are compared by their beginnings.
    private static let lettersMax = 64

    /// - Returns: nil where none is near: more than a third of the letters would have to change.
    public static func of(_ word: String, among words: [String]) -> String? {
        let near = words.map { ($0, distance(word, $0)) }.min { ($0.1, $0.0) < ($1.1, $1.0) }
        guard let (candidate, distance) = near else { return nil }
        let compared = min(lettersMax, max(word.utf8.count, candidate.utf8.count))
        guard distance <= max(1, compared / 3) else { return nil }
        return candidate
    }

    /// Damerau and Levenshtein's distance, in its optimal string alignment form.
    public static func distance(_ left: String, _ right: String) -> Int {
        let a = Array(left.utf8.prefix(lettersMax))
        let b = Array(right.utf8.prefix(lettersMax))
        var rows = [Array(0...b.count)]
        for i in 0..<a.count {
            var row = [i + 1]
            for j in 0..<b.count {
                var best = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, rows[i - 1][j - 1] + 1) }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }
}
