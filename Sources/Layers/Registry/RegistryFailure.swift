import Basics

/// What can go wrong with models and their versions.
public enum RegistryFailure: Failure {
    case unknownModel(String)
    case unknownVersion(ModelVersionID)
    case forbiddenTransition(ModelVersionID, from: Stage, to: Stage)
    case incomplete(ModelVersionID, missing: [RequiredFact])
    case badReference(String)
    case noProfile(Digest)
    case modelExists(String)
    case unknownAlias(String, model: String)
    case noVersions(String)
    case inProduction(ModelVersionID)
    /// A name or value that its rules do not allow.
    case invalid(String)
    case badSource(String, reason: String)
    /// A model that is to be imported has the name of another one.
    case modelTaken(String)
    /// Kept behind the version that is in Production.
    case retained(ModelVersionID, behind: ModelVersionID)
    case needsApproval(ModelVersionID, to: Stage, approvals: Int)
    /// It is to answer alone, and stands outside Production.
    case notApproved(ModelVersionID, approvals: Int)
    case unknownRequest(Int64, model: String)
    case requestOpen(TransitionRequest)
    case requestClosed(TransitionRequest)
    case ownRequest(TransitionRequest)
    case approvedBefore(TransitionRequest, by: String)
    case versionChanged(TransitionRequest)
    /// Its files are in a store of others.
    case keptElsewhere(ModelVersionID)
    /// Its files are more than an archive may hold.
    case tooLarge(ModelVersionID, limit: Int)
    case badArchive(String)
    /// An archive that is signed by a key which nobody here trusts.
    case untrusted(key: String, file: String)
    case unknownWebhook(String)
    /// There is none, or it was not given up.
    case unknownDelivery(String)
    /// Nothing may be sent there.
    case badAddress(String, reason: String)

    public var code: FailureCode {
        switch self {
        case .unknownModel, .unknownVersion, .noVersions, .noProfile, .unknownRequest, .unknownWebhook,
            .unknownDelivery:
            .notFound
        case .forbiddenTransition, .incomplete, .retained, .needsApproval, .notApproved, .requestClosed,
            .versionChanged, .keptElsewhere, .tooLarge:
            .failedPrecondition
        case .modelExists, .modelTaken, .requestOpen, .approvedBefore: .alreadyExists
        case .ownRequest, .untrusted: .permissionDenied
        case .badArchive: .dataLoss
        // As MLflow has it.
        case .unknownAlias: .invalidArgument
        case .inProduction: .failedPrecondition
        case .badReference, .invalid, .badSource, .badAddress: .invalidArgument
        }
    }

    public var message: String {
        switch self {
        case .unknownModel(let name): "Registered Model with name=\(name) not found"
        case .unknownVersion(let id): "Model Version (name=\(id.model), version=\(id.version)) not found"
        case .modelExists(let name): "Registered Model (name=\(name)) already exists."
        case .modelTaken(let name): "a model '\(name)' is, or was, here already, and is not the one to be imported"
        case .unknownAlias(let alias, _): "Registered model alias \(alias) not found."
        case .noVersions(let name): "Registered Model with name=\(name) has no versions"
        case .inProduction(let id): "\(id) is in Production"
        case .invalid(let text): text
        case .badSource(let source, let reason): "Invalid model version source: '\(source)'. \(reason)"
        case .forbiddenTransition(let id, let from, let to):
            "\(id) can not go from \(from.rawValue) to \(to.rawValue)"
        case .incomplete(let id, let missing):
            "\(id) can not go to Production: what is not known of it is \(missing.map(\.name).joined(separator: ", "))"
        case .retained(let id, let current):
            "\(id) is kept so that it can be put back in place of \(current), which is in Production"
        case .needsApproval(let id, let stage, let approvals):
            "\(id) goes to \(stage.rawValue) only when \(Self.agreement(approvals))"
        case .notApproved(let id, let approvals):
            "\(id) is not in Production, where it goes only when \(Self.agreement(approvals)), and so may not answer alone"
        case .unknownRequest(let number, let model): "the model '\(model)' has no request \(number)"
        case .requestOpen(let request):
            "request \(request.number) for \(request.version) to go to \(request.stage.rawValue) is open already"
        case .requestClosed(let request):
            "request \(request.number) for \(request.version) is \(request.state.rawValue)"
        case .ownRequest(let request):
            "\(request.requester) made request \(request.number) for \(request.version), and another must agree to it"
        case .approvedBefore(let request, let principal):
            "\(principal) has agreed to request \(request.number) for \(request.version) already"
        case .unknownWebhook(let id): "Webhook with ID \(id) not found."
        case .unknownDelivery(let id): "there is no delivery '\(id)' that was given up"
        case .badAddress(let url, let reason): "Invalid webhook URL '\(url)': \(reason)"
        case .keptElsewhere(let id): "the files of \(id) are not kept here, and so can not be exported"
        case .tooLarge(let id, let limit):
            "the files of \(id) have more than the \(limit) bytes that an archive may hold"
        case .badArchive(let reason): "the archive is refused: \(reason)"
        case .untrusted(let key, _): "the archive is signed with the key \(key), which is not trusted here"
        case .versionChanged(let request):
            "\(request.version) is not what it was when request \(request.number) was made for it"
        case .badReference(let text): "'\(text)' is no model version"
        case .noProfile(let bundle): "the bundle \(bundle.short) holds no profile of its training"
        }
    }

    private static func agreement(_ approvals: Int) -> String {
        approvals == 1 ? "another person agrees" : "\(approvals) others agree"
    }

    public var remedy: String? {
        switch self {
        case .unknownModel, .unknownVersion: "List them with 'modelworks models'."
        case .forbiddenTransition: "Allowed: None, Staging, Production and Archived, but nothing returns to None."
        case .incomplete(_, let missing):
            "Register a version with it: " + missing.map(\.remedy).joined(separator: "; ") + "."
        case .inProduction: "Archive it first."
        case .modelTaken: "Rename one of the two, or import into another factory."
        case .retained(_, let current): "Promote a version after \(current) first, or archive it."
        case .needsApproval(let id, let stage, _):
            "Ask for it: modelworks models request \(id) --stage \(stage.rawValue) --reason WHY."
        case .notApproved(let id, _):
            "Ask for it: modelworks models request \(id) --stage Production --reason WHY. In an emergency deploy it with --emergency WHY."
        case .unknownRequest: "List them with 'modelworks models requests'."
        case .requestOpen: "Wait for approvals, or reject it first."
        case .requestClosed, .versionChanged: "Make a new request."
        case .ownRequest, .approvedBefore: "Let another principal approve it."
        case .unknownWebhook: "List them with GET /api/works/v1/webhooks."
        case .unknownDelivery: "List them with GET /api/works/v1/webhooks/deliveries?state=dead."
        case .badAddress: "The key 'registry: webhook_hosts' of works.yaml lists the hosts that are allowed."
        case .untrusted(_, let file):
            "Add the public line of the other installation's key (its file models.ed25519.pub) to \(file)."
        case .badArchive: "Export it again, and compare the files' digests."
        case .tooLarge: "Download its files, and register them there."
        case .keptElsewhere: "Copy them with the tools of that store."
        case .modelExists, .unknownAlias, .noVersions, .invalid, .badSource: nil
        case .noProfile: "Register a version trained here."
        case .badReference: "Write MODEL/VERSION, for example flight-delay/3."
        }
    }
}
