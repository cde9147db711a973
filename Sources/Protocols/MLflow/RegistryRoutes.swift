import Basics
import Documents
import Experiments
import HTTP
import Registry
import Security

extension MLflow {
    func installModels(on router: Router) {
        let path = "/registered-models"
        call(.post, "\(path)/create", needs: .register, on: router) { fields, request in
            Self.answer(
                try await registry.createModel(
                    named: try fields.text("name"), description: try fields.optionalText("description") ?? "",
                    tags: try fields.pairs("tags"), by: Self.principal(request)))
        }
        call(.get, "\(path)/get", needs: .read, on: router) { fields, _ in
            Self.answer(try await registry.model(try fields.text("name")))
        }
        call(.patch, "\(path)/update", needs: .register, on: router) { fields, _ in
            Self.answer(
                try await registry.describeModel(
                    try fields.text("name"), as: try fields.optionalText("description") ?? ""))
        }
        call(.post, "\(path)/rename", needs: .register, on: router) { fields, request in
            Self.answer(
                try await registry.renameModel(
                    try fields.text("name"), to: try fields.text("new_name"), by: Self.principal(request)))
        }
        call(.delete, "\(path)/delete", needs: .register, on: router) { fields, request in
            try await registry.deleteModel(try fields.text("name"), by: Self.principal(request))
            return .empty
        }
        call(.get, "\(path)/search", needs: .read, on: router) { fields, _ in
            let page = try await registry.searchModels(
                try SearchFilter(try fields.optionalText("filter") ?? "", .registeredModels),
                order: try SearchOrder.keys(try fields.texts("order_by"), .registeredModels),
                limit: try fields.limit(standard: 100, most: 1000), offset: try PageToken.offset(fields))
            return Answer { writer in
                writer.objects("registered_models", page.items) { $0.members(of: $1) }
                if let next = page.next { writer.member("next_page_token", PageToken.text(next)) }
            }
        }
        for method in [HTTPMethod.get, .post] {
            call(method, "\(path)/get-latest-versions", needs: .read, on: router) { fields, _ in
                let stages = try fields.texts("stages").map(Self.stage)
                let latest = try await registry.model(try fields.text("name")).latest
                let asked = stages.isEmpty ? latest : stages.flatMap { stage in latest.filter { $0.stage == stage } }
                return Answer { $0.objects("model_versions", asked) { $0.members(of: $1) } }
            }
        }
        call(.post, "\(path)/set-tag", needs: .register, on: router) { fields, _ in
            let tag = Pair(key: try fields.text("key"), value: try fields.optionalText("value") ?? "")
            try await registry.setTag(tag, of: try fields.text("name"))
            return .empty
        }
        call(.delete, "\(path)/delete-tag", needs: .register, on: router) { fields, _ in
            try await registry.deleteTag(try fields.text("key"), of: try fields.text("name"))
            return .empty
        }
        call(.post, "\(path)/alias", needs: .promote, on: router) { fields, request in
            try await registry.setAlias(
                try fields.text("alias"), to: try Self.versionID(fields), by: Self.principal(request))
            return .empty
        }
        call(.delete, "\(path)/alias", needs: .promote, on: router) { fields, request in
            try await registry.deleteAlias(
                try fields.text("alias"), of: try fields.text("name"), by: Self.principal(request))
            return .empty
        }
        call(.get, "\(path)/alias", needs: .read, on: router) { fields, _ in
            Self.answer(try await registry.version(of: try fields.text("name"), alias: try fields.text("alias")))
        }
    }

