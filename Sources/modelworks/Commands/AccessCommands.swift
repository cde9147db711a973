import Basics
import Foundation

struct TokenCommand: ClientCommand {
    let usage = Usage(
        name: "token", summary: "Make, list and revoke API tokens", positionals: ["[create|list|revoke]", "[ID]"],
        options: [
            .init(name: "principal", value: "NAME", help: "whose: user:mina, service:trainer, or a bare user name"),
            .init(name: "role", value: "ROLE", help: "at most this role; a principal that does not exist gets it"),
            .init(name: "actions", value: "A,B", help: "only these actions, such as infer,read"),
            .init(name: "resources", value: "R,S", help: "only these resources, such as endpoint/orders,model/*"),
            .init(name: "expires", value: "DAYS", help: "days it is valid, or never (default 90)"),
            .init(name: "description", value: "TEXT", help: "what it is for"),
        ], example: "modelworks token create --principal service:shop --role viewer --actions infer --expires 30")

    func run(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        switch arguments.positional(0) ?? "list" {
        case "list":
            let document = try await client.get("/tokens", [("principal", arguments.option("principal"))])
            return Output(
                document: document,
                text: table(
                    document,
                    [
                        (title: "id", path: "id"), (title: "principal", path: "principal"),
                        (title: "role", path: "scope.role"), (title: "actions", path: "scope.actions"),
                        (title: "resources", path: "scope.resources"), (title: "expires", path: "expires"),
                        (title: "revoked", path: "revoked"), (title: "last used", path: "lastUsed"),
                        (title: "for", path: "description"),
                    ], empty: "No tokens yet."))
        case "create": return try await create(arguments, client)
        case "revoke":
            guard let id = arguments.positional(1) else { throw UsageError("'modelworks token revoke' needs ID") }
            let document = try await client.post("/tokens/\(Client.escape(id))/revoke", [String: String]())
            return Output(document: document, text: "Revoked \(id); every server knows it after 5 seconds at most.")
        case let word:
            throw UsageError("'modelworks token' knows no '\(word)'", remedy: "Use create, list or revoke.")
        }
    }

    private func create(_ arguments: Arguments, _ client: Client) async throws -> Output {
        guard let principal = arguments.option("principal") else {
            throw UsageError("'modelworks token create' needs --principal NAME")
        }
        struct Body: Encodable {
            var principal: String
            var description: String?
            var role: String?
            var actions: [String]?
            var resources: [String]?
            var lifetimeSeconds: Int64?
            var neverExpires: Bool?
        }
        var body = Body(
            principal: principal, description: arguments.option("description"), role: arguments.option("role"),
            actions: arguments.list("actions"), resources: arguments.list("resources"))
        switch arguments.option("expires") {
        case nil: break
        case "never": body.neverExpires = true
        case let text?:
            guard let days = Int64(text), (1...3652).contains(days) else {
                throw UsageError("'--expires' must be a whole number of days from 1 to 3652, or never")
            }
            body.lifetimeSeconds = days * 86_400
        }
        let document = try await client.post("/tokens", body)
        let secret = document["secret"]?.string ?? ""
        let expires = document["token"]?["expires"]?.string ?? "never"
        return Output(
            document: document,
            text: """
                \(secret)

                This is the only time the token is shown. It stands for \(document["token"]?["principal"]?.string ?? "") \
                and expires: \(expires).
                Put it in MODELWORKS_TOKEN, or in a file that only you can read and name it with --token-file.
                """)
    }
}

struct PrincipalCommand: ClientCommand {
    let usage = Usage(
        name: "principal", summary: "List principals; give and take roles",
        positionals: ["[list|grant|revoke|disable|enable]", "[NAME]"],
        options: [
            .init(name: "role", value: "ROLE", help: "viewer, scientist, engineer, operator or admin"),
            .init(
                name: "on", value: "RESOURCE", help: "such as model/arrival-delay or endpoint/* (default: everything)"),
            .init(name: "display", value: "TEXT", help: "what people call it"),
            .init(name: "certificate-subject", value: "DN", help: "subject of its client certificates, as CN=x,O=y"),
        ], example: "modelworks principal grant user:mina --role operator --on endpoint/orders")

    func run(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        let columns = [
            (title: "principal", path: "id"), (title: "name", path: "display"), (title: "disabled", path: "disabled"),
            (title: "roles", path: "roles"), (title: "certificate", path: "certificateSubject"),
        ]
        let word = arguments.positional(0) ?? "list"
        if word == "list" {
            let document = try await client.get("/principals")
            return Output(
                document: document, text: table(withRoles(document), columns, empty: "No principals yet."))
        }
        guard ["grant", "revoke", "disable", "enable"].contains(word) else {
            throw UsageError(
                "'modelworks principal' knows no '\(word)'", remedy: "Use list, grant, revoke, disable or enable.")
        }
        guard let name = arguments.positional(1) else { throw UsageError("'modelworks principal \(word)' needs NAME") }
        struct Body: Encodable {
            var role: String?
            var on: String?
            var display: String?
            var certificateSubject: String?
        }
        guard word != "grant" || arguments.option("role") != nil else {
            throw UsageError("'modelworks principal grant' needs --role ROLE")
        }
        let document = try await client.post(
            "/principals/\(Client.escape(name))/\(word)",
            Body(
                role: arguments.option("role"), on: arguments.option("on"), display: arguments.option("display"),
                certificateSubject: arguments.option("certificate-subject")))
        return Output(document: document, text: table(withRoles(.array([document])), columns, empty: ""))
    }

    /// Each principal with its roles in one cell.
    private func withRoles(_ document: JSONValue) -> JSONValue {
        .array(
            (document.array ?? []).map { item in
                let roles = (item["grants"]?.array ?? []).map { grant in
                    let resource = grant["resource"]?.string ?? ""
                    return (grant["role"]?.string ?? "") + (resource == "*" ? "" : " on \(resource)")
                }
                guard case .object(var members) = item else { return item }
                members["roles"] = .string(roles.joined(separator: ", "))
                return .object(members)
            })
    }
}

extension Arguments {
    /// An option whose value is a list with commas.
    fileprivate func list(_ name: String) -> [String]? {
        option(name).map { $0.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) } }
    }
}
