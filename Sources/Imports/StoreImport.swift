import Basics
import Experiments
import ModelworksClient
import Registry
import WorksAPI

/// Moves everything of another store into a factory, through the factory's own interface.
///
/// Nothing is noted about how far it came: what is here already with the same digest is passed over. So an import that was
/// broken off is started anew, and one that is done can be repeated for what has come since.
public struct StoreImport: Sendable {
    let source: any ArchiveSource
    let factory: FactoryConnection
    let options: Options
    private let progress: @Sendable (Int, Int?) -> Void
    private static let pointsPerRequest = 20_000

    /// How an import is done.
    public struct Options: Sendable {
        /// Whether runs are added to experiments of the same name that are not the source's.
        public var isMerging: Bool
        /// Whether it is only found out what is there and what would stand in the way.
        public var isRehearsal: Bool
        /// Whether artifacts come too.
        public var takesArtifacts: Bool

        public init(isMerging: Bool = false, isRehearsal: Bool = false, takesArtifacts: Bool = true) {
            self.isMerging = isMerging
            self.isRehearsal = isRehearsal
            self.takesArtifacts = takesArtifacts
        }
    }

    /// - Parameter progress: told how many runs are done, and of how many where that is known.
    public init(
        from source: any ArchiveSource, into factory: FactoryConnection, _ options: Options = Options(),
        progress: @escaping @Sendable (Int, Int?) -> Void = { _, _ in }
    ) {
        self.source = source
        self.factory = factory
        self.options = options
        self.progress = progress
    }

    /// - Throws: what the source can not be read with, `RemoteFailure` or `HTTPFailure` where the factory can not work on;
    ///   what stands in the way of one thing only is a difference in the report.
    public func run() async throws -> ImportReport {
        let start = SystemTime.monotonicNanoseconds
        var work = ImportWork(report: ImportReport(source: source.description, isRehearsal: options.isRehearsal))
        work.total = try await source.runCount()
        for experiment in try await source.experiments() { try await bring(experiment, &work) }
        for model in try await source.models() { try await bring(model, &work) }
        let tallies = [work.experiments, work.runs, work.loggedModels, work.models, work.artifacts]
        work.report.parts = tallies.map(\.part)
        let values = work.values.sorted { $0.key < $1.key }
        work.report.notes += values.map { "\($0.value) \($0.key) in the runs there" }
        work.report.seconds = Double(SystemTime.monotonicNanoseconds &- start) * 1e-9
        return work.report
    }

    private func bring(_ item: SourceExperiment, _ work: inout ImportWork) async throws {
        var wanted = item.experiment
        if source.moves(wanted.location ?? "") { wanted.location = nil }
        let what = "experiment '\(wanted.name)'"
        let target =
            "/imports/experiments?merge=\(options.isMerging)" + (options.isRehearsal ? "&rehearsal=true" : "")
        guard
            let found = try await told(
                what, &work, { try await factory.post(target, wanted, as: ImportedExperiment.self) })
        else {
            work.experiments.add(item.id, there: try digest(wanted), here: nil)
            return try await pass(item, &work)
        }
        if options.isRehearsal {
            work.experiments.add(item.id, there: try digest(wanted), here: nil)
            return try await pass(item, &work)
        }
        // One that took in the runs keeps its own times and tags.
        let isOwn = found.experiment.created == wanted.created
        var here = found.experiment
        here.location = wanted.location
        if !isOwn { work.report.notes.append("the runs of '\(wanted.name)' went to the experiment of that name") }
        work.experiments.add(
            item.id, there: try digest(wanted), here: isOwn ? try digest(here) : try digest(wanted))
        if isOwn, here != wanted { work.differ(what, "its name, stage, times or tags are others here") }

        var page: String?
        repeat {
            let part = try await source.runs(of: item.id, from: page)
            try await bring(part.items, to: found.id, &work)
            work.done += part.items.count
            progress(work.done, work.total)
            page = part.next
        } while page != nil
        repeat {
            let part = try await source.loggedModels(of: item.id, from: page)
            try await bring(part.items, to: found.id, &work)
            page = part.next
        } while page != nil
    }

