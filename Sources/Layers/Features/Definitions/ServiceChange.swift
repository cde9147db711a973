import Basics
import Expressions

/// What a feature service would give otherwise if other definitions were in force.
public struct ServiceChange: Sendable, Codable, Equatable {
    public var service: String
    /// Whether who reads it by name, order and type can not go on.
    public var breaks: Bool
    public var explanation: String
}

extension Catalogue {
    /// The services of these definitions that would give something else under `next`, in order of name.
    ///
    /// Inputs that go away, change their type or are looked up by other keys break who reads them. A changed query,
    /// window, transform or source gives other values under the same names, and a model learned from the old ones.
    public func serviceChanges(to next: Catalogue) throws -> [ServiceChange] {
        try services.keys.sorted().compactMap { name in
            guard next.services[name] != nil else {
                return ServiceChange(service: name, breaks: true, explanation: "it is removed")
            }
            let breaks = try breaks(of: name, under: next)
            if !breaks.isEmpty {
                return ServiceChange(service: name, breaks: true, explanation: breaks.joined(separator: "; "))
            }
            guard try digest(ofService: name) != next.digest(ofService: name) else { return nil }
            let changed = try sources(ofService: name).filter { source in
                try digest(ofSource: source) != next.digest(ofSource: source)
            }
            let what =
                changed.isEmpty
                ? "its definition changes" : "\(changed.joined(separator: ", ")) would be computed otherwise"
            return ServiceChange(service: name, breaks: false, explanation: what)
        }
    }

    private func breaks(of name: String, under next: Catalogue) throws -> [String] {
        let before = try inputs(ofService: name)
        let after = try next.inputs(ofService: name)
        var breaks: [String] = []
        for input in before {
            guard let now = after.first(where: { $0.name == input.name }) else {
                breaks.append("the input '\(input.name)' is removed")
                continue
            }
            if now.type != input.type {
                breaks.append("'\(input.name)' changes from \(input.type) to \(now.type)")
            }
            if now.keys != input.keys {
                breaks.append(
                    "'\(input.name)' is looked up by \(now.keys.joined(separator: ", ")) in place of "
                        + input.keys.joined(separator: ", "))
            }
        }
        return breaks
    }

    private struct Input {
        var name: String
        var type: String
        var keys: [String]
    }

    private func inputs(ofService name: String) throws -> [Input] {
        let service = try service(name)
        var inputs = service.request.map { Input(name: $0.name, type: "\($0.type)", keys: []) }
        for selection in service.selections {
            let view = selection.isTransform ? nil : try view(selection.source)
            let outputs = selection.isTransform ? try program(ofTransform: selection.source).outputs : []
            for feature in selection.features {
                let type =
                    view?.features.first { $0.name == feature }?.type
                    ?? outputs.first { $0.name == feature }.map { FeatureType($0.type) }
                inputs.append(
                    Input(
                        name: "\(selection.name)__\(feature)", type: type.map { "\($0)" } ?? "",
                        keys: view?.joinKeys.map(selection.callerKey) ?? []))
            }
        }
        return inputs
    }

    private func sources(ofService name: String) throws -> [String] {
        Set(try service(name).selections.map(\.source)).sorted()
    }

    private func digest(ofSource name: String) throws -> Digest {
        transforms[name] == nil ? try digest(ofView: name) : try digest(ofTransform: name)
    }
}
