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
    /// How many webhooks are told of something at once.
    private static let atOnce = 16
    private static let sweepSeconds: Int64 = 3600
    private static let answerLimit = 64 << 10
    private static let timeoutSeconds = 10.0
    private static let textMax = 1000

    init(webhooks: WebhookStore, time: any TimeSource, logger: Logger) {
        self.webhooks = webhooks
        self.time = time
        self.logger = logger
    }

    /// Sends what is due until the task is cancelled. Each webhook is told one thing after another, by a task of its own, so
    /// that none waits for the receiver of another.
    func work() async {
        await withTaskGroup(of: String?.self) { group in
            var busy: Set<String> = []
            var isPausing = false
            var swept: Timestamp?
            while !Task.isCancelled {
                do {
                    if swept.map({ $0.advanced(bySeconds: Self.sweepSeconds) <= time.now }) ?? true {
                        try await webhooks.sweep()
                        swept = time.now
                    }
                    while try await webhooks.collect() {}
                    for request in try await webhooks.claim(limit: Self.atOnce - busy.count, besides: busy) {
                        busy.insert(request.webhook)
                        group.addTask {
                            await deliver(request)
                            return request.webhook
                        }
                    }
                } catch {
                    guard !Task.isCancelled else { return }
                    logger.error("webhooks are not told of changes", ["error": .string("\(error)")])
                }
                if !isPausing {
                    isPausing = true
                    group.addTask {
                        try? await Task.sleep(for: .milliseconds(500))
                        return nil
                    }
                }
                if let webhook = await group.next() ?? nil { busy.remove(webhook) } else { isPausing = false }
            }
        }
    }

    /// Sends a request, and writes down what became of it.
    private func deliver(_ request: WebhookRequest) async {
        let trial = await attempt(request)
        if !trial.isGood {
            logger.warning(
                "a webhook was not received", ["delivery": .string(request.id), "error": .string(trial.text)])
        }
        do {
            try await webhooks.note(
                request.id, error: trial.isGood ? nil : trial.status.map { "the answer was \($0)" } ?? trial.text)
        } catch {
            // Its claim runs out, and it is sent again.
            logger.error(
                "what became of a webhook's delivery is not known",
                ["delivery": .string(request.id), "error": .string("\(error)")])
        }
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
            let client = try HTTPClient(
                baseURL: parts.string ?? "", connections: 1, timeout: Self.timeoutSeconds, answerLimit: Self.answerLimit
            )
            let answer = try await client.send(.post, target, headers: headers, body: request.body)
            let text = String(decoding: try await answer.collect().prefix(Self.textMax), as: UTF8.self)
            return WebhookTrial(status: answer.status.code, text: text)
        } catch {
            return WebhookTrial(status: nil, text: "\(error)")
        }
    }
}
