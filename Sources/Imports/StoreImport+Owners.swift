import Basics
import Experiments
import ModelworksClient
import WorksAPI

/// A document of something that has artifacts.
protocol ArchivedOwner: Sendable {
    var id: String { get }
    var experiment: Int64 { get set }
    var location: String { get set }
    func digest() throws -> Digest
}

extension ArchivedRun: ArchivedOwner {}
extension ArchivedLoggedModel: ArchivedOwner {}

/// What differs between things that have artifacts when they are brought in.
struct OwnerKind<Owner: ArchivedOwner> {
    let word: String
    /// What its artifacts are told by, before its id.
    let label: String
    /// Where its artifacts lie here.
    let place: (Owner) -> String
    let owner: (String) -> ArtifactOwner
    let query: ([String]) -> ImportQuery
    let state: KeyPath<ImportState, [ArchiveState]>
    let tally: WritableKeyPath<ImportWork, Tally>
    /// Sends some to the factory. Gives the ids of those that it refuses, each of which is a difference.
    let send: (StoreImport, [Owner], inout ImportWork) async throws -> Set<String>
}

extension OwnerKind<ArchivedRun> {
    static var runs: Self {
        Self(
            word: "run", label: "run", place: { "mlflow-artifacts:/\($0.experiment)/\($0.id)/artifacts" },
            owner: { .run($0) }, query: { ImportQuery(runs: $0) }, state: \.runs, tally: \.runs,
            send: { try await $0.send($1, &$2) })
    }
}

extension OwnerKind<ArchivedLoggedModel> {
    static var loggedModels: Self {
        Self(
            word: "logged model", label: "model",
            place: { "mlflow-artifacts:/\($0.experiment)/models/\($0.id)/artifacts" }, owner: { .loggedModel($0) },
            query: { ImportQuery(loggedModels: $0) }, state: \.loggedModels, tally: \.loggedModels,
            send: { try await $0.send($1, &$2) })
    }
}

extension StoreImport {
    private static let pointsPerRequest = 20_000

    /// Brings in some things with their files, and compares what is here then.
    func bring<Owner>(
        _ page: [Owner], to experiment: Int64, _ kind: OwnerKind<Owner>, _ work: inout ImportWork
    ) async throws {
        guard !page.isEmpty else { return }
        var owners: [Owner] = []
        var files: [String: [SourceFile]] = [:]
        for owner in page {
            var owner = owner
            owner.experiment = experiment
            if source.moves(owner.location) {
                let place = kind.place(owner)
                if options.takesArtifacts {
                    files[owner.id] = try await source.files(below: owner.location, of: kind.owner(owner.id))
                }
                work.places[LocalArtifacts.path(of: owner.location)] = place
                owner.location = place
            }
            work.owners[owner.id] = owner.location
            owners.append(owner)
        }
        let ids = owners.map(\.id)
        var state = try await state(of: ids, kind)
        let refused = try await kind.send(self, owners.filter { try state[$0.id]?.digest != $0.digest() }, &work)
        var digests: [String: Digest] = [:]
        for owner in owners where !refused.contains(owner.id) {
            try await send(
                files[owner.id] ?? [], to: owner.location, known: state[owner.id]?.files ?? [:],
                "\(kind.label)/\(owner.id)", &digests, &work)
        }
        state = try await self.state(of: ids, kind)
        for owner in owners {
            let there = try owner.digest()
            let found = refused.contains(owner.id) ? nil : state[owner.id]
            work[keyPath: kind.tally].add(owner.id, there: there, here: found?.digest)
            guard let found else { continue }
            if found.digest != there {
                work.differ(
                    "\(kind.word) \(owner.id)",
                    "its record here is another (\(found.digest.short), there \(there.short))")
            }
            compare(files[owner.id] ?? [], "\(kind.label)/\(owner.id)", digests, found, &work)
        }
    }

    private func state<Owner>(of ids: [String], _ kind: OwnerKind<Owner>) async throws -> [String: ArchiveState] {
        let all = try await factory.post("/imports/state", kind.query(ids), as: ImportState.self)
        return Dictionary(all[keyPath: kind.state].map { ($0.id, $0) }) { first, _ in first }
    }

    /// Sends runs in parts that a request can hold.
    fileprivate func send(_ runs: [ArchivedRun], _ work: inout ImportWork) async throws -> Set<String> {
        var refused: Set<String> = []
        var batch: [ArchivedRun] = []
        for run in runs {
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
        return refused
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

    fileprivate func send(_ models: [ArchivedLoggedModel], _ work: inout ImportWork) async throws -> Set<String> {
        var refused: Set<String> = []
        for model in models {
            let done = try await told("logged model \(model.id)", &work) {
                try await factory.post("/imports/logged-models", [model])
            }
            if done == nil { refused.insert(model.id) }
        }
        return refused
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
                try await factory.put("/imports/artifacts/\(path.joined(separator: "/"))", bytes)
                return true
            }
        }
    }

    private func compare(
        _ files: [SourceFile], _ owner: String, _ digests: [String: Digest], _ state: ArchiveState,
        _ work: inout ImportWork
    ) {
        for file in files {
            guard let there = digests["\(owner)/\(file.path)"] else { continue }
            let here = state.files[file.path]
            work.artifacts.add("\(owner)/\(file.path)", there: there, here: here)
            if here != there {
                work.differ(
                    "artifact \(owner)/\(file.path)", here == nil ? "it is not here" : "it has other bytes here")
            }
        }
    }
}
