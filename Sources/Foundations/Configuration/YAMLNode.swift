import Basics

/// A value in a YAML file that knows where it stands.
public struct YAMLNode: Sendable, Equatable {
    public let place: SourcePlace
    public let content: Content

    public enum Content: Sendable, Equatable {
        /// Text, and whether it was quoted: a quoted `null`, `true` or `5` is text.
        case scalar(String, quoted: Bool)
        case sequence([YAMLNode])
        case mapping([Entry])
    }

    public struct Entry: Sendable, Equatable {
        public let key: String
        public let place: SourcePlace
        public let value: YAMLNode
    }

    /// What the value is, in words for errors.
    public var kind: String {
        switch content {
        case .scalar: isNull ? "nothing" : "a single value"
        case .sequence: "a list"
        case .mapping: "a mapping"
        }
    }

    /// An empty value, `~` or `null`.
    public var isNull: Bool {
        guard case .scalar(let text, false) = content else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(text)
    }

    /// Words of a mapping by key, each key one of `allowed`.
    ///
    /// - Throws: ``ConfigurationFailure`` where the node is no mapping or has another key; the nearest known key is told.
    public func mapping(allowing allowed: [String]) throws -> ConfigurationMapping {
        let mapping = try mapping()
        for entry in mapping.entries where !allowed.contains(entry.key) {
            let nearest = NearestWord.of(entry.key, among: allowed)
            throw ConfigurationFailure(
                entry.place, "unknown key '\(entry.key)'" + (nearest.map { " (did you mean '\($0)'?)" } ?? ""),
                remedy: nearest == nil ? "Known keys: \(allowed.sorted().joined(separator: ", "))." : nil)
        }
        return mapping
    }

    /// What a document says that it is, by its key `kind`.
    /// - Parameters:
    ///   - kinds: those that may stand here.
    ///   - standard: what it is where it does not say.
    /// - Throws: ``ConfigurationFailure`` for another kind, with the nearest one.
    public func declaredKind(of kinds: [String], default standard: String? = nil) throws -> String {
        let mapping = try mapping()
        if let standard, mapping.node("kind") == nil { return standard }
        let value = try mapping.required("kind")
        let kind = try value.string()
        guard kinds.contains(kind) else {
            let nearest = NearestWord.of(kind, among: kinds)
            throw ConfigurationFailure(
                value.place, "there is no kind '\(kind)' here" + (nearest.map { " (did you mean '\($0)'?)" } ?? ""),
                remedy: "Kinds: \(kinds.joined(separator: ", ")).")
        }
        return kind
    }

    /// A mapping with any keys.
    public func mapping() throws -> ConfigurationMapping {
        guard case .mapping(let entries) = content else {
            throw ConfigurationFailure(place, "a mapping is wanted here, and there is \(kind)")
        }
        return ConfigurationMapping(place: place, entries: entries)
    }

    /// The items of a list.
    public func sequence() throws -> [YAMLNode] {
        guard case .sequence(let items) = content else {
            throw ConfigurationFailure(place, "a list is wanted here, and there is \(kind)")
        }
        return items
    }

    /// A length of time such as `90s`, `15m`, `3h`, `7d` or `2w`, in seconds.
    public func seconds() throws -> Int64 {
        let text = try string()
        guard let seconds = ConfigurationMapping.seconds(of: text) else {
            throw ConfigurationFailure(
                place, "must be a length of time such as 90s, 15m, 2h, 7d or 1w, and is '\(text)'")
        }
        return seconds
    }

    /// A single value's text.
    public func string() throws -> String {
        guard case .scalar(let text, _) = content, !isNull else {
            throw ConfigurationFailure(place, "a single value is wanted here, and there is \(kind)")
        }
        return text
    }
}
