import Basics
import Foundation
import Inference
import Synchronization

/// How models get into a repository and out of it. All of it blocks, and runs on the thread of the model it is about.
extension ModelRepository {
    /// Loads the versions of a model that are new or have changed, and drops those that are gone.
    ///
    /// - Parameter isForced: loads them even where nothing has changed.
    /// - Throws: what was wrong with the last version that did not load.
    func load(
        _ found: FoundModel, configuration text: String?, override: OverrideFolder?, isForced: Bool
    ) throws {
        for warning in found.warnings { options.onChange(.warning(name: found.name, warning)) }
        let configuration: ModelConfiguration
        do {
            if let problem = found.problem ?? options.refuse(found.name) {
                throw ServingFailure.modelNotReady(found.name, reason: problem)
            }
            configuration = try self.configuration(of: found, text: text)
        } catch {
            let reason = (error as? any Failure)?.message ?? "\(error)"
            change(found.name) { $0.problem = reason }
            options.onChange(.failed(name: found.name, version: "", reason: reason))
            throw error
        }
        let chosen = configuration.chosen(of: found.versions)
        let gone = families.withLock { families in
            Set(families[found.name]?.versions.keys.map { $0 } ?? []).subtracting(chosen.map(\.number))
        }
        var last: (any Error)?
        for version in chosen {
            let source = ModelFamily.Source(version: version, configuration: configuration)
            let known = families.withLock { $0[found.name]?.versions[version.number]?.source }
            guard isForced || known != source else { continue }
            do { try load(found.name, source, override: override) } catch { last = error }
        }
        change(found.name) { family in
            family.problem = chosen.isEmpty ? "its version policy chooses none of its versions" : nil
            family.override = override
            for version in gone { family.versions.removeValue(forKey: version) }
        }
        for version in gone { options.onChange(.unloaded(name: found.name, version: version)) }
        if let last { throw last }
    }

    private func configuration(of found: FoundModel, text: String?) throws -> ModelConfiguration {
        var (source, file) = (text, "the configuration of '\(found.name)'")
        if source == nil, let path = found.configuration {
            (source, file) = (try String(contentsOfFile: path, encoding: .utf8), path)
        }
        var standard = options.standard
        // So that a model is loaded anew where this has changed.
        if standard.record == nil { standard.record = options.records?.standard }
        guard let source else { return standard }
        let (configuration, warnings) = try ModelConfiguration.read(source, file: file, standard: standard)
        for warning in warnings { options.onChange(.warning(name: found.name, warning)) }
        return configuration
    }

    /// Loads one version and puts it in place.
    private func load(_ name: String, _ source: ModelFamily.Source, override: OverrideFolder?) throws {
        let number = source.version.number
        change(name) { family in
            var version = family.versions[number] ?? ModelFamily.Version()
            if version.served == nil { (version.state, version.reason) = (.loading, "") }
            version.source = source
            family.versions[number] = version
        }
        let began = SystemTime.monotonicNanoseconds
        do {
            var configuration = source.configuration
            let model =
                try configuration.ensemble.map { ensemble($0, configuration) }
                ?? tensorModel(at: source.version.path, override: override)
            if configuration.scaling == nil, configuration.instances == nil, ModelRunner.scalable(model) != nil {
                configuration.scaling = options.processes
            }
            let served = try served(name, version: number, model, configuration)
            if let problem = served.warmUp() {
                options.onChange(
                    .warning(name: name, "version \(number) was not tried before its first request: \(problem)"))
            }
            change(name) { $0.versions[number] = ModelFamily.Version(state: .ready, source: source, served: served) }
            let seconds = Double(SystemTime.monotonicNanoseconds &- began) / 1e9
            options.onChange(.loaded(served, seconds: seconds))
        } catch {
            let reason = (error as? any Failure)?.description ?? "\(error)"
            change(name) { family in
                // What served before goes on.
                let isServed = family.versions[number]?.served != nil
                family.versions[number]?.state = isServed ? .ready : .unavailable
                family.versions[number]?.reason = isServed ? "what is in the folder does not load: \(reason)" : reason
            }
            options.onChange(.failed(name: name, version: number, reason: reason))
            throw error
        }
    }

    private func served(
        _ name: String, version: String, _ model: any TensorModel, _ configuration: ModelConfiguration
    ) throws -> ServedModel {
        guard let records = options.records else {
            return ServedModel(
                name: name, version: version, model: model, configuration: configuration, time: time, metrics: metrics)
        }
        return try ServedModel(
            name: name, version: version, model: model, configuration: configuration, time: time, metrics: metrics,
            records: records)
    }

    private func ensemble(_ definition: EnsembleDefinition, _ configuration: ModelConfiguration) -> EnsembleModel {
        EnsembleModel(definition, stacksRows: (configuration.maxBatchSize ?? 0) > 0) { [weak self] name, version in
            guard let self else { throw ServingFailure.modelNotReady(name, reason: "the server ends") }
            return try self.model(name, version: version)
        }
    }

    private func tensorModel(at path: String, override: OverrideFolder?) throws -> any TensorModel {
        let load = options.load
        // Not again where a model that has given up its memory comes back: it is the one that was tried.
        try options.trial?.run(at: path)
        let model = try load(path)
        guard let budget else { return model }
        // The files of a caller are kept as long as they may be read again.
        return try ResidentModel(model, in: budget) { try withExtendedLifetime(override) { try load(path) } }
    }

    /// Drops every version of a model.
    func remove(_ name: String, keepingEntry: Bool = false) {
        let gone = families.withLock { $0[name]?.ready ?? [] }
        families.withLock { families in
            guard keepingEntry else {
                families.removeValue(forKey: name)
                return
            }
            families[name]?.override = nil
            for version in families[name]?.versions.keys.map({ $0 }) ?? [] {
                families[name]?.versions[version] = ModelFamily.Version(state: .unavailable, reason: "unloaded")
            }
        }
        changes.wrappingAdd(1, ordering: .acquiringAndReleasing)
        for version in gone { options.onChange(.unloaded(name: name, version: version)) }
    }

    func change(_ name: String, _ body: (inout ModelFamily) -> Void) {
        // What is replaced is freed after the lock is: that may take long.
        let before = families.withLock { families in
            var family = families[name] ?? ModelFamily()
            let before = family
            body(&family)
            families[name] = family
            let ready = family.ready
            for version in ready { family.versions[version]?.served?.versions = ready }
            return before
        }
        changes.wrappingAdd(1, ordering: .acquiringAndReleasing)
        withExtendedLifetime(before) {}
    }
}
