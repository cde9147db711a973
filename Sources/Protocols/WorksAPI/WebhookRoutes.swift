import Basics
import HTTP
import Registry
import Security

extension WorksAPI {
    func installWebhooks(on router: Router) {
        router.get(
            "\(Self.prefix)/webhooks", needs: .right(to: .read),
            about: .init("Lists the webhooks", answer: .json([WebhookBody].self))
        ) { _ in
            try .json(try await services.webhooks.all().map(WebhookBody.init))
        }
        router.post(
            "\(Self.prefix)/webhooks", needs: .right(to: .operate),
            about: .init(
                "Makes a webhook that is told of what happens from now on", body: .json(NewWebhookBody.self),
                answer: .json(WebhookBody.self))
        ) { request in
            let wanted = try body(NewWebhookBody.self, request)
            return try .json(
                WebhookBody(
                    try await services.webhooks.create(
                        name: wanted.name, description: wanted.description ?? "", url: wanted.url,
                        events: try wanted.events.map { try WebhookEvent($0) },
                        secret: wanted.secret.map { Secret($0) }, isActive: true, by: principal(request))))
        }
        router.delete(
            "\(Self.prefix)/webhooks/{id}", needs: .right(to: .operate),
            about: .init("Removes a webhook", answer: .json([String: String].self))
        ) { request in
            let id = try request.parameter("id")
            try await services.webhooks.delete(id, by: principal(request))
            return try .json(["deleted": id])
        }
        router.get(
            "\(Self.prefix)/webhooks/deliveries", needs: .right(to: .read),
            about: .init(
                "Lists what was sent to webhooks and what waits, newest first",
                query: [
                    .optional("state", "only in this state: waiting, delivered or dead"),
                    .optional("limit", "deliveries at most", Int.self),
                ], answer: .json([WebhookDelivery].self))
        ) { request in
            let state = try request.query("state").map { text in
                guard let state = WebhookDelivery.State(rawValue: text) else {
                    throw WorksAPIFailure.badParameter("state", "must be waiting, delivered or dead")
                }
                return state
            }
            return try .json(
                try await services.webhooks.deliveries(
                    in: state, limit: try request.integer("limit", default: 100, in: 1...1000)))
        }
        router.post(
            "\(Self.prefix)/webhooks/deliveries/{id}/retry", needs: .right(to: .operate),
            about: .init("Sends again what was given up", answer: .json([String: String].self))
        ) { request in
            let id = try request.parameter("id")
            try await services.webhooks.retry(id, by: principal(request))
            return try .json(["waiting": id])
        }
    }
}

private struct WebhookBody: Codable {
    var id: String
    var name: String
    var description: String
    var url: String
    /// Such as `model_version.created`.
    var events: [String]
    var active: Bool
    var created: Timestamp
    var updated: Timestamp

    init(_ webhook: Webhook) {
        id = webhook.id
        name = webhook.name
        description = webhook.description
        url = webhook.url
        events = webhook.events.map(\.description)
        active = webhook.isActive
        created = webhook.created
        updated = webhook.updated
    }
}

private struct NewWebhookBody: Codable {
    var name: String
    var description: String?
    var url: String
    var events: [String]
    var secret: String?
}
