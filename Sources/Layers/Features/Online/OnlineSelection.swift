import Basics
import Datasets
import Expressions
import KeyValue

/// What is to be read: a service, or features written `view:feature` or `view`; transforms as views.
public enum OnlineSelection: Sendable, Hashable {
    case service(String)
    case features([String])
}

extension FeatureStore {
    /// Grows whenever readers that were made are no longer what the definitions and the known key types ask for.
    public var readerRevision: Int { generation &+ onlineState.revision }

    /// The reader for a selection, if it has been made for the definitions in force.
    public func knownReader(_ selection: OnlineSelection) -> OnlineReader? {
        onlineState.reader(selection, generation: generation)
    }

    /// The reader for a selection, made at its first use and again when definitions change.
    /// - Throws: ``FeaturesFailure`` where the selection names something unknown.
    public func onlineReader(_ selection: OnlineSelection) async throws -> OnlineReader {
        let generation = generation
        if let reader = onlineState.reader(selection, generation: generation) { return reader }
        let catalogue = catalogue
        var plan = OnlinePlan(catalogue)
        switch selection {
        case .service(let name): try plan.add(try catalogue.service(name))
        case .features(let references): try plan.add(references)
        }
        var types: [ScalarType?] = []
        for (view, part) in plan.parts {
            let known = try await keyTypes(of: view, prefix: part.prefix)
            for (index, position) in part.keys.enumerated() {
                while types.count <= position { types.append(nil) }
                types[position] = types[position] ?? (index < known.count ? known[index] : nil)
            }
        }
        let reader = OnlineReader(
            outputs: plan.outputs,
            joinKeys: plan.keys.enumerated().map { index, name in
                OnlineReader.Key(name: name, type: index < types.count ? types[index] : nil)
            }, request: plan.request, parts: plan.parts.map(\.part), transforms: plan.transforms, store: online,
            table: onlineTable)
        onlineState.keep(reader, for: selection, generation: generation)
        return reader
    }

    /// The types of a view's join keys: of its stream, or as they were found when it was materialised; empty where none is
    /// known yet.
    func keyTypes(of view: FeatureView, prefix: [UInt8]) async throws -> [ScalarType?] {
        if let source = view.sources.first.flatMap({ catalogue.events[$0] }), let stream = source.stream,
            view.sources.count == 1
        {
            return view.joinKeys.map { key in stream.columns.first { $0.name == key }?.type }
        }
        if let known = onlineState.keyTypes(prefix) { return known }
        let table = onlineTable
        let bytes = try await readOnline { try $0.value(OnlineMark.key(prefix), in: table) }
        guard let types = bytes.flatMap(OnlineMark.init)?.keyTypes else { return [] }
        onlineState.learn(types, of: prefix)
        return types
    }
}

/// A reader as it is put together.
private struct OnlinePlan {
    let catalogue: Catalogue
    var outputs: [OnlineReader.Output] = []
    var keys: [String] = []
    var request: [Feature] = []
    var parts: [(view: FeatureView, part: OnlinePart)] = []
    var transforms = OnlineTransforms()
    /// Which part a name stands for.
    private var places: [String: Int] = [:]

    init(_ catalogue: Catalogue) { self.catalogue = catalogue }

    mutating func add(_ service: FeatureService) throws {
        request = service.request
        for selection in service.selections {
            guard !selection.isTransform else {
                try add(transform: selection) { try service.place(ofRequest: $0, for: selection.source) }
                continue
            }
            let view = try catalogue.view(selection.source)
            let place = try place(view, as: selection.name, keys: selection.keys)
            for feature in selection.features { try add(feature, of: view, as: selection.name, place) }
        }
        numberTransforms()
    }

