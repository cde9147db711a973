import Basics
import Columnar
import Datasets

/// What is asked of history: features for entity rows, each as of its own time.
public struct HistoryRequest: Sendable, Codable, Equatable {
    /// Which features.
    public enum Wanted: Sendable, Codable, Equatable {
        /// All of a service, called as its inputs are: `name__feature`.
        case service(String)
        /// Some by reference, `view:feature` or `view` for all of one.
        case features([String])
    }

    public var wanted: Wanted
    /// The column of the entity rows with their time; nil takes `event_timestamp`, else the only column of times.
    public var time: String?
    /// Whether features asked for by reference are called `view__feature` rather than `feature`.
    public var usesFullNames: Bool
    /// Whether rows that became known after the time asked for may be used; nil leaves it to each view's definition.
    public var lateData: FeatureView.LateData?

    public init(
        _ wanted: Wanted, time: String? = nil, usesFullNames: Bool = false, lateData: FeatureView.LateData? = nil
    ) {
        self.wanted = wanted
        self.time = time
        self.usesFullNames = usesFullNames
        self.lateData = lateData
    }
}

/// Where a history is computed.
public enum OfflineEngine: Sendable {
    /// In this process, by DuckDB.
    case local
    /// On a Spark cluster.
    case spark(SparkEngine)
}

/// What a retrieval gave.
public struct HistorySummary: Sendable, Codable, Equatable {
    public var rows: Int64
    /// The columns of the result, in order.
    public var columns: [String]
    /// Those of them that are features.
    public var features: [String]
    /// The column that the time was taken from.
    public var time: String
    /// For each view whose history is stored, the digest of it. Of a view that no request had wanted before, the rows were
    /// computed for this one alone.
    public var histories: [String: Digest]
}

/// A request found to make sense: names resolved, nothing read yet.
struct HistorySelection {
    /// Views to join, each under one name.
    struct Joined {
        var view: FeatureView
        var name: String
        var keys: [(column: String, entityColumn: String)]
        var outputs: [HistoryPlan.Output]
    }

    var joined: [Joined] = []
    /// Transforms to compute, each with its outputs' names in the result.
    var computed: [(transform: TransformDefinition, outputs: [HistoryPlan.Output])] = []
    /// Columns the entity rows must have for the service itself.
    var request: [Feature] = []
    /// The features of the result, in order.
    var features: [String] = []
}

extension Catalogue {
    /// - Throws: ``FeaturesFailure/unknown(kind:name:known:)`` for a view or feature there is not, and
    ///   ``FeaturesFailure/request(_:remedy:)`` for a name used twice.
    func selection(of request: HistoryRequest) throws -> HistorySelection {
        let selections: [FeatureService.Selection]
        var found = HistorySelection()
        var full = true
        switch request.wanted {
        case .service(let name):
            guard let service = services[name] else {
                throw FeaturesFailure.unknown(kind: "feature service", name: name, known: Array(services.keys))
            }
            selections = service.selections
            found.request = service.request
        case .features(let references):
            selections = try references.map(selection)
            full = request.usesFullNames
        }
        guard !selections.isEmpty || !found.request.isEmpty else {
            throw FeaturesFailure.request("no feature is asked for", remedy: "Name some, such as view:feature.")
        }
        for selection in selections {
            let outputs = selection.features.map {
                HistoryPlan.Output(column: $0, name: full ? "\(selection.name)__\($0)" : $0)
            }
            found.features += outputs.map(\.name)
            if selection.isTransform {
                found.computed.append((try transform(selection.source), outputs))
            } else {
                let view = try view(selection.source)
                found.joined.append(
                    .init(
                        view: view, name: selection.name,
                        keys: view.joinKeys.map { ($0, selection.callerKey($0)) }, outputs: outputs))
            }
        }
        if let twice = found.features.first(where: { name in found.features.count(where: { $0 == name }) > 1 }) {
            throw FeaturesFailure.request(
                "two features would both be called '\(twice)'", remedy: "Ask for full names, or for one of them only.")
        }
        return found
    }

    private func selection(_ text: String) throws -> FeatureService.Selection {
        let reference = FeatureReference(text)
        let name = reference?.view ?? text
        let known: [String]
        if let transform = transforms[name] {
            known = transform.features.map(\.name)
        } else if let view = views[name] {
            known = view.featureNames
        } else {
            throw FeaturesFailure.unknown(
                kind: "feature view", name: name, known: Array(views.keys) + transforms.keys)
        }
        if let feature = reference?.feature, !known.contains(feature) {
            throw FeaturesFailure.unknown(
                kind: "feature", name: "\(name):\(feature)", known: known.map { "\(name):\($0)" })
        }
        return .init(
            source: name, name: name, features: reference.map { [$0.feature] } ?? known, keys: [:],
            isTransform: transforms[name] != nil)
    }
}
