import Basics
import Foundation
import Security

struct APIKeyCommand: Command {
    let usage = Usage(
        name: "api-key", summary: "Make, list and revoke the API keys of a server of models alone",
        positionals: ["[list|create|revoke]", "[ID]"],
        options: [
            .init(name: "file", value: "FILE", help: "where the hashes are kept (default api-keys.json)"),
            .init(name: "principal", value: "NAME", help: "whose: user:mina, service:shop, or a bare user name"),
            .init(name: "role", value: "ROLE", help: "viewer asks models, operator loads them too (default viewer)"),
            .init(name: "actions", value: "A,B", help: "only these actions, such as infer,read"),
            .init(name: "resources", value: "R,S", help: "only these resources, such as endpoint/orders"),
            .init(name: "expires", value: "DAYS", help: "days it is valid, or never (default 90)"),
            .init(name: "description", value: "TEXT", help: "what it is for"),
        ],
        example: "modelworks api-key create --file api-keys.json --principal service:shop --resources endpoint/orders")

    func run(_ arguments: Arguments, _ context: Context) async throws -> Output {
        let path = context.absolute(arguments.option("file") ?? "api-keys.json")
        switch arguments.positional(0) ?? "list" {
        case "list": return try list(path)
        case "create": return try create(arguments, path)
        case "revoke":
            guard let id = arguments.positional(1) else { throw UsageError("'modelworks api-key revoke' needs ID") }
            try KeyFile.revoke(id, in: path)
            return Output(
                document: ["revoked": .string(id)],
                text: "Revoked \(id); servers that use \(path) know it after 5 seconds at most.")
        case let word:
            throw UsageError("'modelworks api-key' knows no '\(word)'", remedy: "Use list, create or revoke.")
        }
    }

    private func list(_ path: String) throws -> Output {
        let entries = try KeyFile.list(path)
        let document = JSONValue.array(try entries.map(shown))
        let columns: [(title: String, path: String)] = [
            ("id", "id"), ("principal", "principal"), ("role", "role"), ("actions", "actions"),
            ("resources", "resources"), ("expires", "expires"), ("for", "description"),
        ]
        return Output(document: document, text: table(document, columns, empty: "No keys in \(path)."))
    }

    private func create(_ arguments: Arguments, _ path: String) throws -> Output {
        guard let principal = arguments.option("principal") else {
            throw UsageError("'modelworks api-key create' needs --principal NAME")
        }
        let roleName = arguments.option("role") ?? "viewer"
        guard let role = Role(rawValue: roleName) else {
            throw UsageError("'--role' must be one of \(Role.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        let actions = try arguments.list("actions")?.map { name in
            guard let action = Action(rawValue: name) else {
                throw UsageError(
                    "'\(name)' is no action",
                    remedy: "Use \(Action.allCases.map(\.rawValue).joined(separator: ", ")).")
            }
            return action
        }
        let (entry, secret) = try KeyFile.create(
            KeyFile.Request(
                principal: try PrincipalID(principal), role: role, actions: actions,
                resources: arguments.list("resources"), description: arguments.option("description"),
                lifetimeSeconds: try arguments.lifetime()), in: path, time: SystemTime(), random: SystemRandom())
        return Output(
            document: ["key": try shown(entry), "secret": .string(secret.revealed)],
            text: """
                \(secret.revealed)

                This is the only time the key is shown; \(path) has its hash. Callers send it as \
                'Authorization: Bearer KEY' or 'X-API-Key: KEY'.
                Serve with 'modelworks up --models DIR --api-keys \(path)'.
                """)
    }

    private func shown(_ entry: KeyFile.Entry) throws -> JSONValue {
        var document = try JSON.decode(JSONValue.self, from: try JSON.canonical(entry)).object ?? [:]
        document["hash"] = nil
        return .object(document)
    }
}
