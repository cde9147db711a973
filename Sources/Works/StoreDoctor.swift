import Basics
import Features
import Foundation
import Jobs
import Journal
import KeyValue
import ObjectStorage
import SQL
import Streams
import Telemetry

/// Looks at every store of a factory: whether it can be used as it is, and what to do where it can not.
///
/// The stores are looked at side by side, each for itself and for a bounded time, so that one that is away hides nothing
/// of the others. Nothing is created, and no schema is changed.
public struct StoreDoctor: Sendable {
    private let options: WorksOptions
    private let isInUse: Bool
    private let opener: StoreOpener
    /// How long one store may take: a little more than most give themselves, as they know better what is wrong.
    private static let seconds = 11
    private typealias Store = StoreAddresses.Store

    /// - Parameters:
    ///   - options: name the root and the stores, as for opening the factory.
    ///   - isInUse: whether a process works on the root now: then its embedded stores are only read.
    public init(_ options: WorksOptions, isInUse: Bool) {
        self.options = options
        self.isInUse = isInUse
        opener = StoreOpener(
            options: options, cache: NSTemporaryDirectory() + "modelworks-doctor-\(getpid())",
            metrics: MetricsRegistry(), logger: Logger(sink: .none(), level: .error, time: options.time))
    }

    /// One verdict for each store.
    public func look() async -> [StoreVerdict] {
        defer { try? FileManager.default.removeItem(atPath: opener.cache) }
        let addresses: StoreAddresses
        do { addresses = options.stores.over(try StoreAddresses(rememberedBy: options.root)) } catch {
            var verdict = StoreVerdict(store: "stores", address: nil)
            verdict.problem = "what the root remembers of its stores can not be read: \(error)"
            return [verdict]
        }
        return await withTaskGroup(of: (Int, StoreVerdict).self) { group in
            for (index, store) in Store.allCases.enumerated() {
                group.addTask {
                    let (root, environment) = (self.options.root, self.options.environment)
                    return (
                        index,
                        await self.verdict(store.rawValue) {
                            try addresses.resolved(store, root: root, environment: environment)
                        } examine: { url, verdict in
                            try await self.examine(store, url, &verdict)
                        }
                    )
                }
            }
            if addresses.anchor != nil { group.addTask { (.max, await self.anchor(addresses)) } }
            var found: [(Int, StoreVerdict)] = []
            for await verdict in group { found.append(verdict) }
            return found.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    private func anchor(_ addresses: StoreAddresses) async -> StoreVerdict {
        let (root, environment) = (options.root, options.environment)
        return await verdict("anchor") {
            try addresses.resolvedAnchor(root: root, environment: environment)
        } examine: { url, verdict in
            let place = try await AnchorPlace.open(url, opener: self.opener)
            let start = SystemTime.monotonicNanoseconds
            let latest = try await place.anchor.latest()
            verdict.latencySeconds = Double(SystemTime.monotonicNanoseconds &- start) * 1e-9
            verdict.engine = url.scheme
            verdict.detail = latest.map { "checkpoint at \($0.sequence)" } ?? "no checkpoint yet"
            await place.close()
        }
    }

    /// The verdict on one store: whatever goes wrong is told in it.
    private func verdict(
        _ store: String, _ resolve: @Sendable () throws -> StoreURL?,
        examine: @escaping @Sendable (StoreURL, inout StoreVerdict) async throws -> Void
    ) async -> StoreVerdict {
        var address: String?
        do {
            guard let url = try resolve() else { return StoreVerdict(store: store, address: nil) }
            address = url.description
            let begun = StoreVerdict(store: store, address: address)
            let silent = WorksFailure.storeSilent(store, at: url.description, seconds: Self.seconds)
            return try await Patience(seconds: Double(Self.seconds), silent).wait {
                var verdict = begun
                try await examine(url, &verdict)
                return verdict
            }
        } catch {
            var verdict = StoreVerdict(store: store, address: address)
            verdict.problem = Self.told(error)
            return verdict
        }
    }

    /// The verdict's line names the store itself.
    private static func told(_ error: any Error) -> String {
        if case WorksFailure.storeUnusable(_, let cause) = error { return cause.description }
        return (error as? any Failure)?.description ?? "\(error)"
    }

    private func examine(_ store: Store, _ url: StoreURL, _ verdict: inout StoreVerdict) async throws {
        if let embedded = Embedded(url, of: store), !embedded.isThere {
            try embedded.checkPlace()
            verdict.engine = url.scheme
            verdict.detail = "made at the first start"
            return
        }
        switch store {
        case .sql: try await sql(url, &verdict)
        case .objects: try await objects(url, &verdict)
        case .online: try await online(url, &verdict)
        case .streams: try await streams(url, &verdict)
        case .jobs: try await jobs(url, &verdict)
        case .offline: try await offline(url, &verdict)
        }
    }

    private func sql(_ url: StoreURL, _ verdict: inout StoreVerdict) async throws {
        let database = try await opener.database(url)
        let result: Result<SQLCheck, any Error>
        do {
            let found = try await database.check(changing: !(isInUse && database.engine == .sqlite))
            try await database.refuseNewer(than: Works.migrations)
            result = .success(found)
        } catch { result = .failure(error) }
        await database.close()
        let found = try result.get()
        (verdict.engine, verdict.version) = (found.engine.rawValue, found.version)
        (verdict.latencySeconds, verdict.warnings) = (found.latencySeconds, found.warnings)
    }

    private func objects(_ url: StoreURL, _ verdict: inout StoreVerdict) async throws {
        let objects = try await opener.objects(url)
        let result: Result<StoreReport, any Error>
        do { result = .success(try await objects.check()) } catch { result = .failure(error) }
        await objects.close()
        let found = try result.get()
        (verdict.engine, verdict.latencySeconds) = (found.engine, found.seconds)
        verdict.warnings = found.warnings
        if let free = found.freeBytes { verdict.detail = "\(free >> 30) GiB free" }
    }

    private func online(_ url: StoreURL, _ verdict: inout StoreVerdict) async throws {
        let online = try await opener.online(url)
        let result: Result<KeyValueCheck, any Error>
        do { result = .success(try await online.check()) } catch { result = .failure(error) }
        try? await online.close()
        let found = try result.get()
        (verdict.engine, verdict.version) = (found.engine, found.version)
        verdict.latencySeconds = found.latencySeconds
        if found.servers > 1 { verdict.detail = "\(found.servers) servers" }
        // That the embedded default may be computed again is meant so, and no news.
        let meant = url.scheme == "lmdb" && options.stores.online == nil
        for finding in found.findings where !(meant && finding.severity == .warning) {
            let text = "\(finding.message). \(finding.remedy)"
            switch finding.severity {
            case .warning: verdict.warnings.append(text)
            case .problem: verdict.problem = verdict.problem.map { "\($0); \(text)" } ?? text
            }
        }
    }

    private func streams(_ url: StoreURL, _ verdict: inout StoreVerdict) async throws {
        let records = try await BlockingThread(name: "doctor.records").run { [root = options.root] in
            try LocalRecordCheck(folder: "\(root)/records")
        }
        if records.tornBytes > 0, !isInUse {
            verdict.warnings.append(
                "an append of \(records.tornBytes) bytes was broken off; the next start removes what is left of it")
        }
        verdict.engine = url.scheme
        guard url.scheme != "log" else {
            // Opening the log would lock it against the process that works on it.
            verdict.detail = "\(records.logs) logs of records, \(records.bytes >> 20) MiB"
            guard !isInUse, FileManager.default.fileExists(atPath: url.path) else { return }
            let streams = try await opener.streams(url)
            await streams.close()
            return
        }
        let streams = try await opener.streams(url)
        let start = SystemTime.monotonicNanoseconds
        let result: Result<String, any Error>
        do { result = .success(try await streams.check()) } catch { result = .failure(error) }
        verdict.latencySeconds = Double(SystemTime.monotonicNanoseconds &- start) * 1e-9
        await streams.close()
        verdict.detail = try result.get()
    }

    private func offline(_ url: StoreURL, _ verdict: inout StoreVerdict) async throws {
        verdict.engine = url.scheme
        guard case .spark(let spark) = try OfflineEngine(url) else { return }
        // Starting a session takes longer than one waits here.
        verdict.version = try await spark.version(workingFile: NSTemporaryDirectory() + "modelworks-doctor-\(getpid())")
        verdict.detail = "the cluster itself is first asked for a history"
    }

    private func jobs(_ url: StoreURL, _ verdict: inout StoreVerdict) async throws {
        let executor = try JobExecutors.open(
            url, folder: "\(options.root)/jobs", environment: options.environment, random: options.random)
        let start = SystemTime.monotonicNanoseconds
        let result: Result<JobExecutorCheck, any Error>
        do { result = .success(try await executor.check()) } catch { result = .failure(error) }
        verdict.latencySeconds = Double(SystemTime.monotonicNanoseconds &- start) * 1e-9
        await executor.close()
        let found = try result.get()
        (verdict.engine, verdict.detail) = (found.engine, found.detail)
    }
}
