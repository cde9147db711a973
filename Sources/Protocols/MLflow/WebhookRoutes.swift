import Basics
import Documents
import HTTP
import Registry
import Security

extension MLflow {
    /// MLflow's own webhooks. Those that ask for events which its client does not know are only seen in our own interface.
    func installWebhooks(on router: Router) {
        let path = "/webhooks"
        call(.post, path, needs: .operate, on: router) { fields, request in
            let status = try fields.optionalText("status") ?? WebhookStatus.active.rawValue
            return Self.answer(
                try await webhooks.create(
                    name: try fields.text("name"), description: try fields.optionalText("description") ?? "",
                    url: try fields.text("url"), events: try Self.events(fields),
                    secret: try fields.optionalText("secret").map { Secret($0) },
                    isActive: status == WebhookStatus.active.rawValue, by: Self.principal(request)))
        }
        call(.get, path, needs: .read, on: router) { fields, _ in
            let limit = try fields.limit(standard: 100, most: 1000)
            let offset = try PageToken.offset(fields)
            let all = try await webhooks.all().filter { $0.events.allSatisfy(\.isStandard) }
            let page = all.dropFirst(offset).prefix(limit)
            return Answer { writer in
                writer.objects("webhooks", Array(page)) { $0.members(of: $1) }
                if offset + page.count < all.count {
                    writer.member("next_page_token", PageToken.text(offset + page.count))
                }
            }
        }
        call(.get, "\(path)/{id}", needs: .read, on: router) { _, request in
            Self.answer(try await webhooks.webhook(try request.parameter("id")))
        }
        call(.patch, "\(path)/{id}", needs: .operate, on: router) { fields, request in
            let events = try Self.events(fields)
            return Self.answer(
                try await webhooks.update(
                    try request.parameter("id"), name: try fields.optionalText("name"),
                    description: try fields.optionalText("description"), url: try fields.optionalText("url"),
                    events: events.isEmpty ? nil : events,
                    secret: try fields.optionalText("secret").map { Secret($0) },
                    isActive: try fields.choice("status", [WebhookStatus.active, .disabled]).map { $0 == .active },
                    by: Self.principal(request)))
        }
        call(.delete, "\(path)/{id}", needs: .operate, on: router) { _, request in
            try await webhooks.delete(try request.parameter("id"), by: Self.principal(request))
            return .empty
        }
        call(.post, "\(path)/{id}/test", needs: .operate, on: router) { fields, request in
            let event = try? fields.message("event")
            let trial = await tryWebhook(
                try await webhooks.example(for: try request.parameter("id"), event: try event.map(Self.event)))
            return Answer { writer in
                writer.object("result") { writer in
                    writer.member("success", trial.isGood)
                    if let status = trial.status {
                        writer.member("response_status", Int64(status))
                        writer.member("response_body", trial.text)
                    } else {
                        writer.member("error_message", trial.text)
                    }
                }
            }
        }
    }

    private enum WebhookStatus: String {
        case active = "ACTIVE"
        case disabled = "DISABLED"
    }

    private static func events(_ fields: Fields) throws -> [WebhookEvent] {
        try fields.messages("events").map(event)
    }

    private static func event(_ fields: Fields) throws -> WebhookEvent {
        try WebhookEvent(
            entity: try fields.text("entity").lowercased(), action: try fields.text("action").lowercased())
    }

    private static func answer(_ webhook: Webhook) -> Answer {
        Answer { $0.object("webhook") { $0.members(of: webhook) } }
    }
}

extension JSONWriter {
    fileprivate mutating func members(of webhook: Webhook) {
        member("webhook_id", webhook.id)
        member("name", webhook.name)
        if !webhook.description.isEmpty { member("description", webhook.description) }
        member("url", webhook.url)
        objects("events", webhook.events) {
            $0.member("entity", $1.entity.uppercased())
            $0.member("action", $1.action.uppercased())
        }
        member("status", webhook.isActive ? "ACTIVE" : "DISABLED")
        member("creation_timestamp", webhook.created.milliseconds)
        member("last_updated_timestamp", webhook.updated.milliseconds)
    }
}
