import Basics
import Synchronization

/// The models a server answers for, by name and version.
public final class ModelRepository: Sendable {
    private let models = Mutex<[String: [String: ServedModel]]>([:])
    private let changes = Atomic<Int>(0)

    public init() {}

    /// Moves when a model was loaded, unloaded or replaced: as long as it stands still, a found model is the right one.
    public var generation: Int { changes.load(ordering: .acquiring) }

    /// Puts a model in the place of what has its name and version.
    public func register(_ model: ServedModel) {
        models.withLock { $0[model.name, default: [:]][model.version] = model }
        changes.wrappingAdd(1, ordering: .releasing)
    }

    /// The version that is asked for, or the one that is served where none is.
    ///
    /// - Throws: ``ServingFailure`` where there is no such model or version, or it is not ready.
    public func model(_ name: String, version: String?) throws -> ServedModel {
        try models.withLock { models in
            guard let versions = models[name] else {
                throw ServingFailure.unknownModel(name, known: models.keys.sorted())
            }
            let latest = versions.keys.max { (Int($0) ?? 0) < (Int($1) ?? 0) }
            guard let found = (version ?? latest).flatMap({ versions[$0] }) else {
                throw ServingFailure.unknownVersion(name, version ?? "", known: versions.keys.sorted())
            }
            return found
        }
    }

    /// Whether a model answers.
    ///
    /// - Throws: ``ServingFailure`` where there is no such model or version.
    public func isReady(_ name: String, version: String?) throws -> Bool {
        _ = try model(name, version: version)
        return true
    }

    /// Every version of every model, by name and number.
    ///
    /// - Parameter readyOnly: leaves out those that do not answer.
    public func index(readyOnly: Bool) -> [ModelIndexEntry] {
        models.withLock { models in
            models.values.flatMap(\.values)
                .map { ModelIndexEntry(name: $0.name, version: $0.version, state: .ready) }
                .sorted { ($0.name, Int($0.version) ?? 0) < ($1.name, Int($1.version) ?? 0) }
        }
    }

    /// Loads a model anew, or for the first time.
    ///
    /// - Parameter override: what stands in for what the folder has.
    /// - Throws: ``ServingFailure`` where there is no such model, or it does not load.
    public func load(_ name: String, override: ModelOverride?) async throws { _ = try model(name, version: nil) }

    /// Takes a model away; requests under way are answered.
    ///
    /// - Throws: ``ServingFailure`` where there is no such model.
    public func unload(_ name: String) async throws {
        guard models.withLock({ $0.removeValue(forKey: name) }) != nil else {
            throw ServingFailure.unknownModel(name, known: [])
        }
        changes.wrappingAdd(1, ordering: .releasing)
    }
}
