import Basics
import Foundation
import HTTP
import TestSupport
import Testing
import Works
import Workshop

/// The API's description of itself, against the routes and against the validator that PyPI has for OpenAPI.
@Suite(.serialized) struct OpenAPITests {
    private static func document(_ shop: Workshop) async throws -> JSONValue {
        let answer = try await shop.works.dispatch(.get, "/openapi.json", headers: [:], body: [])
        #expect(answer.status == 200)
        return try JSON.decode(JSONValue.self, from: answer.body)
    }

    @Test func everyRouteIsDescribedOnceAndNothingElse() async throws {
        let shop = try await Workshop()
        let paths = try #require(try await Self.document(shop)["paths"]?.object)
        var described: Set<String> = []
        var identifiers: Set<String> = []
        for (path, methods) in paths {
            for (method, operation) in methods.object ?? [:] {
                described.insert("\(method.uppercased()) \(path)")
                let id = operation["operationId"]?.string ?? ""
                #expect(identifiers.insert(id).inserted, "\(id) is used twice")
                #expect(operation["summary"]?.string?.isEmpty == false)
                let names = (operation["parameters"]?.array ?? []).filter { $0["in"]?.string == "path" }.compactMap {
                    $0["name"]?.string
                }
                for name in names { #expect(path.contains("{\(name)}"), "\(path) has no \(name)") }
                #expect(names.count == path.count { $0 == "{" }, "\(path)")
            }
        }
        let routes = shop.works.router.routes.filter { $0.pattern.hasPrefix("/api/works/") }
        #expect(routes.count > 60)
        for route in routes { #expect(route.documentation != nil, "\(route.pattern) has no description") }
        #expect(described == Set(routes.map { "\($0.method.rawValue) \($0.path)" }))
        await shop.works.close()
    }

    @Test func schemasAreThoseOfTheTypesThatAreDecoded() async throws {
        let shop = try await Workshop()
        let document = try await Self.document(shop)
        let schemas = try #require(document["components"]?["schemas"]?.object)
        func members(_ name: String) -> Set<String> {
            Set(schemas[name]?["properties"]?.object?.keys.map(\.self) ?? [])
        }
        #expect(members("WorksAPI.OnlineBody") == ["service", "features", "entities", "at"])
        #expect(schemas["WorksAPI.OnlineBody"]?["required"] == ["entities"])
        #expect(members("MaterialisationReport") == ["from", "to", "views", "warnings", "seconds", "rowsPerSecond"])
        #expect(
            schemas["MaterialisationReport"]?["properties"]?["views"]?["items"]
                == ["$ref": "#/components/schemas/MaterialisationReport.View"])
        #expect(schemas["MaterialisationReport"]?["properties"]?["to"] == ["type": "string", "format": "date-time"])
        // Every reference leads somewhere.
        func references(_ value: JSONValue) -> [String] {
            switch value {
            case .object(let members):
                (members["$ref"]?.string).map { [$0] } ?? members.values.flatMap(references)
            case .array(let items): items.flatMap(references)
            default: []
            }
        }
        let all = references(document)
        #expect(all.count > 100)
        for reference in all {
            #expect(schemas[String(reference.dropFirst("#/components/schemas/".count))] != nil, "\(reference)")
        }
        await shop.works.close()
    }

    @Test(.enabled(if: Python.peers != nil, "the validator is not set up"))
    func theStockValidatorFindsNothing() async throws {
        let shop = try await Workshop()
        let file = try shop.folder.write(
            JSON.pretty(try await Self.document(shop)), to: "openapi.json")
        let script = """
            import json, sys
            from openapi_spec_validator import OpenAPIV31SpecValidator
            document = json.load(open(sys.argv[1]))
            errors = [f"{list(e.absolute_path)}: {e.message[:200]}" for e in OpenAPIV31SpecValidator(document).iter_errors()]
            print("\\n".join(errors[:10]) or "good")
            """
        #expect(try await Python.run(Python.peers, ["-c", script, file]) == "good\n")
        await shop.works.close()
    }
}

/// Stock Python programs, run off the cooperative pool.
enum Python {
    static let peers = interpreter("MODELWORKS_PEERS", ".deps/peers")
    static let data = interpreter("MODELWORKS_DATA_PEERS", ".deps/data-peers")

    private static func interpreter(_ variable: String, _ usual: String) -> String? {
        let folder = ProcessInfo.processInfo.environment[variable] ?? usual
        let root = folder.hasPrefix("/") ? folder : FileManager.default.currentDirectoryPath + "/" + folder
        return FileManager.default.isExecutableFile(atPath: "\(root)/bin/python") ? "\(root)/bin/python" : nil
    }

    /// What a program prints, its complaints among it.
    static func run(_ interpreter: String?, _ arguments: [String]) async throws -> String {
        try await BlockingThread(name: "python").run {
            let process = Process()
            process.executableURL = URL(filePath: interpreter ?? "")
            process.arguments = arguments
            let output = Pipe()
            process.standardOutput = output
            process.standardError = output
            try process.run()
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            return text
        }
    }
}
