import Basics
import Foundation
import HTTP

/// Runs jobs on a Ray cluster through the Jobs REST interface of its dashboard (Ray 2).
///
/// The id of an execution is Ray's submission id, and Ray runs an id once; so after any error of a submission it is
/// asked whether it has the id before it is sent again. A time limit is kept by `timeout` on Ray's side, so it holds
/// while we are away.
public final class RayExecutor: JobExecutor {
    public let name: String
    public var slots: Int? { nil }
    public var isLocal: Bool { false }
    private let client: HTTPClient
    private let token: Secret?
    private let showsSecrets: Bool
    private let random: any RandomSource
    private static let tries = 4

    /// - Parameters:
    ///   - baseURL: of the dashboard, such as `http://127.0.0.1:8265`.
    ///   - name: the address without secrets.
    ///   - token: sent as `Authorization: Bearer` where there is one.
    ///   - showsSecrets: whether secrets may go where all users of the dashboard see them.
    ///   - timeout: seconds for one exchange.
    ///   - random: spreads repeated requests.
    public init(
        baseURL: String, name: String, token: Secret? = nil, showsSecrets: Bool = false, timeout: Double = 30,
        trust: HTTPTrust = .system, random: any RandomSource = SystemRandom()
    ) throws {
        client = try HTTPClient(baseURL: baseURL, connections: 2, timeout: timeout, trust: trust)
        self.name = name
        self.token = token
        self.showsSecrets = showsSecrets
        self.random = random
    }

    public func start(_ spec: JobSpec, id: String) async throws -> String {
        try spec.checked()
        try JobExecutionID.check(id, executor: name)
        guard spec.secrets.isEmpty || showsSecrets else { throw JobFailure.secretsShown(name) }
        guard !spec.secrets.values.contains(where: { $0.revealed.contains("$") }) else {
            throw JobFailure.request(spec.command, reason: "Ray would replace the '$' in one of its secrets")
        }
        let body = try JSON.canonical(RayExecutor.submission(spec, id: id))
        for attempt in 1... {
            let problem: JobFailure
            do {
                let response = try await send(.post, "/api/jobs/", body: body)
                if response.status.isSuccess { return "ray:\(id)" }
                // Ray answers 500 for an id it has.
                if try await job(id) != nil { return "ray:\(id)" }
                let text = try await RayExecutor.text(of: response)
                if response.status.code < 500 { throw JobFailure.executorRefused(name, reason: text) }
                problem = .executorRefused(name, reason: text)
            } catch let failure as HTTPFailure where failure.code != .invalidArgument {
                problem = .executorUnavailable(name, reason: failure.message)
            }
            guard attempt < RayExecutor.tries else { throw problem }
            try await pause(after: attempt)
            if (try? await job(id)) != nil { return "ray:\(id)" }
        }
        throw JobFailure.unknownExecution(id, executor: name)
    }

    public func reattach(_ handle: String) async throws -> JobExecution { try await status(handle) }

    public func status(_ handle: String) async throws -> JobExecution {
        let id = try JobExecutionID.id(of: handle, scheme: "ray", executor: name)
        guard let job = try await job(id) else { throw JobFailure.unknownExecution(id, executor: name) }
        return job.execution
    }

    public func logs(_ handle: String, from offset: Int, limit: Int) async throws -> JobLog {
        let id = try JobExecutionID.id(of: handle, scheme: "ray", executor: name)
        let answer = try await read("/api/jobs/\(id)/logs", RayLogs.self)
        guard let answer else { throw JobFailure.unknownExecution(id, executor: name) }
        let start = max(0, offset)
        let bytes = [UInt8]((answer.logs ?? "").utf8.dropFirst(start).prefix(max(0, limit)))
        return JobLog(bytes: bytes, nextOffset: start + bytes.count)
    }

    /// Ray itself sends SIGTERM, and SIGKILL after 3 seconds or what `RAY_JOB_STOP_WAIT_TIME_S` says there.
    public func cancel(_ handle: String, graceSeconds: Double) async throws {
        let id = try JobExecutionID.id(of: handle, scheme: "ray", executor: name)
        _ = try await repeating { try await self.send(.post, "/api/jobs/\(id)/stop") }
    }

    public func forget(_ handle: String) async throws {
        let id = try JobExecutionID.id(of: handle, scheme: "ray", executor: name)
        guard let job = try await job(id), job.execution.state.isFinal else { return }
        _ = try await repeating { try await self.send(.delete, "/api/jobs/\(id)") }
    }

