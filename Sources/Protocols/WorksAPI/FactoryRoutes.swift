import Automation
import Basics
import Features
import HTTP
import Security

extension WorksAPI {
    func installFactory(on router: Router) {
        router.get(
            "\(Self.prefix)/status", needs: .right(to: .read),
            about: .init(
                "Tells how the factory stands", answer: .json(StatusDocument.self))
        ) { _ in
            let revision = try await services.factory.current()
            return try .json(
                StatusDocument(
                    now: services.factory.now, revision: revision?.number, digest: revision?.digest,
                    facts: try await services.factory.facts()))
        }
        router.post(
            "\(Self.prefix)/plan", needs: .right(to: .read),
            about: .init(
                "Tells what would change if the files were applied", body: .json(FactoryFiles.self),
                answer: .json(FactoryPlan.self))
        ) { request in
            try .json(try await services.factory.plan(try body(FactoryFiles.self, request)))
        }
        router.post(
            "\(Self.prefix)/features/test", needs: .right(to: .experiment),
            about: .init(
                "Runs the feature tests of files without putting them in force", body: .json(FeatureTestBody.self),
                answer: .json(FeatureTestReport.self))
        ) { request in
            let wanted = try body(FeatureTestBody.self, request)
            return try .json(
                try await services.factory.testFeatures(
                    FactoryFiles(root: wanted.root, files: wanted.files), named: wanted.names))
        }
        router.post(
            "\(Self.prefix)/apply", needs: .right(to: .define),
            about: .init(
                "Makes the files the definitions in force",
                query: [
                    .optional("allow-breaking", "true: also where a model version in use could not go on", Bool.self)
                ], body: .json(FactoryFiles.self), answer: .json(FactoryPlan.self))
        ) { request in
            let files = try body(FactoryFiles.self, request)
            // A job is a command that runs as the server: whoever changes one must be allowed to submit any.
            if let caller = request.caller, try await services.factory.plan(files).changes.contains(where: \.isOfJob) {
                try caller.require(.right(to: .operate))
            }
            let allowBreaking = request.query("allow-breaking") == "true"
            return try .json(
                try await services.factory.apply(files, allowBreaking: allowBreaking, by: principal(request)))
        }
        router.post(
            "\(Self.prefix)/clock", needs: .right(to: .operate),
            about: .init(
                "Moves a replayed clock and does what has become due", body: .json(ClockBody.self),
                answer: .json(ControlLoop.Turn.self))
        ) { request in
            return try .json(try await services.factory.advance(to: try body(ClockBody.self, request).now))
        }
    }
}

private struct StatusDocument: Codable {
    var now: Timestamp
    var revision: Int64?
    var digest: Digest?
    var facts: [String: String]
}

private struct FeatureTestBody: Codable {
    var root: String
    var files: [String: String]
    var names: [String]?
}

private struct ClockBody: Codable { var now: Timestamp }
