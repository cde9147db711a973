import Basics
import Foundation
import Synchronization
import Telemetry

/// The models a server answers for, by name and version: those of a folder, and those that were registered by hand.
///
/// Models are loaded on threads of their own and put in place at once when they are ready, so that loading one never holds
/// up another, and requests under way end on the version they began with. A model that does not load is unavailable with
/// the reason, and the rest serves.
public final class ModelRepository: Sendable {
    let options: RepositoryOptions
    let time: any TimeSource
    let random: any RandomSource
    let metrics: MetricsRegistry
    let budget: MemoryBudget?
    let families = Mutex<[String: ModelFamily]>([:])
    let changes = Atomic<Int>(0)
    private let started: Atomic<Bool>
    /// One for each model, so that what is done to it is done in order.
    private let threads = Mutex<[String: BlockingThread]>([:])

    /// - Parameter metrics: where histograms and counters of the models are shown.
    public init(
        _ options: RepositoryOptions = RepositoryOptions(), time: any TimeSource, random: any RandomSource,
        metrics: MetricsRegistry = MetricsRegistry()
    ) {
        self.options = options
        self.time = time
        self.random = random
        self.metrics = metrics
        budget = options.memoryBytes.map(MemoryBudget.init(limit:))
        started = Atomic(options.folder == nil)
    }

    /// Moves when a model was loaded, unloaded or replaced: as long as it stands still, a found model is the right one.
    public var generation: Int { changes.load(ordering: .acquiring) }

    /// Whether everything that is loaded at the start has been loaded, or has failed to.
    public var isReady: Bool { started.load(ordering: .acquiring) }

    /// Puts a model in the place of what has its name and version.
    public func register(_ model: ServedModel) {
        change(model.name) { family in
            family.problem = nil
            family.versions[model.version] = ModelFamily.Version(state: .ready, served: model)
        }
    }

    /// The version that is asked for, or the latest one where none is.
    ///
    /// - Parameter version: nil and empty for none.
    /// - Throws: ``ServingFailure`` where there is no such model or version, or it is not ready.
    public func model(_ name: String, version: String?) throws -> ServedModel {
        try families.withLock { families in
            guard let family = families[name] else {
                throw ServingFailure.unknownModel(name, known: families.keys.sorted())
            }
            guard let version, !version.isEmpty else {
                if let latest = family.latest { return latest }
                throw ServingFailure.modelNotReady(name, reason: family.reason)
            }
            guard let found = family.versions[version] else {
                throw ServingFailure.unknownVersion(name, version, known: family.index(name: name).map(\.version))
            }
            if let served = found.served { return served }
            throw ServingFailure.modelNotReady("\(name)/\(version)", reason: found.reason)
        }
    }

    /// Whether a model answers.
    ///
    /// - Throws: ``ServingFailure`` where there is no such model or version.
    public func isReady(_ name: String, version: String?) throws -> Bool {
        do {
            _ = try model(name, version: version)
            return true
        } catch ServingFailure.modelNotReady {
            return false
        }
    }

    /// Every version of every model, by name and number.
    ///
    /// - Parameter readyOnly: leaves out those that do not answer.
    public func index(readyOnly: Bool) -> [ModelIndexEntry] {
        families.withLock { families in families.sorted { $0.key < $1.key }.flatMap { $1.index(name: $0) } }
            .filter { !readyOnly || $0.state == .ready }
    }

    /// Everything that answers, by name and number.
    public var all: [ServedModel] {
        families.withLock { families in
            families.sorted { $0.key < $1.key }.flatMap { _, family in
                family.ready.compactMap { family.versions[$0]?.served }
            }
        }
    }

    /// Loads what is served from the start; returns when each model answers or has failed to load.
    ///
    /// - Throws: ``ServingFailure`` where the folder can not be read, or has not a model that was asked for.
    public func start() async throws {
        guard let folder = options.folder else { return }
        defer { started.store(true, ordering: .releasing) }
        var found = try await BlockingThread(name: "models").run { try FoundModel.all(in: folder) }
        if options.control == .explicit {
            for name in options.loadedAtStart where !found.contains(where: { $0.name == name }) {
                throw ServingFailure.unknownModel(name, known: found.map(\.name))
            }
            found = found.filter { options.loadedAtStart.contains($0.name) }
        }
        await update(found)
    }

    /// Looks at the folder again, and loads and unloads what has changed. Does nothing where it is not to be followed.
    ///
    /// - Throws: ``ServingFailure`` where the folder can not be read; what is loaded stays.
    public func poll() async throws {
        guard let folder = options.folder, options.control == .poll else { return }
        let found = try await BlockingThread(name: "models").run { try FoundModel.all(in: folder) }
        let gone = families.withLock { Set($0.keys) }.subtracting(found.map(\.name))
        for name in gone { try await inTurn(name) { self.remove(name) } }
        await update(found)
    }

    /// Loads a model anew, or for the first time.
    ///
    /// - Parameter override: what stands in for what the folder has.
    /// - Throws: ``ServingFailure`` where there is no such model, it does not load, or callers do not decide here.
    public func load(_ name: String, override: ModelOverride?) async throws {
        let folder = try explicitFolder()
        let files = try override.flatMap { override in
            override.files.isEmpty ? nil : try OverrideFolder(override.files, of: name, random: random)
        }
        let found = try await BlockingThread(name: "models").run {
            guard let found = try FoundModel.named(name, in: files?.path ?? folder) else {
                throw ServingFailure.unknownModel(name, known: try FoundModel.all(in: folder).map(\.name))
            }
            return found
        }
        let configuration = override?.configuration
        try await inTurn(name) {
            try self.load(found, configuration: configuration, override: files, isForced: true)
        }
    }

    /// Takes a model away; requests under way are answered.
    ///
    /// - Throws: ``ServingFailure`` where there is no such model, or callers do not decide here.
    public func unload(_ name: String) async throws {
        _ = try explicitFolder()
        let known = families.withLock { $0.keys.sorted() }
        guard known.contains(name) else { throw ServingFailure.unknownModel(name, known: known) }
        try await inTurn(name) { self.remove(name, keepingEntry: true) }
    }

    private func explicitFolder() throws -> String {
        guard let folder = options.folder, options.control == .explicit else {
            throw ServingFailure.notExplicit
        }
        return folder
    }

    /// Brings models up to what was found, so many at once as there are cores.
    private func update(_ found: [FoundModel]) async {
        await withTaskGroup(of: Void.self) { group in
            for (place, model) in found.enumerated() {
                if place >= max(1, ProcessInfo.processInfo.activeProcessorCount) { await group.next() }
                group.addTask {
                    // What is wrong with a model is told by its entry in the index.
                    try? await self.inTurn(model.name) {
                        try self.load(model, configuration: nil, override: nil, isForced: false)
                    }
                }
            }
        }
    }

    private func inTurn(_ name: String, _ body: @escaping @Sendable () throws -> Void) async throws {
        let thread = threads.withLock { threads in
            if let thread = threads[name] { return thread }
            let thread = BlockingThread(name: "model.load.\(name)")
            threads[name] = thread
            return thread
        }
        try await thread.run(body)
    }
}