    public func running() async throws -> [String: String] {
        let jobs = try await read("/api/jobs/", [RayJob].self) ?? []
        let ids = jobs.filter { !$0.execution.state.isFinal }.compactMap(\.submissionID)
        return Dictionary(ids.map { ($0, "ray:\($0)") }) { first, _ in first }
    }

    public func check() async throws -> JobExecutorCheck {
        guard let version = try await read("/api/version", RayVersion.self) else {
            throw JobFailure.executorUnavailable(name, reason: "there is no Ray dashboard at this address")
        }
        guard version.ray.split(separator: ".").first.flatMap({ Int($0) }) ?? 0 >= 2 else {
            throw JobFailure.executorRefused(name, reason: "it is Ray \(version.ray), 2.0 or later is needed")
        }
        return JobExecutorCheck(engine: "ray \(version.ray)", detail: "jobs interface \(version.version)")
    }

    public func close() async {}
}

extension RayExecutor {
    private func job(_ id: String) async throws -> RayJob? { try await read("/api/jobs/\(id)", RayJob.self) }

    /// A document, or nil where there is none.
    private func read<Value: Decodable & Sendable>(_ target: String, _ type: Value.Type) async throws -> Value? {
        let response = try await repeating { try await self.send(.get, target) }
        if response.status == .notFound { return nil }
        let bytes = try await response.collect()
        do {
            return try JSON.decode(type, from: bytes)
        } catch let failure as JSONFailure {
            throw JobFailure.executorUnavailable(name, reason: failure.message)
        }
    }

    /// Sends what does no harm twice until it is answered, a few times.
    /// - Returns: an answer of success or 404.
    private func repeating(_ body: () async throws -> HTTPResponse) async throws -> HTTPResponse {
        for attempt in 1... {
            let problem: JobFailure
            do {
                let response = try await body()
                if response.status.isSuccess || response.status == .notFound { return response }
                let text = try await RayExecutor.text(of: response)
                if response.status.code < 500 { throw JobFailure.executorRefused(name, reason: text) }
                problem = .executorUnavailable(name, reason: text)
            } catch let failure as HTTPFailure {
                problem = .executorUnavailable(name, reason: failure.message)
            }
            guard attempt < RayExecutor.tries else { throw problem }
            try await pause(after: attempt)
        }
        throw JobFailure.executorUnavailable(name, reason: "it gives no answer")
    }

    private func send(_ method: HTTPMethod, _ target: String, body: [UInt8] = []) async throws -> HTTPResponse {
        var headers: HTTPHeaders = ["Accept": "application/json"]
        if !body.isEmpty { headers["Content-Type"] = "application/json" }
        if let token { headers["Authorization"] = "Bearer \(token.revealed)" }
        return try await client.send(method, target, headers: headers, body: body)
    }

    private func pause(after attempt: Int) async throws {
        let share = 0.5 + Double(random.next() >> 11) / Double(UInt64(1) << 54)
        try await Task.sleep(for: .seconds(0.2 * Double(1 << min(attempt, 5)) * share))
    }

    /// The last line says what happened; the rest is a Python traceback.
    private static func text(of response: HTTPResponse) async throws -> String {
        let text = String(decoding: try await response.collect(), as: UTF8.self)
        let line = text.split(whereSeparator: \.isNewline).last { $0.contains(where: \.isLetter) } ?? ""
        return "status \(response.status.code) \(line.prefix(300))"
    }

    private static func submission(_ spec: JobSpec, id: String) -> JSONValue {
        // Ray replaces `$NAME` in the values of variables, so those with a `$` go into the command itself.
        let direct = spec.environment.filter { $0.value.contains("$") }
        var inner = spec
        if !direct.isEmpty {
            inner.command = "env"
            inner.arguments = direct.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            inner.arguments += [spec.command] + spec.arguments
        }
        let variables = spec.environment.filter { direct[$0.key] == nil }
            .merging(spec.secrets.mapValues(\.revealed)) { $1 }
        var body: [String: JSONValue] = [
            "entrypoint": .string(ShellText.line(inner)), "submission_id": .string(id),
            "runtime_env": ["env_vars": .object(variables.mapValues(JSONValue.string))],
            "metadata": [
                "modelworks": .string(id), "time_limit": .string(spec.limits.timeSeconds.map { "\($0)" } ?? ""),
            ],
        ]
        if let cores = spec.limits.millicores { body["entrypoint_num_cpus"] = .number(Double(cores) / 1000) }
        if let memory = spec.limits.memoryBytes { body["entrypoint_memory"] = .integer(memory) }
        return .object(body)
    }
}
