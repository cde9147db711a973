import Basics
import Configuration
import Experiments
import Foundation
import Registry

/// MLflow's file store, such as `./mlruns`: a folder for each experiment and run, a file for each parameter, tag and metric.
struct MLflowFolder: ArchiveSource {
    let description: String
    private let root: String
    private let artifacts: LocalArtifacts
    private static let trash = ".trash"
    private static let registry = "models"

    init(_ root: String, _ artifacts: LocalArtifacts) {
        description = "MLflow's file store \(root)"
        self.root = root
        self.artifacts = artifacts
    }

    func close() async {}
    func moves(_ location: String) -> Bool { artifacts.moves(location) }

    func files(below location: String, of owner: ArtifactOwner) async throws -> [SourceFile] {
        try await artifacts.files(below: location)
    }

    func runCount() async throws -> Int? {
        try await work { store in
            try store.experimentFolders().reduce(0) { try $0 + store.runFolders(of: $1).count }
        }
    }

    func experiments() async throws -> [SourceExperiment] {
        try await work { store in
            try store.experimentFolders().map { folder in
                let meta = try Meta(folder)
                return SourceExperiment(
                    id: folder,
                    experiment: ArchivedExperiment(
                        name: meta["name"] ?? "", location: meta["artifact_location"], stage: meta.stage,
                        created: meta.moment("creation_time"), updated: meta.moment("last_update_time"),
                        tags: try Self.texts(in: "\(folder)/tags")))
            }
        }
    }

    func runs(of experiment: String, from page: String?) async throws -> SourcePage<ArchivedRun> {
        try await work { store in
            let folders = try store.runFolders(of: experiment)
            let start = page.flatMap { last in folders.firstIndex { $0 > last } } ?? (page == nil ? 0 : folders.count)
            let part = folders[start...].prefix(50)
            return SourcePage(
                items: try part.map { try store.run($0, in: experiment) },
                next: part.endIndex < folders.count ? part.last : nil)
        }
    }

    func loggedModels(of experiment: String, from page: String?) async throws -> SourcePage<ArchivedLoggedModel> {
        try await work { _ in
            let folders = try Self.folders(in: "\(experiment)/models")
            return SourcePage(items: try folders.map { try Self.loggedModel($0) }, next: nil)
        }
    }

    func models() async throws -> [ArchivedModel] {
        try await work { store in try Self.folders(in: "\(store.root)/\(Self.registry)").map { try Self.model($0) } }
    }

    private func work<Value: Sendable>(_ body: @escaping @Sendable (MLflowFolder) throws -> Value) async throws -> Value
    {
        try await BlockingThread(name: "import.folder").run { try body(self) }
    }

    private func experimentFolders() throws -> [String] {
        let named = try Self.folders(in: root).filter { !$0.hasSuffix("/\(Self.trash)") && !$0.hasSuffix("/models") }
        return named + (try Self.folders(in: "\(root)/\(Self.trash)"))
    }

    private func runFolders(of experiment: String) throws -> [String] {
        // Beside its runs an experiment has folders for other things.
        try Self.folders(in: experiment).filter { folder in
            let name = (folder as NSString).lastPathComponent
            return !["tags", "datasets", "traces", "models"].contains(name)
        }
    }

