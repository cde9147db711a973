import Basics
import HTTP
import Registry
import Security

extension WorksAPI {
    /// What a version is made of, who moved it, and who agrees to move it.
    func installGovernance(on router: Router) {
        installPapers(on: router)
        installRequests(on: router)
        installArchives(on: router)
    }

    private func installArchives(on router: Router) {
        router.post(
            "\(Self.version)/export", needs: .right(to: .read, on: "model"),
            about: .init("Gives a version as a signed tar file", answer: .bytes("application/x-tar"))
        ) { request in
            let export = try await services.archive.export(try version(request), by: principal(request))
            return .stream(contentType: "application/x-tar") { writer in
                try await export.write { try await writer.write($0) }
            }
        }
        router.route(
            .post, "\(Self.prefix)/models/{model}/import", needs: .right(to: .register, on: "model"),
            about: .init(
                "Registers the version of a signed tar file as the next of the model",
                body: .bytes("application/x-tar"), answer: .json(ModelVersion.self)), takesPieces: true
        ) { request in
            let pieces = request.pieces
            return try .json(
                try await services.archive.register(
                    as: try request.parameter("model"), by: principal(request)
                ) { try await pieces.next() })
        }
    }

    private static var version: String { "\(prefix)/models/{model}/versions/{version:int}" }

    private func installPapers(on router: Router) {
        let papers = VersionPapers(registry: services.registry, objects: services.objects)
        router.get(
            "\(Self.version)/bom", needs: .right(to: .read, on: "model"),
            about: .init("Gives the bill of materials of a version", answer: .json(VersionBill.self))
        ) { request in
            try .json(try await papers.bill(of: try version(request)))
        }
        router.get(
            "\(Self.version)/lineage", needs: .right(to: .read, on: "model"),
            about: .init("Tells where a version comes from", answer: .json(VersionLineage.self))
        ) { request in
            try .json(try await papers.lineage(of: try version(request)))
        }
        router.get(
            "\(Self.version)/diff", needs: .right(to: .read, on: "model"),
            about: .init(
                "Tells what differs between the bills of two versions",
                query: [.required("with", "the other version, as MODEL/VERSION")],
                answer: .json([VersionDifference].self))
        ) { request in
            let other = try ModelVersionID(request.query("with") ?? "")
            try request.caller?.require(.right(to: .read, on: "model"), on: other.model)
            return try .json(try await papers.difference(between: try version(request), and: other))
        }
        router.get(
            "\(Self.version)/history", needs: .right(to: .read, on: "model"),
            about: .init("Tells what was done to a version, oldest first", answer: .json([VersionEvent].self))
        ) { request in
            try .json(try await services.registry.history(of: try version(request)))
        }
        router.get(
            "\(Self.version)/comments", needs: .right(to: .read, on: "model"),
            about: .init("Lists what was said of a version, oldest first", answer: .json([VersionComment].self))
        ) { request in
            try .json(try await services.registry.comments(on: try version(request)))
        }
        router.post(
            "\(Self.version)/comments", needs: .right(to: .experiment, on: "model"),
            about: .init(
                "Says something of a version", body: .json(CommentBody.self), answer: .json(VersionComment.self))
        ) { request in
            try .json(
                try await services.registry.comment(
                    try body(CommentBody.self, request).text, on: try version(request), by: principal(request)))
        }
    }

    private func installRequests(on router: Router) {
        router.get(
            "\(Self.prefix)/requests", needs: .right(to: .read),
            about: .init(
                "Lists the requests to move versions, oldest first",
                query: [
                    .optional("state", "only in this state: open, done, rejected, withdrawn, expired or superseded")
                ],
                answer: .json([TransitionRequest].self))
        ) { request in
            try .json(try await services.registry.requests(in: try state(request)))
        }
        router.get(
            "\(Self.prefix)/models/{model}/requests", needs: .right(to: .read, on: "model"),
            about: .init(
                "Lists the requests to move versions of a model, oldest first",
                query: [
                    .optional("state", "only in this state: open, done, rejected, withdrawn, expired or superseded")
                ],
                answer: .json([TransitionRequest].self))
        ) { request in
            try .json(
                try await services.registry.requests(of: try request.parameter("model"), in: try state(request)))
        }
        router.post(
            "\(Self.version)/requests", needs: .right(to: .register, on: "model"),
            about: .init(
                "Asks others to agree to a move", body: .json(RequestBody.self), answer: .json(TransitionRequest.self))
        ) { request in
            let wanted = try body(RequestBody.self, request)
            return try .json(
                try await services.registry.request(
                    try version(request), to: wanted.stage, reason: wanted.reason,
                    replacing: wanted.replacing ?? false, by: principal(request)))
        }
        router.post(
            "\(Self.prefix)/models/{model}/requests/{number:int}/approve", needs: .right(to: .promote, on: "model"),
            about: .init(
                "Agrees to a request; with the last consent that is needed the version moves",
                body: .json(ReasonBody.self), answer: .json(TransitionRequest.self))
        ) { request in
            try .json(
                try await services.registry.approve(
                    try request.parameter("number", as: Int64.self), of: try request.parameter("model"),
                    comment: try body(ReasonBody.self, request).reason ?? "", by: principal(request)))
        }
        router.post(
            "\(Self.prefix)/models/{model}/requests/{number:int}/reject", needs: .right(to: .register, on: "model"),
            about: .init(
                "Ends a request: who asked takes it back, who may promote rejects it",
                body: .json(ReasonBody.self), answer: .json(TransitionRequest.self))
        ) { request in
            let model = try request.parameter("model")
            let number = try request.parameter("number", as: Int64.self)
            let principal = principal(request)
            let mine = try await services.registry.requests(of: model).contains {
                $0.number == number && $0.requester == principal
            }
            if !mine { try request.caller?.require(.right(to: .promote, on: "model"), on: model) }
            return try .json(
                try await services.registry.reject(
                    number, of: model, reason: try body(ReasonBody.self, request).reason ?? "", by: principal))
        }
    }

    private func state(_ request: HTTPRequest) throws -> TransitionRequest.State? {
        guard let text = request.query("state") else { return nil }
        guard let state = TransitionRequest.State(rawValue: text) else {
            let known = TransitionRequest.State.allCases.map(\.rawValue)
            throw WorksAPIFailure.badParameter("state", "must be one of \(known.joined(separator: ", "))")
        }
        return state
    }
}

private struct CommentBody: Codable {
    var text: String
}

private struct ReasonBody: Codable {
    var reason: String?
}

private struct RequestBody: Codable {
    var stage: Stage
    var reason: String
    var replacing: Bool?
}
