import Basics
import Experiments
import Journal
import ObjectStorage
import Registry
import SQL

/// Removes what was deleted long ago, and objects that nothing names.
///
/// The rule for objects: one lives while a row of the database, or an object that lives, has its digest anywhere in it. So
/// whatever a version (a deleted one too), a run, a dataset version, a history of features or an entry of the journal names
/// stays, and a part of the factory that starts to name objects need not be told of here. What nothing names goes only
/// after it was so for a time of grace, which is longer than anything takes from storing an object to naming it.
///
/// Collections may be broken off anywhere, and one at a time runs among all processes that share the database.
public struct Collector: Sendable {
    private let database: Database
    private let objects: any ObjectStore
    private let experiments: ExperimentStore
    private let registry: ModelRegistry
    private let clock: any TimeSource
    private let time: any TimeSource
    private let leases: Leases
    /// Objects that are longer are files and name no others.
    private static let manifestBytesMax: Int64 = 16 << 20
    private static let fileBytesMax: Int64 = 256 << 10
    /// What a collection holds while it works.
    static let leaseName = "upkeep"

    /// The table of objects that are about to go.
    public static var migrations: [Migration] { Condemned.migrations }

    /// - Parameters:
    ///   - objects: the store itself; everybody else uses it through a ``CollectedObjectStore``.
    ///   - clock: the one that dates deletions in `experiments` and `registry`, which may be that of a replay; the journal
    ///     too.
    ///   - time: the system's, for the grace of objects and the lease: uploads take the system's time also in a replay.
    ///   - holder: names this process among those that share the database.
    public init(
        database: Database, objects: any ObjectStore, experiments: ExperimentStore, registry: ModelRegistry,
        clock: any TimeSource, time: any TimeSource, holder: String
    ) {
        self.database = database
        self.objects = objects
        self.experiments = experiments
        self.registry = registry
        self.clock = clock
        self.time = time
        leases = Leases(database, time: time, holder: holder)
    }

    /// What a collection removed, or would remove.
    public struct Report: Sendable, Codable, Equatable {
        public var isRehearsal: Bool
        /// Experiments, runs and logged models that were deleted long enough ago.
        public var experiments: [String] = []
        public var runs: [String] = []
        public var loggedModels: [String] = []
        /// Deleted long enough ago, but a version was made from it.
        public var keptForVersions: [String] = []
        /// How many objects there were.
        public var objects = 0
        /// How many of them nothing names.
        public var unnamed = 0
        /// How many of those have been so for the time of grace, and went.
        public var removed = 0
        public var removedBytes: Int64 = 0
    }

    /// Collects once, and journals what went.
    /// - Parameters:
    ///   - deletedSeconds: what was deleted longer ago than that goes for good.
    ///   - graceSeconds: how long an object must have been named by nothing.
    /// - Throws: ``UpkeepFailure/isCollecting``, or the failure of a store.
    public func collect(
        deletedSeconds: Int64, graceSeconds: Int64, isRehearsal: Bool, by principal: String
    ) async throws -> Report {
        guard let lease = try await leases.acquire(Self.leaseName, for: 60) else { throw UpkeepFailure.isCollecting }
        do {
            let report = try await collect(deletedSeconds, graceSeconds, isRehearsal, principal, lease)
            try await leases.release(lease)
            return report
        } catch {
            try? await leases.release(lease)
            throw error
        }
    }

