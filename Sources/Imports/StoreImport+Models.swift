import Basics
import Experiments
import ModelworksClient
import Registry
import WorksAPI

extension StoreImport {
    /// Brings in a registered model, whose runs, logged models and files are there already.
    func bring(_ model: ArchivedModel, _ work: inout ImportWork) async throws {
        var model = model
        model.changeVersions { version in
            version.location = place(of: version.location, work)
            if source.moves(version.source) { version.source = place(of: version.source, work) }
        }
        let archived = model.keepOneInProduction()
        if !archived.isEmpty {
            let list = archived.map { "\($0)" }.joined(separator: ", ")
            work.report.notes.append("of '\(model.name)' only one version stays in Production; archived: \(list)")
        }
        let there = try model.digest()
        let name = model.name
        let query = ImportQuery(models: [name])
        var here: Digest?
        var awaitsFiles = false
        if !options.isRehearsal {
            let state = try await factory.post("/imports/state", query, as: ImportState.self)
            here = state.models.first?.digest
            // Only all of them make a version whole.
            let isWhole = options.takesArtifacts && !work.report.differences.contains { $0.what.hasPrefix("artifact ") }
            awaitsFiles = isWhole && state.awaiting.contains(name)
        }
        if here != there || awaitsFiles {
            let document = model
            _ = try await told("model '\(name)'", &work) {
                try await factory.post("/imports/models\(options.isRehearsal ? "?rehearsal=true" : "")", document)
            }
            if !options.isRehearsal {
                here = try await factory.post("/imports/state", query, as: ImportState.self).models.first?.digest
            }
        }
        work.models.add(name, there: there, here: here)
        if !options.isRehearsal, let here, here != there,
            !work.report.differences.contains(where: { $0.what.hasSuffix("'\(name)'") })
        {
            work.differ("model '\(name)'", "its record here is another")
        }
    }

    /// Where something lies here, by where it lay: below a run's or a logged model's artifacts, or named by the one or other.
    private func place(of location: String, _ work: ImportWork) -> String {
        if let id = location.wholeMatch(of: /models:\/(m-[^\/]+)/)?.1 {
            return work.owners[String(id)] ?? location
        }
        if let match = location.wholeMatch(of: /runs:\/([^\/]+)(\/.*)?/) {
            return work.owners[String(match.1)].map { $0 + (match.2 ?? "") } ?? location
        }
        let path = LocalArtifacts.path(of: location)
        var root = path[...]
        while let slash = root.lastIndex(of: "/") {
            if let place = work.places[String(root)] { return place + path[root.endIndex...] }
            root = root[..<slash]
        }
        return location
    }
}
