import Registry
import Serving

/// Everything that answers to a name. Endpoints go before models of the repository.
struct Directory: Sendable {
    enum Target: Sendable {
        case endpoint(Endpoint)
        case model(ServedModel)
    }

    let endpoints: EndpointTable
    /// Nil where the server has no models beside those of its endpoints.
    let models: ModelRepository?

    /// - Parameter version: as it stands in the path; nil leaves the choice to the endpoint or the repository.
    /// - Throws: `ServingFailure` where there is no such name or version, or it is not ready;
    ///   ``OpenInferenceFailure/versionNotServed(endpoint:version:served:)``.
    func target(_ name: String, version: String? = nil) throws -> Target {
        if let endpoint = endpoints[name] {
            try check(version, of: endpoint)
            return .endpoint(endpoint)
        }
        guard let models else { return .endpoint(try endpoints.endpoint(name)) }
        do {
            return .model(try models.model(name, version: version))
        } catch ServingFailure.unknownModel(_, let known) where !endpoints.all.isEmpty {
            throw ServingFailure.unknownEndpoint(name, known: endpoints.all.map(\.definition.name) + known)
        }
    }

    /// Whether an endpoint has a name, and no model of the repository.
    func isEndpoint(_ name: String) -> Bool { models == nil || endpoints[name] != nil }

    /// Whether all that the server was started with has been loaded, or has failed to.
    var isReady: Bool { models?.isReady ?? true }

    /// The only name there is.
    /// - Throws: ``ScoringFailure/noSingleModel(_:)`` where there are none or several.
    func only() throws -> String {
        let names =
            endpoints.all.map(\.definition.name)
            + Set(models?.index(readyOnly: true).map(\.name) ?? []).sorted()
        guard let name = names.first, names.count == 1 else { throw ScoringFailure.noSingleModel(names) }
        return name
    }

    /// The traffic of an endpoint decides who answers, so a version can only be asked for where it has all of it.
    private func check(_ version: String?, of endpoint: Endpoint) throws {
        guard let version, let traffic = endpoint.traffic else { return }
        let served = [traffic.stable, traffic.canary].compactMap { $0.map { String($0.version) } }
        guard served == [version] else {
            throw OpenInferenceFailure.versionNotServed(
                endpoint: endpoint.definition.name, version: version, served: served)
        }
    }
}
