import Basics

/// Everything that is known of a run, in one document: what an import brings, and what a stored run is compared with.
///
/// Equal runs have equal documents, because lists are in a fixed order; so the digest of a document stands for the run.
public struct ArchivedRun: Sendable, Codable, Equatable {
    /// Kept as it was.
    public var id: String
    /// The id of its experiment where the document is.
    public var experiment: Int64
    public var name: String
    public var user: String
    public var status: RunStatus
    public var stage: LifecycleStage
    /// Where its artifacts are, as a URI.
    public var location: String
    public var started: Timestamp
    public var ended: Timestamp?
    public var parameters: [String: String]
    public var tags: [String: String]
    public private(set) var metrics: [MetricSeries]
    public private(set) var datasets: [DatasetInput]
    /// The logged models it used.
    public private(set) var modelInputs: [ModelLink]
    /// The logged models it made.
    public private(set) var modelOutputs: [ModelLink]

    /// Values longer than the factory keeps are cut, as they are when they are logged.
    public init(
        _ info: RunInfo, parameters: [String: String], tags: [String: String], metrics: [MetricSeries],
        datasets: [DatasetInput], modelInputs: [ModelLink], modelOutputs: [ModelLink]
    ) {
        id = info.id
        experiment = info.experiment
        name = info.name
        user = info.user
        status = info.status
        stage = info.stage
        location = info.location
        started = info.started
        ended = info.ended
        self.parameters = parameters.mapValues { RecordRules.cut($0, RecordRules.parameterLength) }
        self.tags = tags.mapValues { RecordRules.cut($0, RecordRules.tagLength) }
        self.metrics = metrics.filter { $0.count > 0 }.sorted { $0.key < $1.key }
        self.datasets = Dictionary(grouping: datasets) { [$0.name, $0.digest] }.values.compactMap(\.first)
            .map { dataset in
                var dataset = dataset
                dataset.tags.sort { ($0.key, $0.value) < ($1.key, $1.value) }
                return dataset
            }.sorted { ($0.name, $0.digest) < ($1.name, $1.digest) }
        self.modelInputs = Self.each(modelInputs)
        self.modelOutputs = Self.each(modelOutputs)
    }

    /// Each model once, at its first step.
    private static func each(_ links: [ModelLink]) -> [ModelLink] {
        Dictionary(grouping: links, by: \.model).values.compactMap { $0.min { $0.step < $1.step } }
            .sorted { $0.model < $1.model }
    }

    /// Names the whole of the document.
    public func digest() throws -> Digest { Digest(of: try JSON.canonical(self)) }

    /// How many metric points it has.
    public var pointCount: Int { metrics.reduce(0) { $0 + $1.count } }

    /// Documents that together say the same, with at most `limit` metric points each.
    public func parts(ofPoints limit: Int) -> [ArchivedRun] {
        guard pointCount > limit, limit > 0 else { return [self] }
        var bare = self
        bare.metrics = []
        var parts = [bare]
        var room = limit
        for series in metrics {
            var start = 0
            while start < series.count {
                if room == 0 {
                    parts.append(bare)
                    room = limit
                }
                let end = min(series.count, start + room)
                parts[parts.count - 1].metrics.append(series.part(start..<end))
                room -= end - start
                start = end
            }
        }
        return parts
    }
}

/// An experiment that is imported.
public struct ArchivedExperiment: Sendable, Codable, Equatable {
    public var name: String
    /// Where its artifacts stay; nil where they move into the factory's own store.
    public var location: String?
    public var stage: LifecycleStage
    public var created: Timestamp
    public var updated: Timestamp
    public var tags: [String: String]

    public init(
        name: String, location: String?, stage: LifecycleStage, created: Timestamp, updated: Timestamp,
        tags: [String: String]
    ) {
        self.name = name
        self.location = location
        self.stage = stage
        self.created = created
        self.updated = updated
        self.tags = tags
    }
}

/// Everything that is known of a logged model, in one document; see ``ArchivedRun``.
public struct ArchivedLoggedModel: Sendable, Codable, Equatable {
    public var id: String
    public var experiment: Int64
    public var name: String
    public var location: String
    public var status: LoggedModelStatus
    public var stage: LifecycleStage
    public var type: String
    public var sourceRun: String
    public var created: Timestamp
    public var updated: Timestamp
    public var parameters: [String: String]
    public var tags: [String: String]
    public private(set) var metrics: [Measurement]

    /// A metric point about the model.
    public struct Measurement: Sendable, Codable, Equatable {
        public var key: String
        /// Nil for what is not a number.
        public var value: Double?
        public var step: Int64
        /// Microseconds since 1970.
        public var time: Int64
        public var run: String
        public var datasetName: String
        public var datasetDigest: String

        public init(_ point: MetricPoint, run: String, datasetName: String, datasetDigest: String) {
            key = point.key
            value = point.value.isNaN ? nil : point.stored + 0
            step = point.step
            time = point.time.microseconds
            self.run = run
            self.datasetName = datasetName
            self.datasetDigest = datasetDigest
        }

        var entry: MetricEntry {
            MetricEntry(
                MetricPoint(key: key, value: value ?? .nan, step: step, time: Timestamp(microseconds: time)),
                datasetName: datasetName, datasetDigest: datasetDigest)
        }
    }

    public init(_ model: LoggedModel) {
        func members(_ pairs: [Pair], _ limit: Int) -> [String: String] {
            pairs.reduce(into: [:]) { $0[$1.key] = RecordRules.cut($1.value, limit) }
        }
        id = model.id
        experiment = model.experiment
        name = model.name
        location = model.location
        status = model.status
        stage = model.stage
        type = model.type
        sourceRun = model.sourceRun
        created = model.created
        updated = model.updated
        parameters = members(model.parameters, RecordRules.parameterLength)
        tags = members(model.tags, RecordRules.tagLength)
        metrics = model.metrics.map {
            Measurement($0.point, run: $0.run, datasetName: $0.datasetName, datasetDigest: $0.datasetDigest)
        }.sorted { ($0.key, $0.time, $0.step, $0.run) < ($1.key, $1.time, $1.step, $1.run) }
    }

    /// Names the whole of the document.
    public func digest() throws -> Digest { Digest(of: try JSON.canonical(self)) }
}

/// What a store has of something that was imported.
public struct ArchiveState: Sendable, Codable, Equatable {
    public var id: String
    /// Of its document.
    public var digest: Digest
    /// Its artifacts by their paths below its location.
    public var files: [String: Digest]

    public init(id: String, digest: Digest, files: [String: Digest]) {
        self.id = id
        self.digest = digest
        self.files = files
    }
}