    mutating func add(_ references: [String]) throws {
        guard !references.isEmpty else {
            throw FeaturesFailure.request("no feature was asked for", remedy: "Name some, as view:feature or view.")
        }
        for reference in references {
            let parts = reference.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            guard let name = parts.first, !name.isEmpty, parts.count <= 2, parts.last?.isEmpty == false else {
                throw FeaturesFailure.request(
                    "'\(reference)' names no feature", remedy: "Write view:feature, or view for all of its features.")
            }
            if let transform = catalogue.transforms[name] {
                try add(transform, parts.count == 2 ? [parts[1]] : transform.features.map(\.name))
                continue
            }
            let view = try catalogue.view(name)
            let place = try place(view, as: name, keys: [:])
            for feature in parts.count == 2 ? [parts[1]] : view.featureNames {
                try add(feature, of: view, as: name, place)
            }
        }
        numberTransforms()
    }

    /// Adds features of a transform that no service names; what it needs of the request comes to what is asked for.
    private mutating func add(_ transform: TransformDefinition, _ features: [String]) throws {
        let known = transform.features.map(\.name)
        if let unknown = features.first(where: { !known.contains($0) }) {
            throw FeaturesFailure.unknown(
                kind: "feature of the transform '\(transform.name)' called", name: unknown, known: known)
        }
        var fields = request
        try add(
            transform: FeatureService.Selection(
                source: transform.name, name: transform.name, features: features, keys: [:], isTransform: true)
        ) { field in
            if let place = fields.firstIndex(where: { $0.name == field.name }) { return place }
            fields.append(field)
            return fields.count - 1
        }
        request = fields
    }

    private mutating func add(
        transform selection: FeatureService.Selection, request place: (Feature) throws -> Int
    ) throws {
        let (catalogue, number) = (catalogue, transforms.computed.count)
        var looked = (keys: keys, parts: parts)
        let feeds = try transforms.add(
            selection, firstTarget: outputs.count, catalogue: catalogue, request: place
        ) { view in
            try Self.checkOnline(view)
            let part = OnlinePart(
                view, digest: try catalogue.digest(ofView: view.name), keys: [:], callerKeys: &looked.keys)
            if let same = looked.parts.firstIndex(where: { $0.part.isSameLookup(as: part) }) { return same }
            looked.parts.append((view, part))
            return looked.parts.count - 1
        }
        (keys, parts) = looked
        for (place, feed) in feeds { parts[place].part.feeds.append(feed) }
        let fields = transforms.computed[number].program.outputs
        for (output, _) in transforms.computed[number].outputs {
            outputs.append(
                OnlineReader.Output(
                    view: selection.name, feature: fields[output].name, type: FeatureType(fields[output].type),
                    part: -1 - number, position: output))
        }
    }

    /// Gives outputs of transforms their numbers, now that all look-ups are known.
    private mutating func numberTransforms() {
        outputs = outputs.map { output in
            guard output.part < 0 else { return output }
            return OnlineReader.Output(
                view: output.view, feature: output.feature, type: output.type, part: parts.count - 1 - output.part,
                position: output.position)
        }
    }

    private mutating func add(_ feature: String, of view: FeatureView, as name: String, _ place: Int) throws {
        guard let position = view.featureNames.firstIndex(of: feature) else {
            throw FeaturesFailure.unknown(
                kind: "feature of the view '\(view.name)' called", name: feature, known: view.featureNames)
        }
        outputs.append(
            OnlineReader.Output(
                view: name, feature: feature, type: view.features[position].type, part: place, position: position))
    }

    private mutating func place(_ view: FeatureView, as name: String, keys mapped: [String: String]) throws -> Int {
        if let place = places[name] { return place }
        try Self.checkOnline(view)
        let part = OnlinePart(
            view, digest: try catalogue.digest(ofView: view.name), keys: mapped, callerKeys: &keys)
        places[name] = parts.count
        parts.append((view, part))
        return parts.count - 1
    }
    private static func checkOnline(_ view: FeatureView) throws {
        guard !view.isOnline else { return }
        throw FeaturesFailure.request(
            "the view '\(view.name)' is kept out of the online store", remedy: "Write 'online: true' in its definition."
        )
    }
}