    func installVersions(on router: Router) {
        let path = "/model-versions"
        let intake = VersionIntake(registry: registry, experiments: experiments)
        call(.post, "\(path)/create", needs: .register, on: router) { fields, request in
            func given(_ name: String) throws -> String? {
                try fields.optionalText(name).flatMap { $0.isEmpty ? nil : $0 }
            }
            let draft = VersionDraft(
                model: try fields.text("name"), source: try fields.text("source"), run: try given("run_id"),
                runLink: try given("run_link") ?? "", loggedModel: try given("model_id"),
                description: try given("description") ?? "", tags: try fields.pairs("tags"))
            return Self.answer(try await intake.register(draft, by: Self.principal(request)))
        }
        call(.get, "\(path)/get", needs: .read, on: router) { fields, _ in
            Self.answer(try await registry.registered(try Self.versionID(fields)))
        }
        call(.patch, "\(path)/update", needs: .register, on: router) { fields, _ in
            Self.answer(
                try await registry.describe(
                    try Self.versionID(fields), as: try fields.optionalText("description") ?? ""))
        }
        call(.post, "\(path)/transition-stage", needs: .promote, on: router) { fields, request in
            let id = try Self.versionID(fields)
            let stage = try Self.stage(try fields.text("stage"))
            let replacing = try fields.flag("archive_existing_versions")
            guard !replacing || stage == .staging || stage == .production else {
                throw MLflowFailure.invalid(
                    "Model version transition cannot archive existing model versions because '\(stage.rawValue)' is not "
                        + "an Active stage. Valid stages are Staging, Production")
            }
            try await registry.move(
                id, to: stage, reason: "asked for", replacing: replacing, by: Self.principal(request))
            return Self.answer(try await registry.registered(id))
        }
        call(.delete, "\(path)/delete", needs: .register, on: router) { fields, request in
            try await registry.deleteVersion(try Self.versionID(fields), by: Self.principal(request))
            return .empty
        }
        call(.get, "\(path)/search", needs: .read, on: router) { fields, _ in try await searchVersions(fields) }
        call(.get, "\(path)/get-download-uri", needs: .read, on: router) { fields, _ in
            let version = try await registry.registered(try Self.versionID(fields))
            return Answer { $0.member("artifact_uri", version.location) }
        }
        call(.post, "\(path)/set-tag", needs: .register, on: router) { fields, _ in
            let tag = Pair(key: try fields.text("key"), value: try fields.optionalText("value") ?? "")
            try await registry.setTag(tag, of: try Self.versionID(fields))
            return .empty
        }
        call(.delete, "\(path)/delete-tag", needs: .register, on: router) { fields, _ in
            try await registry.deleteTag(try fields.text("key"), of: try Self.versionID(fields))
            return .empty
        }
    }

    /// A page of the versions that match.
    func searchVersions(_ fields: Fields) async throws -> Answer {
        let page = try await registry.searchVersions(
            try SearchFilter(try fields.optionalText("filter") ?? "", .modelVersions),
            order: try SearchOrder.keys(try fields.texts("order_by"), .modelVersions),
            limit: try fields.limit(standard: 10_000, most: 200_000), offset: try PageToken.offset(fields))
        return Answer { writer in
            writer.objects("model_versions", page.items) { $0.members(of: $1) }
            if let next = page.next { writer.member("next_page_token", PageToken.text(next)) }
        }
    }

    static func versionID(_ fields: Fields) throws -> ModelVersionID {
        let name = try fields.text("name")
        let text = try fields.text("version")
        guard let number = Int64(text) else {
            throw MLflowFailure.invalid("Parameter 'version' must be an integer, got '\(text)'.")
        }
        return ModelVersionID(model: name, version: number)
    }

    private static func stage(_ text: String) throws -> Stage {
        guard let stage = Stage.allCases.first(where: { $0.rawValue.lowercased() == text.lowercased() }) else {
            throw MLflowFailure.invalid(
                "Invalid Model Version stage: \(text). Value must be one of None, Staging, Production, Archived.")
        }
        return stage
    }

    private static func answer(_ model: RegisteredModel) -> Answer {
        Answer { $0.object("registered_model") { $0.members(of: model) } }
    }

    private static func answer(_ version: RegisteredVersion) -> Answer {
        Answer { $0.object("model_version") { $0.members(of: version) } }
    }
}

extension JSONWriter {
    fileprivate mutating func members(of model: RegisteredModel) {
        member("name", model.name)
        member("creation_timestamp", model.created.milliseconds)
        member("last_updated_timestamp", model.updated.milliseconds)
        if !model.description.isEmpty { member("description", model.description) }
        objects("latest_versions", model.latest) { $0.members(of: $1) }
        pairs("tags", model.tags)
        objects("aliases", model.aliases) {
            $0.member("alias", $1.name)
            $0.member("version", String($1.version))
        }
    }

    fileprivate mutating func members(of version: RegisteredVersion) {
        member("name", version.id.model)
        member("version", String(version.id.version))
        member("creation_timestamp", version.created.milliseconds)
        member("last_updated_timestamp", version.updated.milliseconds)
        member("current_stage", version.stage.rawValue)
        member("description", version.description)
        member("source", version.source)
        member("run_id", version.run)
        member("run_link", version.runLink)
        member("status", "READY")
        if let model = version.loggedModel { member("model_id", model) }
        pairs("tags", version.tags)
        if !version.aliases.isEmpty {
            array("aliases") { writer in for alias in version.aliases { writer.element(alias) } }
        }
    }
}
