import Basics
import Journal
import SQL

/// Something that happened in the registry and that webhooks can be told of.
public struct WebhookEvent: Sendable, Hashable, CustomStringConvertible {
    /// Such as `model_version`.
    public var entity: String
    /// Such as `created`.
    public var action: String

    /// Those that MLflow knows, by entity; its client refuses others.
    public static let standard: [String: Set<String>] = [
        "registered_model": ["created"], "model_version": ["created"], "model_version_tag": ["set", "deleted"],
        "model_version_alias": ["created", "deleted"], "prompt": ["created"], "prompt_version": ["created"],
        "prompt_tag": ["set", "deleted"], "prompt_version_tag": ["set", "deleted"],
        "prompt_alias": ["created", "deleted"],
    ]

    /// Those that only our own interface knows.
    public static let own: [String: Set<String>] = [
        "registered_model": ["updated", "renamed", "deleted"], "registered_model_tag": ["set", "deleted"],
        "model_version": ["updated", "deleted", "staged", "exported"],
        "transition_request": ["created", "approved", "rejected", "withdrawn", "superseded"], "comment": ["created"],
    ]

    /// - Throws: ``RegistryFailure/invalid(_:)`` for what nothing is told of.
    public init(entity: String, action: String) throws {
        let known = Self.standard[entity, default: []].union(Self.own[entity, default: []])
        guard known.contains(action) else {
            let entities = Set(Self.standard.keys).union(Self.own.keys).sorted().joined(separator: ", ")
            throw RegistryFailure.invalid(
                known.isEmpty
                    ? "there are no events of '\(entity)', only of \(entities)"
                    : "Invalid action '\(action)' for entity '\(entity)'. Valid actions are: "
                        + known.sorted().joined(separator: ", "))
        }
        self.entity = entity
        self.action = action
    }

    /// - Parameter text: such as `model_version.created`.
    public init(_ text: String) throws {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, let entity = parts.first, let action = parts.last else {
            throw RegistryFailure.invalid("'\(text)' is no event such as model_version.created")
        }
        try self.init(entity: entity, action: action)
    }

    public var description: String { "\(entity).\(action)" }

    /// Whether MLflow's client knows it.
    public var isStandard: Bool { Self.standard[entity]?.contains(action) ?? false }
}

/// An event with what is told of it.
struct WebhookNews {
    /// The tag of a model that is a prompt.
    private static let promptTag = "mlflow.prompt.is_prompt"

    let event: WebhookEvent
    let data: JSONValue

    /// What an entry of the journal is news of; nil where it is of no interest to webhooks.
    init?(_ entry: JournalEntry, in transaction: Transaction) throws {
        let parts = entry.subject.split(separator: "/").map(String.init)
        guard entry.type.hasPrefix("model."), parts.first == "model", parts.count <= 3,
            let name = parts.dropFirst().first
        else { return nil }
        let version = parts.dropFirst(2).first
        let body = try entry.body()
        let isPrompt =
            try body["tags"]?[Self.promptTag]?.string == "true"
            || (transaction.first(
                "SELECT value FROM model_tags WHERE model = ? AND key = ? AND value = 'true'",
                [.text(name), .text(Self.promptTag)])) != nil
        let removed = body["removed"]?.bool ?? false
        let (entity, action): (String, String)
        var fields = ["name": JSONValue.string(name)]
        if let version { fields["version"] = .string(version) }
        func copy(_ names: String...) {
            for name in names { fields[name] = body[name] ?? .null }
        }
        switch entry.type {
        case "model.created":
            (entity, action) = (isPrompt ? "prompt" : "registered_model", "created")
            copy("tags", "description")
        case "model.registered":
            (entity, action) = (isPrompt ? "prompt_version" : "model_version", "created")
            copy("source", "tags", "description")
            fields["run_id"] = body["run"] ?? .null
        case "model.tag":
            let kind = isPrompt ? "prompt" : version == nil ? "registered_model" : "model"
            entity = version == nil ? "\(kind)_tag" : "\(kind)_version_tag"
            action = removed ? "deleted" : "set"
            copy("key")
            if !removed { copy("value") }
        case "model.alias":
            entity = isPrompt ? "prompt_alias" : "model_version_alias"
            action = removed ? "deleted" : "created"
            copy("alias")
        default:
            let own: [String: (String, String)] = [
                "model.described": (version == nil ? "registered_model" : "model_version", "updated"),
                "model.renamed": ("registered_model", "renamed"), "model.deleted": ("registered_model", "deleted"),
                "model.version_deleted": ("model_version", "deleted"), "model.stage": ("model_version", "staged"),
                "model.exported": ("model_version", "exported"), "model.requested": ("transition_request", "created"),
                "model.approved": ("transition_request", "approved"),
                "model.rejected": ("transition_request", "rejected"),
                "model.withdrawn": ("transition_request", "withdrawn"),
                "model.superseded": ("transition_request", "superseded"), "model.comment": ("comment", "created"),
            ]
            guard let found = own[entry.type] else { return nil }
            (entity, action) = found
            for (key, value) in body.object ?? [:] { fields[key] = value }
            fields["principal"] = .string(entry.principal)
        }
        event = try WebhookEvent(entity: entity, action: action)
        data = .object(fields)
    }
}
