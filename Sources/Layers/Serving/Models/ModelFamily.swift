/// All versions of one model in a repository.
struct ModelFamily {
    /// One version and how it stands.
    struct Version {
        var state = ModelIndexEntry.State.loading
        var reason = ""
        /// What was loaded, or tried to be.
        var source: Source?
        /// What answers; may be older than what was tried last.
        var served: ServedModel?
    }

    /// What a version is made of: as long as that is the same, it need not be loaded again.
    struct Source: Equatable {
        var version: FoundModel.Version
        var configuration: ModelConfiguration
    }

    var versions: [String: Version] = [:] {
        didSet {
            ready = versions.filter { $0.value.served != nil }.keys.sorted(by: Self.isLower)
            latest = ready.last.flatMap { versions[$0]?.served }
        }
    }
    /// Why no version can be found; nil where there is one.
    var problem: String?
    /// The files of a caller that stand in for those of the folder.
    var override: OverrideFolder?

    /// Version numbers that answer, ascending.
    private(set) var ready: [String] = []

    /// The version that answers where none is asked for: each request of a model looks here.
    private(set) var latest: ServedModel?

    /// Why it does not answer.
    var reason: String {
        problem ?? versions.sorted { Self.isLower($0.key, $1.key) }.last?.value.reason ?? "no version of it was loaded"
    }

    func index(name: String) -> [ModelIndexEntry] {
        if versions.isEmpty {
            return [ModelIndexEntry(name: name, version: "", state: .unavailable, reason: problem ?? "")]
        }
        return versions.sorted { Self.isLower($0.key, $1.key) }.map {
            ModelIndexEntry(name: name, version: $0.key, state: $0.value.state, reason: $0.value.reason)
        }
    }

    /// By number; what is none comes first.
    static func isLower(_ one: String, _ other: String) -> Bool {
        (Int(one) ?? -1, one) < (Int(other) ?? -1, other)
    }
}
