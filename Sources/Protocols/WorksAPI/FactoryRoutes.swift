import Automation
import Basics
import HTTP
import Security

extension WorksAPI {
    func installFactory(on router: Router) {
        router.get("\(Self.prefix)/status", needs: .right(to: .read)) { _ in
            struct Status: Encodable {
                var now: Timestamp
                var revision: Int64?
                var digest: Digest?
                var facts: [String: String]
            }
            let revision = try await services.factory.current()
            return try .json(
                Status(
                    now: services.factory.now, revision: revision?.number, digest: revision?.digest,
                    facts: try await services.factory.facts()))
        }
        router.post("\(Self.prefix)/plan", needs: .right(to: .read)) { request in
            try .json(try await services.factory.plan(try body(FactoryFiles.self, request)))
        }
        router.post("\(Self.prefix)/features/test", needs: .right(to: .experiment)) { request in
            struct Body: Decodable {
                var root: String
                var files: [String: String]
                var names: [String]?
            }
            let wanted = try body(Body.self, request)
            return try .json(
                try await services.factory.testFeatures(
                    FactoryFiles(root: wanted.root, files: wanted.files), named: wanted.names))
        }
        router.post("\(Self.prefix)/apply", needs: .right(to: .define)) { request in
            let files = try body(FactoryFiles.self, request)
            // A job is a command that runs as the server: whoever changes one must be allowed to submit any.
            if let caller = request.caller, try await services.factory.plan(files).changes.contains(where: \.isOfJob) {
                try caller.require(.right(to: .operate))
            }
            let allowBreaking = request.query("allow-breaking") == "true"
            return try .json(
                try await services.factory.apply(files, allowBreaking: allowBreaking, by: principal(request)))
        }
        router.post("\(Self.prefix)/clock", needs: .right(to: .operate)) { request in
            struct Body: Decodable { var now: Timestamp }
            return try .json(try await services.factory.advance(to: try body(Body.self, request).now))
        }
    }
}
