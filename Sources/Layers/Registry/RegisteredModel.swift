import Basics
import Experiments

/// A name under which versions are registered.
public struct RegisteredModel: Sendable, Equatable {
    public var name: String
    public var description: String
    public var created: Timestamp
    public var updated: Timestamp
    public var tags: [Pair] = []
    public var aliases: [Alias] = []
    /// The newest version in each stage.
    public var latest: [RegisteredVersion] = []

    /// A name that stands for a version, and can be moved to another.
    public struct Alias: Sendable, Hashable {
        public var name: String
        public var version: Int64
    }
}

/// A version as a registry's clients know it.
public struct RegisteredVersion: Sendable, Equatable {
    public var id: ModelVersionID
    public var stage: Stage
    public var description: String
    /// Where it was registered from, as a URI.
    public var source: String
    /// Where its files are, as a URI.
    public var location: String
    /// Empty where none was named.
    public var run: String
    public var runLink: String
    /// The logged model that it is; nil where it is none.
    public var loggedModel: String?
    public var created: Timestamp
    public var updated: Timestamp
    public var tags: [Pair] = []
    public var aliases: [String] = []
}

/// What names and values in the registry may be.
enum RegistryRules {
    /// - Throws: ``RegistryFailure/invalid(_:)``.
    static func checkName(_ name: String) throws {
        guard !name.allSatisfy(\.isWhitespace) else {
            throw RegistryFailure.invalid("Registered model name cannot be empty.")
        }
        // By bytes, so that no combining mark hides one.
        let isPlain = !name.utf8.contains { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: ":") }
        guard isPlain, name != ".", name != "..", name.unicodeScalars.count <= 256
        else {
            throw RegistryFailure.invalid(
                "Invalid name: '\(name)'. Registered model name cannot contain '/' or ':', nor have more than 256 characters"
            )
        }
    }

    /// - Throws: ``RegistryFailure/invalid(_:)``, or the failure of the key's rules.
    static func check(_ tags: [Pair]) throws {
        for tag in tags {
            try RecordRules.checkKey(tag.key, "key")
            guard tag.value.unicodeScalars.count <= 100_000 else {
                throw RegistryFailure.invalid("'value' exceeds the maximum length of 100000 characters")
            }
        }
    }

    /// - Throws: ``RegistryFailure/invalid(_:)``.
    static func checkAlias(_ alias: String) throws {
        let isPlain = alias.unicodeScalars.allSatisfy {
            $0.properties.isAlphabetic || $0.properties.numericType != nil || $0 == "_" || $0 == "-"
        }
        guard !alias.isEmpty, isPlain, alias.unicodeScalars.count <= 255 else {
            throw RegistryFailure.invalid(
                "Invalid alias name: '\(alias)'. Names may only contain alphanumerics, underscores (_) and dashes (-)")
        }
        guard alias.lowercased() != "latest" else {
            throw RegistryFailure.invalid("'latest' alias name (case insensitive) is reserved.")
        }
        let rest = alias.dropFirst()
        guard !(alias.lowercased().hasPrefix("v") && !rest.isEmpty && rest.allSatisfy(\.isNumber)) else {
            throw RegistryFailure.invalid("Version alias name '\(alias)' is reserved.")
        }
    }
}
