import Basics

/// The place of an artifact below the root of all: relative, with `/` between names, and no way out.
public struct ArtifactPath: Sendable, Hashable, CustomStringConvertible {
    /// How long a path may be, in bytes: with the name of who pins it, it must fit the 2704 that PostgreSQL's indexes take.
    public static let lengthLimit = 1024
    /// How many layers of percent escapes a path may have.
    private static let escapeLimit = 8
    /// How the URIs of artifacts begin that are kept by the factory.
    public static let scheme = "mlflow-artifacts:"

    public let description: String

    /// - Throws: ``ExperimentsFailure/artifactPath(_:)`` for what is absolute, steps up, is too long, or is no plain path of
    ///   any system, also where it does so only after its percent escapes are undone; for what joins a `/` with a combining
    ///   mark, or is escaped more than eight times.
    public init(_ text: String) throws {
        let failure = ExperimentsFailure.artifactPath(RecordRules.cut(text, ArtifactPath.lengthLimit + 1))
        guard text.utf8.count <= ArtifactPath.lengthLimit else { throw failure }
        // Whoever undoes one layer of escapes too many must not find a way out either.
        var layers = [text]
        while let last = layers.last, let undone = ArtifactPath.undone(last) {
            guard layers.count <= ArtifactPath.escapeLimit else { throw failure }
            layers.append(undone)
        }
        for candidate in layers {
            let names = PathBytes.names(of: candidate, omittingEmpty: false)
            // What counts characters must find the same names as what counts bytes.
            let isJoined = candidate.count { $0 == "/" } != names.count - 1
            let isDrive = candidate.utf8.count > 1 && candidate.utf8.dropFirst().first == UInt8(ascii: ":")
            let isBad = candidate.unicodeScalars.contains {
                $0 == "\\" || $0 == "#" || $0.value < 32 || $0.value == 127
            }
            guard !candidate.isEmpty, !names.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }), !isDrive,
                !isBad, !isJoined
            else { throw failure }
        }
        description = text
    }

    /// The path of a URI of the factory's own store; nil for other URIs.
    /// - Throws: ``ExperimentsFailure/artifactPath(_:)``.
    public init?(location: String) throws {
        guard let path = PathBytes.rest(of: location, after: ArtifactPath.scheme) else { return nil }
        var rest = path.utf8[...]
        // With the server's own address: mlflow-artifacts://host:5000/1/...
        if rest.starts(with: "//".utf8) { rest = rest.dropFirst(2).drop { $0 != PathBytes.slash } }
        try self.init(String(decoding: rest.drop { $0 == PathBytes.slash }, as: UTF8.self))
    }

    /// The path of something below this one.
    /// - Throws: ``ExperimentsFailure/artifactPath(_:)``.
    public func appending(_ relative: String) throws -> ArtifactPath {
        _ = try ArtifactPath(relative)
        return try ArtifactPath("\(description)/\(relative)")
    }

    /// The folders it lies in, from the root on.
    var parents: [String] {
        var parents: [String] = []
        var current = ""
        for name in PathBytes.names(of: description).dropLast() {
            current += (current.isEmpty ? "" : "/") + name
            parents.append(current)
        }
        return parents
    }

    /// The text with one layer of its percent escapes undone; nil where it has none.
    private static func undone(_ text: String) -> String? {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return nil }
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return bytes.count < text.utf8.count ? String(decoding: bytes, as: UTF8.self) : nil
    }
}

/// A file or folder among artifacts.
public struct ArtifactEntry: Sendable, Equatable {
    /// The last part of its path.
    public var name: String
    /// Bytes of a file; nil for a folder.
    public var bytes: Int64?
}