    /// Counts what is not brought in.
    private func pass(_ item: SourceExperiment, _ work: inout ImportWork) async throws {
        var page: String?
        repeat {
            let part = try await source.runs(of: item.id, from: page)
            for run in part.items {
                count(run, &work)
                work.runs.add(run.id, there: try run.digest(), here: nil)
            }
            work.done += part.items.count
            progress(work.done, work.total)
            page = part.next
        } while page != nil
    }

    private func count(_ run: ArchivedRun, _ work: inout ImportWork) {
        work.values["parameters", default: 0] += run.parameters.count
        work.values["tags", default: 0] += run.tags.count
        work.values["metric points", default: 0] += run.pointCount
        work.values["dataset inputs", default: 0] += run.datasets.count
    }

    private func bring(_ page: [ArchivedRun], to experiment: Int64, _ work: inout ImportWork) async throws {
        guard !page.isEmpty else { return }
        var runs: [ArchivedRun] = []
        var files: [String: [SourceFile]] = [:]
        for run in page {
            count(run, &work)
            var run = run
            run.experiment = experiment
            if source.moves(run.location) {
                let place = "mlflow-artifacts:/\(experiment)/\(run.id)/artifacts"
                if options.takesArtifacts {
                    files[run.id] = try await source.files(below: run.location, of: .run(run.id))
                }
                work.places[LocalArtifacts.path(of: run.location)] = place
                run.location = place
            }
            work.owners[run.id] = run.location
            runs.append(run)
        }
        let query = ImportQuery(runs: runs.map(\.id))
        var state = states(try await factory.post("/imports/state", query, as: ImportState.self).runs)
        var refused: Set<String> = []
        var batch: [ArchivedRun] = []
        for run in runs where state[run.id]?.digest != (try run.digest()) {
            let size = batch.reduce(run.pointCount) { $0 + $1.pointCount }
            if size > Self.pointsPerRequest, !batch.isEmpty {
                try await send(batch, &refused, &work)
                batch = []
            }
            let parts = run.parts(ofPoints: Self.pointsPerRequest)
            for part in parts.dropLast() { try await send([part], &refused, &work) }
            if let last = parts.last { batch.append(last) }
        }
        try await send(batch, &refused, &work)
        var digests: [String: Digest] = [:]
        for run in runs where !refused.contains(run.id) {
            try await send(
                files[run.id] ?? [], to: run.location, known: state[run.id]?.files ?? [:], "run/\(run.id)", &digests,
                &work)
        }
        state = states(try await factory.post("/imports/state", query, as: ImportState.self).runs)
        for run in runs {
            let there = try run.digest()
            let isRefused = refused.contains(run.id)
            work.runs.add(run.id, there: there, here: isRefused ? nil : state[run.id]?.digest)
            if isRefused { continue }
            if let here = state[run.id]?.digest, here != there {
                work.differ("run \(run.id)", "its record here is another (\(here.short), there \(there.short))")
            }
            compare(files[run.id] ?? [], "run/\(run.id)", digests, state[run.id], &work)
        }
    }

