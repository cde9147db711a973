import Basics
import Experiments

/// What the source of a version names.
public enum VersionSource: Sendable, Equatable {
    /// `models:/NAME/3`: another version.
    case version(ModelVersionID)
    /// `models:/ID`.
    case loggedModel(String)
    /// `runs:/RUN/PATH`; the path may be empty.
    case run(String, path: String)
    /// Any other URI or path.
    case place(String)

    private static let modelScheme = "models:/"
    private static let runScheme = "runs:/"

    /// - Throws: ``RegistryFailure/badSource(_:reason:)`` for what steps up or is not of the form its scheme asks for.
    public init(_ source: String) throws {
        func refusal(_ reason: String) -> RegistryFailure { .badSource(source, reason: reason) }
        guard !PathBytes.names(of: source).contains("..") else { throw refusal("It steps up by '..'") }
        if let rest = PathBytes.rest(of: source, after: Self.modelScheme) {
            let parts = PathBytes.names(of: rest)
            if parts.count == 1, let id = parts.first {
                self = .loggedModel(id)
            } else if parts.count == 2, let name = parts.first, let number = parts.last.flatMap({ Int64($0) }) {
                self = .version(ModelVersionID(model: name, version: number))
            } else {
                throw refusal("It is neither models:/MODEL_ID nor models:/NAME/VERSION")
            }
        } else if let rest = PathBytes.rest(of: source, after: Self.runScheme) {
            let parts = PathBytes.names(of: rest, maxSplits: 1)
            guard let run = parts.first else { throw refusal("It names no run") }
            self = .run(run, path: parts.count == 2 ? parts.last ?? "" : "")
        } else {
            self = .place(source)
        }
    }
}