    private func collect(
        _ deletedSeconds: Int64, _ graceSeconds: Int64, _ isRehearsal: Bool, _ principal: String, _ first: Lease
    ) async throws -> Report {
        var lease = first
        let now = time.now
        let condemned = Condemned(database: database)
        var report = Report(isRehearsal: isRehearsal)
        try await purge(before: clock.now.advanced(bySeconds: -deletedSeconds), &report)

        // Listed first: an object that comes later is none of those that could go.
        let listed = try await objects.list()
        report.objects = listed.count
        let living = try await living(among: Set(listed), &lease)
        let unnamed = Set(listed).subtracting(living)
        report.unnamed = unnamed.count
        guard !isRehearsal else { return report }
        lease = try await leases.renew(lease)
        try await condemned.update(unnamed, at: now, under: lease)
        while true {
            lease = try await leases.renew(lease)
            let doomed = try await condemned.doom(
                seenBefore: now.advanced(bySeconds: -graceSeconds), under: lease)
            guard !doomed.isEmpty else { break }
            for digest in doomed where leases.isFresh(lease) {
                // One that is gone already was removed by a collector that was killed after it.
                report.removedBytes += (try? await objects.size(digest)) ?? 0
                try await objects.delete(digest)
                report.removed += 1
            }
            guard leases.isFresh(lease) else { throw SQLFailure.leaseLost(name: lease.name, token: lease.token) }
            try await condemned.forget(doomed, under: lease)
        }
        if report.removed > 0 || !report.runs.isEmpty || !report.experiments.isEmpty || !report.loggedModels.isEmpty {
            let body: JSONValue = [
                "experiments": .integer(Int64(report.experiments.count)), "runs": .integer(Int64(report.runs.count)),
                "loggedModels": .integer(Int64(report.loggedModels.count)), "objects": .integer(Int64(report.removed)),
                "bytes": .integer(report.removedBytes),
            ]
            let dated = clock.now
            try await database.write { transaction in
                _ = try Journal.append(
                    JournalDraft(principal: principal, type: "upkeep.collected", subject: "upkeep", body: body),
                    in: transaction, at: dated)
            }
        }
        return report
    }

    private func purge(before moment: Timestamp, _ report: inout Report) async throws {
        let isRehearsal = report.isRehearsal
        let needed = try await registry.neededByVersions()
        let deleted = try await experiments.deleted(before: moment)
        for id in deleted.loggedModels {
            let isGone = try await goes("logged model \(id)", needed.loggedModels.contains(id), &report) {
                try await experiments.purge(loggedModel: id, before: moment, isRehearsal: isRehearsal)
            }
            if isGone { report.loggedModels.append(id) }
        }
        for id in deleted.runs {
            let isGone = try await goes("run \(id)", needed.runs.contains(id), &report) {
                try await experiments.purge(run: id, before: moment, isRehearsal: isRehearsal)
            }
            if isGone { report.runs.append(id) }
        }
        guard !isRehearsal else {
            report.experiments = deleted.experiments.map { "\($0)" }
            return
        }
        for id in deleted.experiments where try await experiments.purge(experiment: id) {
            report.experiments.append("\(id)")
        }
    }

    /// Whether something deleted goes. A version may need it by name, or only its files.
    private func goes(
        _ name: String, _ isNeeded: Bool, _ report: inout Report, purge: () async throws -> Bool
    ) async throws -> Bool {
        do { if !isNeeded { return try await purge() } } catch ExperimentsFailure.artifactPinned {}
        report.keptForVersions.append(name)
        return false
    }

    /// The objects that a row of the database names, or an object that is named.
    private func living(among listed: Set<Digest>, _ lease: inout Lease) async throws -> Set<Digest> {
        let (named, files) = (DigestScan(), DigestScan())
        try await database.scanTexts(skipping: [Condemned.table]) { table, bytes in
            (table == "artifacts" ? files : named).read(bytes)
        }
        var living = files.digests.union(named.digests).intersection(listed)
        // What only a client named as its file is read through where it is short: a bundle of a run that nobody registered.
        var limits: [Digest: Int64] = [:]
        for digest in living {
            limits[digest] = named.digests.contains(digest) ? Self.manifestBytesMax : Self.fileBytesMax
        }
        var read: Set<Digest> = []
        while !limits.isEmpty {
            let inner = DigestScan()
            for (digest, limit) in limits {
                read.insert(digest)
                if !leases.isFresh(lease) { lease = try await leases.renew(lease) }
                guard let bytes = try await bytes(of: digest, atMost: limit) else { continue }
                bytes.withUnsafeBytes { inner.read($0) }
            }
            let next = inner.digests.intersection(listed)
            living.formUnion(next)
            limits = [:]
            for digest in next.subtracting(read) { limits[digest] = Self.manifestBytesMax }
        }
        return living
    }

    /// The bytes of an object that is not too long. One that can not be read stops the collection, because what it names is
    /// not known.
    private func bytes(of digest: Digest, atMost limit: Int64) async throws -> [UInt8]? {
        do {
            guard try await objects.size(digest) <= limit else { return nil }
            return try await objects.get(digest)
        } catch StorageFailure.objectNotFound { return nil }
    }
}