    private func run(_ folder: String, in experiment: String) throws -> ArchivedRun {
        let meta = try Meta(folder)
        let tags = try Self.texts(in: "\(folder)/tags")
        var points: [MetricSeries] = []
        for (key, text) in try Self.texts(in: "\(folder)/metrics") {
            points.append(
                MetricSeries(key, try Self.lines(text, key, folder).map { $0.point }))
        }
        var datasets: [DatasetInput] = []
        var inputs: [ModelLink] = []
        for folder in try Self.folders(in: "\(folder)/inputs") {
            let use = try Meta(folder)
            let id = use["source_id"] ?? ""
            if use["source_type"] == "MODEL" {
                inputs.append(ModelLink(model: id, step: 0))
            } else {
                let dataset = try Meta("\(experiment)/datasets/\(id)")
                datasets.append(
                    DatasetInput(
                        name: dataset["name"] ?? "", digest: dataset["digest"] ?? "",
                        sourceType: dataset["source_type"] ?? "", source: dataset["source"] ?? "",
                        schema: dataset["schema"], profile: dataset["profile"],
                        tags: use.members("tags").map { Pair(key: $0.key, value: $0.value) }))
            }
        }
        let outputs = try Self.folders(in: "\(folder)/outputs").map { folder in
            let use = try Meta(folder)
            return ModelLink(model: use["destination_id"] ?? "", step: use.integer("step") ?? 0)
        }
        return ArchivedRun(
            RunInfo(
                id: meta["run_id"] ?? meta["run_uuid"] ?? "", experiment: 0,
                name: meta["run_name"] ?? meta["name"] ?? tags[ExperimentStore.nameTag] ?? "",
                user: meta["user_id"] ?? "", status: Self.status(meta.integer("status")), stage: meta.stage,
                location: meta["artifact_uri"] ?? "\(folder)/artifacts", started: meta.moment("start_time"),
                ended: meta.integer("end_time").map(MLflowStore.moment)),
            parameters: try Self.texts(in: "\(folder)/params"), tags: tags, metrics: points, datasets: datasets,
            modelInputs: inputs, modelOutputs: outputs)
    }

    private static func loggedModel(_ folder: String) throws -> ArchivedLoggedModel {
        let meta = try Meta(folder)
        var metrics: [LoggedModelMetric] = []
        for (key, text) in try texts(in: "\(folder)/metrics") {
            // Behind the value and the step come the run, and the dataset's name and digest.
            metrics += try lines(text, key, folder).map { line in
                func word(_ index: Int) -> String { line.rest.indices.contains(index) ? line.rest[index] : "" }
                return LoggedModelMetric(
                    point: line.point, run: word(0), datasetName: word(1), datasetDigest: word(2))
            }
        }
        func pairs(_ name: String) throws -> [Pair] {
            try texts(in: "\(folder)/\(name)").map { Pair(key: $0.key, value: $0.value) }
        }
        let status: LoggedModelStatus =
            switch meta.integer("status") {
            case 2: .ready
            case 3: .failed
            default: .pending
            }
        let model = LoggedModel(
            id: meta["model_id"] ?? "", experiment: 0, name: meta["name"] ?? "",
            location: meta["artifact_location"] ?? "\(folder)/artifacts", status: status,
            type: meta["model_type"] ?? "", sourceRun: meta["source_run_id"] ?? "", stage: meta.stage,
            created: meta.moment("creation_timestamp"), updated: meta.moment("last_updated_timestamp"),
            parameters: try pairs("params"), tags: try pairs("tags"), metrics: metrics)
        return ArchivedLoggedModel(model)
    }

    private static func model(_ folder: String) throws -> ArchivedModel {
        let meta = try Meta(folder)
        let metas = try folders(in: folder).filter { ($0 as NSString).lastPathComponent.hasPrefix("version-") }
            .map { try Meta($0) }
        let versions = try metas.compactMap { meta -> ArchivedModel.Version? in
            guard let number = meta.integer("version"),
                let stage = Stage(rawValue: meta["current_stage"] ?? Stage.none.rawValue)
            else { return nil }
            let source = meta["source"] ?? ""
            return ArchivedModel.Version(
                number: number, stage: stage, description: meta["description"] ?? "", source: source,
                location: meta["storage_location"] ?? source, run: meta["run_id"] ?? "",
                runLink: meta["run_link"] ?? "",
                loggedModel: meta["model_id"] ?? MLflowStore.loggedModel(of: source),
                created: meta.moment("creation_timestamp"), updated: meta.moment("last_updated_timestamp"),
                tags: try texts(in: "\(meta.folder)/tags"))
        }
        return ArchivedModel(
            name: meta["name"] ?? "", description: meta["description"] ?? "",
            created: meta.moment("creation_timestamp"), updated: meta.moment("last_updated_timestamp"),
            tags: try texts(in: "\(folder)/tags"),
            aliases: try texts(in: "\(folder)/aliases").compactMapValues { Int64($0) },
            lastVersion: metas.compactMap { $0.integer("version") }.max() ?? 0, versions: versions)
    }

