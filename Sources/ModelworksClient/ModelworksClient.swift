import Basics
import HTTP

/// A Modelworks factory, spoken to from Swift.
///
/// ```swift
/// struct Route: Decodable {
///     var last_ride__minutes: Double?
///     var last_ride__price: Double?
/// }
///
/// let factory = try ModelworksClient(url: "http://127.0.0.1:8080", token: token)
/// let routes = try await factory.features.get(
///     Route.self, from: ["last_ride"], for: ["origin": ["EWR", "JFK"], "dest": [1, 2]])
/// ```
///
/// What a factory refuses is a ``RemoteFailure`` with its code, message and remedy.
public struct ModelworksClient: Sendable {
    /// For what has no types here yet.
    public let connection: FactoryConnection

    /// A client over a connection of any kind.
    public init(_ connection: FactoryConnection) { self.connection = connection }

    /// A client of a server.
    ///
    /// - Parameters:
    ///   - url: such as `https://factory.example:8080`.
    ///   - token: proof of who asks, where the server wants one.
    ///   - principal: who asks, where it does not.
    ///   - connections: how many requests may be under way at once.
    ///   - timeout: seconds for one exchange.
    ///   - trust: whose certificates are genuine.
    ///   - identity: the client's own certificate.
    /// - Throws: `HTTPFailure.badURL`.
    public init(
        url: String, token: String? = nil, principal: String? = nil, connections: Int = 4, timeout: Double = 60,
        trust: HTTPTrust = .system, identity: HTTPIdentity? = nil
    ) throws(HTTPFailure) {
        let client = try HTTPClient(
            baseURL: url, connections: connections, timeout: timeout, trust: trust, identity: identity)
        self.init(FactoryConnection(client, principal: principal, token: token.map { Secret($0) }))
    }

    /// Features: read, joined to history, written.
    public var features: FeatureClient { FeatureClient(connection: connection) }
}
