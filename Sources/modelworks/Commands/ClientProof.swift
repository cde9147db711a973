import Basics
import HTTP

/// How the command line shows a server who asks, and knows the server. Nothing secret comes from the command line, where
/// every user of the machine could read it.
enum ClientProof {
    /// The token: from the file named by `--token-file`, else from MODELWORKS_TOKEN; nil where there is none.
    static func token(_ arguments: Arguments, _ context: Context) throws -> Secret? {
        let source = SecretSource(environment: context.environment)
        if let path = arguments.option("token-file") { return try source.file(context.absolute(path)) }
        guard let value = context.environment["MODELWORKS_TOKEN"], !value.isEmpty else { return nil }
        return try source.variable("MODELWORKS_TOKEN")
    }

    /// Whose certificates are genuine: those of the authorities in MODELWORKS_CA, else of the machine's.
    static func trust(_ context: Context) -> HTTPTrust {
        guard let path = context.environment["MODELWORKS_CA"], !path.isEmpty else { return .system }
        return .authority(path: context.absolute(path))
    }

    /// The client's own certificate: MODELWORKS_CERT and MODELWORKS_KEY.
    static func identity(_ context: Context) throws -> HTTPIdentity? {
        switch (context.environment["MODELWORKS_CERT"], context.environment["MODELWORKS_KEY"]) {
        case (let chain?, let key?):
            return HTTPIdentity(chainPath: context.absolute(chain), keyPath: context.absolute(key))
        case (nil, nil): return nil
        default: throw UsageError("MODELWORKS_CERT and MODELWORKS_KEY go together")
        }
    }
}