    private static func status(_ number: Int64?) -> RunStatus {
        switch number {
        case 2: .scheduled
        case 3: .finished
        case 4: .failed
        case 5: .killed
        default: .running
        }
    }

    /// The points of a metric's file: a line has time, value, and, since MLflow 1.0, a step; more words may follow.
    private static func lines(
        _ text: String, _ key: String, _ folder: String
    ) throws -> [(point: MetricPoint, rest: [String])] {
        try text.split(separator: "\n").map { line in
            let words = line.split(separator: " ").map(String.init)
            guard words.count > 1, let time = Int64(words[0]), let value = Double(words[1].lowercased()) else {
                throw ImportFailure.malformed(
                    place: "\(folder)/metrics/\(key)", reason: "a line is not 'TIME VALUE STEP'")
            }
            let step = words.count > 2 ? Int64(words[2]) ?? 0 : 0
            return (
                MetricPoint(key: key, value: value, step: step, time: MLflowStore.moment(time)),
                Array(words.dropFirst(3))
            )
        }
    }

    /// The texts of all files below a folder by their paths; none where there is no such folder.
    private static func texts(in folder: String) throws -> [String: String] {
        guard let walk = FileManager.default.enumerator(atPath: folder) else { return [:] }
        var texts: [String: String] = [:]
        while let path = walk.nextObject() as? String {
            guard walk.fileAttributes?[.type] as? FileAttributeType == .typeRegular else { continue }
            guard let data = FileManager.default.contents(atPath: "\(folder)/\(path)"),
                let text = String(validating: data, as: UTF8.self)
            else { throw ImportFailure.malformed(place: "\(folder)/\(path)", reason: "it can not be read as UTF-8") }
            texts[path] = text
        }
        return texts
    }

    /// The folders with a description in a folder, by their paths, in order.
    private static func folders(in folder: String) throws -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.sorted().map { "\(folder)/\($0)" }.filter {
            FileManager.default.fileExists(atPath: "\($0)/\(Meta.file)")
        }
    }
}

/// The words of a `meta.yaml`.
private struct Meta {
    static let file = "meta.yaml"
    let folder: String
    private let entries: [YAMLNode.Entry]

    init(_ folder: String) throws {
        self.folder = folder
        let path = "\(folder)/\(Self.file)"
        guard let data = FileManager.default.contents(atPath: path) else { throw ImportFailure.notFound(path) }
        entries = try YAMLParser.parse(String(decoding: data, as: UTF8.self), file: path).first?.mapping().entries ?? []
    }

    subscript(_ key: String) -> String? { entries.first { $0.key == key }.flatMap { Self.text($0.value) } }

    func integer(_ key: String) -> Int64? { self[key].flatMap { Int64($0) } }

    func moment(_ key: String) -> Timestamp { MLflowStore.moment(integer(key) ?? 0) }

    func members(_ key: String) -> [String: String] {
        guard case .mapping(let entries)? = entries.first(where: { $0.key == key })?.value.content else { return [:] }
        return entries.reduce(into: [:]) { $0[$1.key] = Self.text($1.value) ?? "" }
    }

    var stage: LifecycleStage { self["lifecycle_stage"] == "deleted" ? .deleted : .active }

    private static func text(_ node: YAMLNode) -> String? {
        guard case .scalar(let text, _) = node.content, !node.isNull else { return nil }
        return text
    }
}