    private func bring(_ page: [ArchivedLoggedModel], to experiment: Int64, _ work: inout ImportWork) async throws {
        guard !page.isEmpty else { return }
        var models: [ArchivedLoggedModel] = []
        var files: [String: [SourceFile]] = [:]
        for model in page {
            var model = model
            model.experiment = experiment
            if source.moves(model.location) {
                let place = "mlflow-artifacts:/\(experiment)/models/\(model.id)/artifacts"
                if options.takesArtifacts {
                    files[model.id] = try await source.files(below: model.location, of: .loggedModel(model.id))
                }
                work.places[LocalArtifacts.path(of: model.location)] = place
                model.location = place
            }
            work.owners[model.id] = model.location
            models.append(model)
        }
        let query = ImportQuery(loggedModels: models.map(\.id))
        var state = states(try await factory.post("/imports/state", query, as: ImportState.self).loggedModels)
        for model in models where state[model.id]?.digest != (try model.digest()) {
            _ = try await told("logged model \(model.id)", &work) {
                try await factory.post("/imports/logged-models", [model])
            }
        }
        var digests: [String: Digest] = [:]
        for model in models {
            try await send(
                files[model.id] ?? [], to: model.location, known: state[model.id]?.files ?? [:], "model/\(model.id)",
                &digests, &work)
        }
        state = states(try await factory.post("/imports/state", query, as: ImportState.self).loggedModels)
        for model in models {
            let there = try model.digest()
            work.loggedModels.add(model.id, there: there, here: state[model.id]?.digest)
            if let here = state[model.id]?.digest, here != there {
                work.differ("logged model \(model.id)", "its record here is another")
            }
            compare(files[model.id] ?? [], "model/\(model.id)", digests, state[model.id], &work)
        }
    }

    private func send(_ runs: [ArchivedRun], _ refused: inout Set<String>, _ work: inout ImportWork) async throws {
        let runs = runs.filter { !refused.contains($0.id) }
        guard !runs.isEmpty else { return }
        do {
            _ = try await factory.post("/imports/runs", runs)
        } catch let failure as RemoteFailure where Self.isAboutOne(failure) {
            // One of them stands in the way: the others go alone.
            for run in runs {
                let done = try await told("run \(run.id)", &work) { try await factory.post("/imports/runs", [run]) }
                if done == nil { refused.insert(run.id) }
            }
        }
    }

    private func send(
        _ files: [SourceFile], to location: String, known: [String: Digest], _ owner: String,
        _ digests: inout [String: Digest], _ work: inout ImportWork
    ) async throws {
        let root = location.drop { $0 != "/" }.drop { $0 == "/" }
        for file in files {
            let bytes = try await file.read()
            let digest = Digest(of: bytes)
            digests["\(owner)/\(file.path)"] = digest
            guard known[file.path] != digest else { continue }
            let path = "\(root)/\(file.path)".split(separator: "/").map { FactoryConnection.escape(String($0)) }
            _ = try await told("artifact \(owner)/\(file.path)", &work) {
                try await factory.put("/api/2.0/mlflow-artifacts/artifacts/\(path.joined(separator: "/"))", bytes)
                return true
            }
        }
    }

    private func compare(
        _ files: [SourceFile], _ owner: String, _ digests: [String: Digest], _ state: ArchiveState?,
        _ work: inout ImportWork
    ) {
        for file in files {
            guard let there = digests["\(owner)/\(file.path)"] else { continue }
            let here = state?.files[file.path]
            work.artifacts.add("\(owner)/\(file.path)", there: there, here: here)
            if state != nil, here != there {
                work.differ(
                    "artifact \(owner)/\(file.path)", here == nil ? "it is not here" : "it has other bytes here")
            }
        }
    }

    private func states(_ list: [ArchiveState]) -> [String: ArchiveState] {
        Dictionary(list.map { ($0.id, $0) }) { first, _ in first }
    }

    private func digest(_ experiment: ArchivedExperiment) throws -> Digest {
        Digest(of: try JSON.canonical(experiment))
    }

    /// Does something that may be refused for this one thing, which then is a difference and no end of the import.
    func told<Value>(
        _ what: String, _ work: inout ImportWork, _ body: () async throws -> Value
    ) async throws -> Value? {
        do { return try await body() } catch let failure as RemoteFailure where Self.isAboutOne(failure) {
            work.differ(what, failure.message)
            return nil
        }
    }

    private static func isAboutOne(_ failure: RemoteFailure) -> Bool {
        [.alreadyExists, .invalidArgument, .failedPrecondition, .notFound].contains(failure.code)
            && failure.status != 401 && failure.status != 403
    }
}
