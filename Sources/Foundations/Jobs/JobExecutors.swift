import Basics
import HTTP

/// Opens executors by their address.
public enum JobExecutors {
    private static let known = [
        "local:?slots=2", "ray://host:8265", "ray+https://host:8265", "slurm:?folder=/shared/jobs&partition=batch",
    ]

    /// - Parameters:
    ///   - url: `local:` (settings `slots`, `folder`), `ray://` or `ray+https://` (settings `timeout`, `ca`,
    ///     `expose_secrets`, secret `token`), `slurm:` (settings `folder`, `partition`, `account`, `timeout`).
    ///   - folder: where executors keep their files when the address does not say.
    ///   - environment: what local and Slurm jobs, and Slurm's programs, inherit: `PATH`, `HOME`, `LANG`, `SLURM_CONF`
    ///     and the like, taken by the caller from its own.
    /// - Throws: `StoreURLFailure` for an address that can not be read, or what the executor throws. Nothing is
    ///   connected to yet; `check` does that.
    public static func open(
        _ url: StoreURL, folder: String, environment: [String: String], random: any RandomSource = SystemRandom()
    ) throws -> any JobExecutor {
        switch url.scheme {
        case "local":
            try url.allow(["slots", "folder"])
            return LocalExecutor(
                folder: url.settings["folder"] ?? "\(folder)/local", slots: try url.integer("slots", in: 1...4096) ?? 2,
                environment: environment)
        case "ray", "ray+https":
            try url.allow(["timeout", "ca", "expose_secrets"])
            guard let host = url.host else {
                throw StoreURLFailure.malformed(url.description, reason: "it names no host")
            }
            let shown = host.contains(":") ? "[\(host)]" : host
            return try RayExecutor(
                baseURL: "\(url.scheme == "ray" ? "http" : "https")://\(shown):\(url.port ?? 8265)\(url.path)",
                name: url.description, token: url.secret("token"),
                showsSecrets: try url.flag("expose_secrets") ?? false,
                timeout: Double(try url.integer("timeout", in: 1...600) ?? 30),
                trust: url.settings["ca"].map { .authority(path: $0) } ?? .system, random: random)
        case "slurm":
            try url.allow(["folder", "partition", "account", "timeout"])
            return SlurmExecutor(
                name: url.description, folder: url.settings["folder"] ?? "\(folder)/slurm",
                partition: url.settings["partition"], account: url.settings["account"], environment: environment,
                timeoutSeconds: Double(try url.integer("timeout", in: 1...600) ?? 30))
        default: throw StoreURLFailure.unknownScheme(url.description, store: "jobs", known: known)
        }
    }
}
