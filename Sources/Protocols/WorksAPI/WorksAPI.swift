import Basics
import HTTP
import Security

/// Modelworks' own API under `/api/works/v1`: what the command line speaks.
public struct WorksAPI: Sendable {
    let services: Services
    let access: AccessStore?
    let version: String
    static let prefix = "/api/works/v1"

    /// - Parameters:
    ///   - access: principals and tokens; nil leaves their routes out.
    ///   - version: the program's, for the API's own description.
    public init(_ services: Services, access: AccessStore? = nil, version: String) {
        self.services = services
        self.access = access
        self.version = version
    }

    /// Puts every route on a router.
    public func install(on router: Router) {
        installFactory(on: router)
        installDatasets(on: router)
        installData(on: router)
        installOnline(on: router)
        installHistory(on: router)
        installStreams(on: router)
        installCatalogue(on: router)
        installFeatureQuality(on: router)
        installExpectations(on: router)
        installModels(on: router)
        installRuns(on: router)
        installUpkeep(on: router)
        installImports(on: router)
        installGovernance(on: router)
        installWebhooks(on: router)
        installServing(on: router)
        installJournal(on: router)
        installJobs(on: router)
        if let access { installAccess(access, on: router) }
        installOpenAPI(on: router)
    }

    /// Who asks. Without authentication it is whom the client says it is.
    func principal(_ request: HTTPRequest) -> String {
        if let principal = request.principal { return principal }
        let name = request.header("X-Modelworks-Principal") ?? ""
        let usable = !name.isEmpty && name.utf8.count <= 128 && name.utf8.allSatisfy { $0 > 32 && $0 < 127 }
        return usable ? name : "user:anonymous"
    }

    /// The request's JSON body.
    func body<Value: Decodable>(_ type: Value.Type, _ request: HTTPRequest) throws -> Value {
        try JSON.decode(type, from: request.body.isEmpty ? Array("{}".utf8) : request.body)
    }
}

/// What can be wrong with a request to the API itself.
enum WorksAPIFailure: Failure {
    case badParameter(String, String)
    case noFactory

    var code: FailureCode {
        switch self {
        case .badParameter: .invalidArgument
        case .noFactory: .failedPrecondition
        }
    }

    var message: String {
        switch self {
        case .badParameter(let name, let why): "the parameter '\(name)' \(why)"
        case .noFactory: "no factory has been applied to this root"
        }
    }

    var remedy: String? {
        switch self {
        case .badParameter: nil
        case .noFactory: "Run 'modelworks apply DIRECTORY'."
        }
    }
}

extension HTTPRequest {
    /// A query parameter as an integer in a range.
    func integer(_ name: String, default value: Int, in range: ClosedRange<Int>) throws -> Int {
        guard let text = query(name) else { return value }
        guard let number = Int(text), range.contains(number) else {
            throw WorksAPIFailure.badParameter(
                name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// A query parameter as a moment.
    func timestamp(_ name: String) throws -> Timestamp? {
        guard let text = query(name) else { return nil }
        guard let moment = Timestamp(text) else {
            throw WorksAPIFailure.badParameter(name, "is no RFC 3339 time such as 2013-04-01T00:00:00Z")
        }
        return moment
    }
}
