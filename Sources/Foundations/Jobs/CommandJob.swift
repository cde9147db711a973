import Basics

/// The payload of a job of kind `command`: a program that is run as it stands.
///
/// Its environment is stored with the job and shown with it. What must not be seen is named in `secrets`: the worker
/// takes the values from what it was given itself, and stores them nowhere.
public struct CommandJob: Sendable, Hashable, Codable {
    /// The kind of such jobs.
    public static let kind = "command"

    /// A program by path, or by name to be found on PATH.
    public var command: String
    public var arguments: [String]
    public var environment: [String: String]
    /// Names of variables.
    public var secrets: [String]
    /// Nil is the executor's own folder for the execution.
    public var directory: String?

    public init(
        command: String, arguments: [String] = [], environment: [String: String] = [:], secrets: [String] = [],
        directory: String? = nil
    ) {
        self.command = command
        self.arguments = arguments
        self.environment = environment
        self.secrets = secrets
        self.directory = directory
    }

    /// The command as a request, otherwise with the standard settings.
    /// - Throws: `JobFailure.request` for what no system can start.
    public func request() throws -> JobRequest {
        _ = try spec(secrets: Dictionary(secrets.map { ($0, Secret("")) }) { $1 })
        return JobRequest(kind: CommandJob.kind, payload: try JSON.value(self))
    }

    /// What runs commands.
    /// - Parameter secrets: all that jobs may have, by name.
    public static func handler(secrets: [String: Secret]) -> JobHandler {
        JobHandler(spec: { job in
            let wanted = try JSON.decode(CommandJob.self, from: try JSON.canonical(job.request.payload))
            var spec = try wanted.spec(secrets: secrets)
            let resources = job.request.resources
            spec.limits.memoryBytes = resources.memoryBytes > 0 ? resources.memoryBytes : nil
            spec.limits.millicores = resources.millicores > 0 ? resources.millicores : nil
            return spec
        })
    }

    private func spec(secrets known: [String: Secret]) throws -> JobSpec {
        var values: [String: Secret] = [:]
        for name in secrets {
            guard let value = known[name] else { throw JobFailure.noSecret(name) }
            values[name] = value
        }
        let spec = JobSpec(
            command, arguments, environment: environment, secrets: values, workingDirectory: directory)
        try spec.checked()
        return spec
    }
}
