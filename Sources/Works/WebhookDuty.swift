import Basics
import Foundation
import HTTP
import Registry
import Telemetry

/// Tells webhooks of what happens in the registry, while the task runs.
struct WebhookDuty: Sendable {
    private let webhooks: WebhookStore
    private let time: any TimeSource
    private let logger: Logger
    /// How many requests are under way at once.
    private static let atOnce = 16
    private static let timeoutSeconds = 10.0
    private static let textMax = 1000

    init(webhooks: WebhookStore, time: any TimeSource, logger: Logger) {
        self.webhooks = webhooks
        self.time = time
        self.logger = logger
    }

    /// Sends what is due until the task is cancelled.
    func work() async {
        while !Task.isCancelled {
            do {
                while try await webhooks.collect() {}
                if try await send() { continue }
            } catch {
                guard !Task.isCancelled else { return }
                logger.error("webhooks are not told of changes", ["error": .string("\(error)")])
            }
            try? await Task.sleep(for: .milliseconds(500))
        }
    }

    /// - Returns: whether anything was due.
    private func send() async throws -> Bool {
        let requests = try await webhooks.claim(limit: Self.atOnce)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for request in requests {
                group.addTask {
                    let trial = await attempt(request)
                    if !trial.isGood {
                        logger.warning(
                            "a webhook was not received",
                            ["delivery": .string(request.id), "error": .string(trial.text)])
                    }
                    try await webhooks.note(
                        request.id,
                        error: trial.isGood ? nil : trial.status.map { "the answer was \($0)" } ?? trial.text)
                }
            }
            try await group.waitForAll()
        }
        return !requests.isEmpty
    }

    /// Sends a request once. No redirect is followed: it could lead where nothing may be sent.
    func attempt(_ request: WebhookRequest) async -> WebhookTrial {
        guard var parts = URLComponents(string: request.url) else {
            return WebhookTrial(status: nil, text: "'\(request.url)' is no URL")
        }
        let path = parts.percentEncodedPath.isEmpty ? "/" : parts.percentEncodedPath
        let target = path + (parts.percentEncodedQuery.map { "?\($0)" } ?? "")
        (parts.percentEncodedPath, parts.percentEncodedQuery) = ("", nil)
        var headers = HTTPHeaders()
        for (name, value) in request.headers(at: time.now) { headers[name] = value }
        do {
            let client = try HTTPClient(baseURL: parts.string ?? "", connections: 1, timeout: Self.timeoutSeconds)
            let answer = try await client.send(.post, target, headers: headers, body: request.body)
            let text = String(decoding: try await answer.collect().prefix(Self.textMax), as: UTF8.self)
            return WebhookTrial(status: answer.status.code, text: text)
        } catch {
            return WebhookTrial(status: nil, text: "\(error)")
        }
    }
}
