import Basics
import Experiments

/// The environment of a run as a lock file, and as the recipe of an image that has it.
struct EnvironmentRecipe {
    /// One line for each thing, in order.
    let lock: String
    let dockerfile: String

    /// Names the lock file.
    var digest: Digest { Digest(of: lock) }

    /// Reads what the run brought along: `requirements.txt` and `python_env.yaml` of a client's model, else the versions
    /// that the factory noted.
    init(_ run: Run, facts: RunFacts, read: (Digest) async throws -> [UInt8]) async throws {
        func text(_ name: String) async throws -> String? {
            let file = run.artifacts.first { $0.path == name || $0.path.hasSuffix("/\(name)") }
            guard let file else { return nil }
            return String(decoding: try await read(file.digest), as: UTF8.self)
        }
        if let requirements = try await text("requirements.txt") {
            let python = try await text("python_env.yaml")?.firstMatch(of: /python: *"?([0-9.]+)/)?.1
            lock = requirements.hasSuffix("\n") ? requirements : requirements + "\n"
            dockerfile = """
                # The environment of run \(run.id).
                FROM python:\(python.map(String.init) ?? "3")-slim
                COPY <<'LOCK' /requirements.txt
                \(lock)LOCK
                RUN pip install --no-cache-dir --requirement /requirements.txt
                """
            return
        }
        guard !facts.environment.isEmpty else {
            throw CommandFailure(
                .failedPrecondition, "the run '\(run.id)' has no record of its environment",
                remedy: "Log a requirements.txt with the model, as MLflow's log_model does.")
        }
        lock = facts.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)\n" }.joined()
        let system = (facts.environment["os"] ?? "").lowercased().split(separator: " ")
        let number = system.first { $0.first?.isNumber == true }.map { $0.split(separator: ".") } ?? []
        // Debian's images have whole versions, Ubuntu's have two parts.
        let base =
            system.first == "ubuntu"
            ? "ubuntu:\(number.prefix(2).joined(separator: "."))" : "debian:\(number.first ?? "stable")"
        dockerfile = """
            # The environment of run \(run.id). Build it in a folder with bin/modelworks and lib/ of version \
            \(facts.environment["modelworks"] ?? "0").
            FROM \(base)
            RUN apt-get update && apt-get install --yes --no-install-recommends \\
                libcurl4 libexpat1 libsqlite3-0 liblmdb0 libpq5 libgomp1 ca-certificates && rm -rf /var/lib/apt/lists/*
            COPY bin/modelworks /opt/modelworks/bin/modelworks
            COPY lib /opt/modelworks/lib
            COPY <<'LOCK' /opt/modelworks/environment.lock
            \(lock)LOCK
            ENTRYPOINT ["/opt/modelworks/bin/modelworks"]
            """
    }
}
