import Basics

/// What names and values may be, as MLflow has it.
public enum RecordRules {
    /// How long a parameter's value may be, in characters; a longer one is cut.
    public static let parameterLength = 6000
    /// How long a tag's value may be, in characters; a longer one is cut.
    public static let tagLength = 8000
    static let keyLength = 250
    static let experimentNameLength = 500
    static let experimentTagLength = 20_000

    /// Checks the key of a metric, parameter or tag: letters, digits and `_ - . : /` and blanks, at most 250
    /// characters, and no path that could be written in another way.
    /// - Parameter field: how the key is called in messages.
    /// - Throws: `ExperimentsFailure.invalid(_:remedy:)`.
    public static func checkKey(_ key: String, _ field: @autoclosure () -> String) throws {
        if isPlainASCII(key.utf8), key.utf8.count <= keyLength { return }
        let isPlain = key.unicodeScalars.allSatisfy {
            $0.properties.isAlphabetic || $0.properties.numericType != nil || "_-. :/".unicodeScalars.contains($0)
        }
        guard isPlain else {
            throw ExperimentsFailure.invalid(
                "Invalid value \"\(key)\" for parameter '\(field())' supplied: Names may only contain alphanumerics, "
                    + "underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).", remedy: nil)
        }
        let parts = PathBytes.names(of: key, omittingEmpty: false)
        let isOdd = key.utf8.starts(with: "..".utf8) || parts.contains { $0.isEmpty || $0 == "." || $0 == ".." }
        guard !isOdd else {
            throw ExperimentsFailure.invalid(
                "Invalid value \"\(key)\" for parameter '\(field())' supplied: Names may be treated as files in certain "
                    + "cases, and must not resolve to other names when treated as such.", remedy: nil)
        }
        try checkLength(key, keyLength, field())
    }

    /// Whether a key is of the usual kind, which needs no closer look: ASCII letters and digits, `_`, `-` and blanks.
    private static func isPlainASCII(_ key: String.UTF8View) -> Bool {
        !key.isEmpty
            && key.allSatisfy {
                (97...122).contains($0) || (48...57).contains($0) || (65...90).contains($0) || $0 == 95 || $0 == 45
                    || $0 == 32
            }
    }

    /// - Throws: `ExperimentsFailure.invalid(_:remedy:)` where the text has more characters than the limit.
    static func checkLength(_ text: String, _ limit: Int, _ field: String) throws {
        // Every character has at least one byte.
        guard text.utf8.count > limit, text.unicodeScalars.count > limit else { return }
        throw ExperimentsFailure.invalid(
            "'\(field)' exceeds the maximum length of \(limit) characters", remedy: nil)
    }

    /// The text, or its beginning where it is longer than the limit.
    static func cut(_ text: String, _ limit: Int) -> String {
        guard text.utf8.count > limit, text.unicodeScalars.count > limit else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.prefix(limit)))
    }

    /// Checks everything a batch says, and cuts values that are too long.
    static func checked(_ batch: RunBatch) throws -> RunBatch {
        var batch = batch
        for (index, entry) in batch.metrics.enumerated() {
            try checkKey(entry.point.key, "metrics[\(index)].name")
        }
        for index in batch.parameters.indices {
            try checkKey(batch.parameters[index].key, "params[\(index)].key")
            batch.parameters[index].value = cut(batch.parameters[index].value, parameterLength)
        }
        for index in batch.tags.indices {
            try checkKey(batch.tags[index].key, "tags[\(index)].key")
            batch.tags[index].value = cut(batch.tags[index].value, tagLength)
        }
        return batch
    }
}
