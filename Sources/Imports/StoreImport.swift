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

        try await eachPage(source.runs, of: item.id) { runs in
            for run in runs { count(run, &work) }
            try await bring(runs, to: found.id, .runs, &work)
            work.done += runs.count
            progress(work.done, work.total)
        }
        try await eachPage(source.loggedModels, of: item.id) { models in
            try await bring(models, to: found.id, .loggedModels, &work)
        }
    }

    /// Counts what is not brought in.
    private func pass(_ item: SourceExperiment, _ work: inout ImportWork) async throws {
        try await eachPage(source.runs, of: item.id) { runs in
            for run in runs {
                count(run, &work)
                work.runs.add(run.id, there: try run.digest(), here: nil)
            }
            work.done += runs.count
            progress(work.done, work.total)
        }
    }

    private func eachPage<Item>(
        _ read: (String, String?) async throws -> SourcePage<Item>, of experiment: String,
        _ body: ([Item]) async throws -> Void
    ) async throws {
        var page: String?
        repeat {
            let part = try await read(experiment, page)
            try await body(part.items)
            page = part.next
        } while page != nil
    }

    private func count(_ run: ArchivedRun, _ work: inout ImportWork) {
        work.values["parameters", default: 0] += run.parameters.count
        work.values["tags", default: 0] += run.tags.count
        work.values["metric points", default: 0] += run.pointCount
        work.values["dataset inputs", default: 0] += run.datasets.count
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

    static func isAboutOne(_ failure: RemoteFailure) -> Bool {
        [.alreadyExists, .invalidArgument, .failedPrecondition, .notFound].contains(failure.code)
            && failure.status != 401 && failure.status != 403
    }
}
