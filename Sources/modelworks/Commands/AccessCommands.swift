import Basics
import Foundation

struct TokenCommand: WordedCommand {
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

    private static let table = Listing(
        "/tokens",
        [
            "id": "id", "principal": "principal", "role": "scope.role", "actions": "scope.actions",
            "resources": "scope.resources", "expires": "expires", "revoked": "revoked", "last used": "lastUsed",
            "for": "description",
        ], empty: "No tokens yet.")

    var words: [Word] {
        [
            .list(Self.table, query: [("principal", "principal")]),
            Word("create") { try await create($0, $1) },
            Word("revoke", needs: "ID") { arguments, client in
                let id = arguments.required(1)
                let document = try await client.post("/tokens/\(Client.escape(id))/revoke", [String: String]())
                return Output(
                    document: document, text: "Revoked \(id); every server knows it after 5 seconds at most.")
            },
        ]
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
        if arguments.flag("expires") {
            body.lifetimeSeconds = try arguments.lifetime()
            if body.lifetimeSeconds == nil { body.neverExpires = true }
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

struct PrincipalCommand: WordedCommand {
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

    private static let table = Listing(
        "/principals",
        [
            "principal": "id", "name": "display", "disabled": "disabled", "roles": "roles",
            "certificate": "certificateSubject",
        ], empty: "No principals yet.")

    var words: [Word] {
        [
            Word("list") { _, client in
                let document = try await client.get(Self.table.path)
                return Output(document: document, text: Self.table.text(withRoles(document)))
            }
        ]
            + ["grant", "revoke", "disable", "enable"].map { word in
                Word(word, needs: "NAME") { try await change(word, $0, $1) }
            }
    }

    private func change(_ word: String, _ arguments: Arguments, _ client: Client) async throws -> Output {
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
            "/principals/\(Client.escape(arguments.required(1)))/\(word)",
            Body(
                role: arguments.option("role"), on: arguments.option("on"), display: arguments.option("display"),
                certificateSubject: arguments.option("certificate-subject")))
        return Output(document: document, text: Self.table.text(withRoles(.array([document]))))
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
    /// What `--expires` says, in seconds; nil for what never expires.
    func lifetime(defaultDays: Int64 = 90) throws -> Int64? {
        guard let text = option("expires") else { return defaultDays * 86_400 }
        if text == "never" { return nil }
        guard let days = Int64(text), (1...3652).contains(days) else {
            throw UsageError("'--expires' must be a whole number of days from 1 to 3652, or never")
        }
        return days * 86_400
    }
}
