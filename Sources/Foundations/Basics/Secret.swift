import Foundation

/// A text that must never be seen: a password, a key, a token. Every way of printing it shows dots.
public struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let text: String

    public init(_ text: String) { self.text = text }

    /// The text itself, for the one call that needs it.
    public var revealed: String { text }

    public var description: String { "•••" }
    public var debugDescription: String { "•••" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Where secrets come from: the environment or files, never a command line or a definition.
public struct SecretSource: Sendable {
    private let environment: [String: String]
    private static let bytesMax = 64 << 10

    /// - Parameter environment: the process's variables.
    public init(environment: [String: String]) { self.environment = environment }

    /// The value of a variable.
    /// - Throws: `SecretFailure.missingVariable`.
    public func variable(_ name: String) throws -> Secret {
        guard let value = environment[name], !value.isEmpty else { throw SecretFailure.missingVariable(name) }
        return Secret(value)
    }

    /// The content of a file without the line end that editors leave.
    /// - Throws: `SecretFailure.unreadable` where it can not be read, is empty, is over 64 KiB or is not UTF-8.
    public func file(_ path: String) throws -> Secret {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw SecretFailure.unreadable(path: path, reason: "it can not be read")
        }
        guard data.count <= Self.bytesMax, let text = String(data: data, encoding: .utf8) else {
            throw SecretFailure.unreadable(path: path, reason: "it is no text of at most 64 KiB")
        }
        let value = text.trimmingCharacters(in: .newlines)
        guard !value.isEmpty else { throw SecretFailure.unreadable(path: path, reason: "it is empty") }
        return Secret(value)
    }
}

/// Why a secret could not be had.
public enum SecretFailure: Failure, Hashable {
    case missingVariable(String)
    case unreadable(path: String, reason: String)

    public var code: FailureCode { .failedPrecondition }

    public var message: String {
        switch self {
        case .missingVariable(let name): "the environment variable '\(name)' that should hold a secret is not set"
        case .unreadable(let path, let reason): "the secret in '\(path)' can not be used: \(reason)"
        }
    }

    public var remedy: String? {
        switch self {
        case .missingVariable(let name): "Set \(name) for this process, or name a file instead"
        case .unreadable: "Check that the file exists, that this user may read it, and what it holds"
        }
    }
}
