import Basics
import HTTP
import Security

/// The description of Modelworks' own API in OpenAPI 3.1, made from the routes as they were registered.
struct OpenAPI {
    static let path = "/openapi.json"

    /// - Parameter routes: all there are; those below the API's prefix are described.
    static func document(_ routes: [RouteDescription], version: String) -> JSONValue {
        var schemas = JSONSchemas()
        var paths: [String: [String: JSONValue]] = [:]
        let problem = schemas.schema(of: Problem.self)
        for route in routes where route.pattern.hasPrefix(WorksAPI.prefix) {
            guard let about = route.documentation else { continue }
            paths[route.path, default: [:]][route.method.rawValue.lowercased()] = operation(
                route, about, problem, &schemas)
        }
        return [
            "openapi": "3.1.1",
            "info": [
                "title": "Modelworks", "version": .string(version),
                "summary": "An AI factory: data, features, training, serving and monitoring",
                "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
            ],
            "servers": [["url": "/"]],
            // None, where the server runs without authentication.
            "security": [["token": []], ["basic": []], [:]],
            "paths": .object(paths.mapValues { .object($0) }),
            "components": [
                "schemas": .object(schemas.components),
                "securitySchemes": [
                    "token": ["type": "http", "scheme": "bearer", "description": "A token of 'modelworks access'"],
                    "basic": ["type": "http", "scheme": "basic", "description": "A token as the password"],
                ],
            ],
        ]
    }

    /// What every error says.
    private struct Problem: Decodable {
        /// What happened and what to do about it.
        var error: String
        var code: FailureCode
    }

    private static func operation(
        _ route: RouteDescription, _ about: RouteDocumentation, _ problem: JSONValue, _ schemas: inout JSONSchemas
    ) -> JSONValue {
        var parameters: [JSONValue] = route.parameters.map { name, isInteger in
            [
                "name": .string(name), "in": "path", "required": true,
                "schema": ["type": isInteger ? "integer" : "string"],
            ]
        }
        for parameter in about.query {
            parameters.append([
                "name": .string(parameter.name), "in": "query", "required": .bool(parameter.isRequired),
                "description": .string(parameter.summary), "schema": schemas.schema(of: parameter.type),
            ])
        }
        var operation: [String: JSONValue] = [
            "operationId": .string(identifier(route)), "summary": .string(about.summary),
            "tags": [.string(tag(route))],
            "responses": [
                "\(about.status)": ["description": "As asked for", "content": content(about.answer, &schemas)],
                "default": [
                    "description": "What went wrong, and what to do about it",
                    "content": ["application/json": ["schema": problem]],
                ],
            ],
        ]
        if let action = route.need?.action {
            let place = route.need?.kind.map { " on the \($0)" } ?? ""
            operation["description"] = .string("Needs the right '\(action)'\(place).")
        }
        if !parameters.isEmpty { operation["parameters"] = .array(parameters) }
        if let body = about.body { operation["requestBody"] = ["content": content(body, &schemas)] }
        return .object(operation)
    }

    private static func content(_ content: RouteDocumentation.Content, _ schemas: inout JSONSchemas) -> JSONValue {
        var forms: [String: JSONValue] = [:]
        for (type, schema) in content.forms {
            forms[type] = schema.map { ["schema": schemas.schema(of: $0)] } ?? .object([:])
        }
        return .object(forms)
    }

    /// The first word of the path below the prefix.
    private static func tag(_ route: RouteDescription) -> String {
        let words = route.path.dropFirst(WorksAPI.prefix.count).split(separator: "/")
        return words.first.map(String.init) ?? "factory"
    }

    /// Unique and fit for a name in programs: `postFeaturesOnline`, `getDataByTable`.
    private static func identifier(_ route: RouteDescription) -> String {
        let words = route.path.dropFirst(WorksAPI.prefix.count).split { $0 == "/" || $0 == "-" }.map { word in
            word.hasPrefix("{") ? "By" + capitalised(word.dropFirst().dropLast()) : capitalised(word)
        }
        return route.method.rawValue.lowercased() + words.joined()
    }

    private static func capitalised(_ word: Substring) -> String { word.prefix(1).uppercased() + word.dropFirst() }
}

extension WorksAPI {
    /// The API's own description.
    func installOpenAPI(on router: Router) {
        router.get(OpenAPI.path, needs: .right(to: .read)) { [weak router] _ in
            try .json(OpenAPI.document(router?.routes ?? [], version: version))
        }
    }
}
