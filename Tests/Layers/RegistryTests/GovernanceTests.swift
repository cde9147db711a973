import Basics
import Engines
import Experiments
import Journal
import SQL
import TestSupport
import Testing

@testable import Registry

/// What keeps a version from moving: facts that are not known, people who have not agreed.
@Suite(.serialized) struct GovernanceTests {
    @Test func whatARunToldIsInTheBill() async throws {
        let desk = try await RegistryDesk()
        let run = try await desk.run(
            metrics: ["auc": 0.9, "auc/carrier:UA": 0.8, "f1/carrier:UA": 0.7],
            tags: ["mlflow.source.git.commit": "0a1b2c", "mlflow.source.git.diff": "-a\n+b\n"])
        let id = try await desk.version("m", of: run)
        let bill = try await VersionPapers(registry: desk.registry, objects: desk.objects).bill(of: id)
        let materials = try #require(bill.materials)
        #expect(materials.code == "0a1b2c" && materials.diff == Digest(of: "-a\n+b\n"))
        #expect(materials.parameters == ["lr": "0.1"])
        #expect(
            materials.inputs == [
                BillOfMaterials.Input(
                    name: "orders", digest: "8f3a", source: "/data/orders.csv", context: "training")
            ])
        #expect(
            materials.environment == ["requirements.txt": Digest(of: "scikit-learn==1.7\n").description])
        #expect(materials.sample == Digest(of: "{}"))
        #expect(materials.signature != nil)
        #expect(bill.files["model.pkl"] == Digest(of: "weights of \(run.id)"))
        #expect(bill.segments == ["carrier:UA": ["auc": 0.8, "f1": 0.7]])
        let lineage = try await VersionPapers(registry: desk.registry, objects: desk.objects).lineage(of: id)
        #expect(lineage.missing.isEmpty && lineage.data.map(\.name) == ["orders"])
        await desk.database.close()
    }

    /// Whatever is not told, exactly that is missing, and Production is refused for it and for nothing else.
    @Test func everyFactIsAskedForByItself() async throws {
        let desk = try await RegistryDesk()
        desk.registry.use(.standard)
        for mask in 0..<32 {
            func has(_ bit: Int) -> Bool { mask & 1 << bit != 0 }
            let run = try await desk.run(
                parameters: has(0) ? ["lr": "0.1"] : [:], metrics: has(1) ? ["auc": 1] : [:],
                tags: has(2) ? ["mlflow.source.git.commit": "0a"] : [:], data: has(3))
            let id = try await desk.version("m", of: run, requirements: has(4))
            let facts: [RequiredFact] = [.parameters, .metrics, .code, .data, .environment]
            let missing = Set(facts.enumerated().filter { !has($0.offset) }.map(\.element))
            try await desk.registry.move(id, to: .staging, reason: "", by: "user:test")
            do {
                try await desk.registry.move(id, to: .production, reason: "", by: "user:test")
                #expect(missing.isEmpty, "\(missing)")
            } catch RegistryFailure.incomplete(_, let found) {
                #expect(Set(found) == missing && found.count == missing.count)
                let failure = RegistryFailure.incomplete(id, missing: found)
                for fact in found {
                    #expect(failure.message.contains(fact.name))
                    #expect(failure.remedy?.contains(fact.remedy) == true)
                }
            }
        }
        await desk.database.close()
    }

    @Test(arguments: SQLEngine.allCases)
    func aMoveNeedsAsManyOthersAsThePolicySays(_ engine: SQLEngine) async throws {
        let desk = try await RegistryDesk(engine)
        let registry = desk.registry
        registry.use(RegistryPolicy(required: [.run], approvals: [.production: 2]))
        let id = try await desk.version()
        try await registry.move(id, to: .staging, reason: "free", by: "user:ann")
        // Neither alone nor with a reason.
        for override in [nil, "urgent"] {
            await #expect(throws: RegistryFailure.self) {
                try await registry.move(id, to: .production, reason: "", override: override, by: "user:ann")
            }
        }
        let request = try await registry.request(id, to: .production, reason: "better", by: "user:ann")
        #expect(request.needed == 2 && request.state == .open)
        func refused(_ who: String, _ check: @escaping (RegistryFailure) -> Bool) async {
            do {
                _ = try await registry.approve(request.number, of: "m", by: who)
                Issue.record("\(who) was let in")
            } catch let error as RegistryFailure {
                #expect(check(error), "\(error)")
            } catch {
                Issue.record("\(error)")
            }
        }
        await refused("user:ann") { if case .ownRequest = $0 { true } else { false } }
        #expect(try await registry.approve(request.number, of: "m", by: "user:bob").state == .open)
        await refused("user:bob") { if case .approvedBefore = $0 { true } else { false } }
        #expect(try await desk.stage(id) == .staging)
        await #expect(throws: RegistryFailure.self) {
            try await registry.request(id, to: .production, reason: "again", by: "user:ann")
        }
        #expect(try await registry.approve(request.number, of: "m", comment: "fine", by: "user:cat").state == .done)
        #expect(try await desk.stage(id) == .production)
        await refused("user:dan") { if case .requestClosed = $0 { true } else { false } }
        let history = try await registry.history(of: id).map(\.type)
        #expect(
            history == [
                "model.registered", "model.stage", "model.requested", "model.approved", "model.approved", "model.stage",
            ])
        await desk.database.close()
    }

    @Test func anApprovalIsForWhatTheVersionWas() async throws {
        let desk = try await RegistryDesk()
        let registry = desk.registry
        registry.use(RegistryPolicy(required: [], approvals: [.production: 1]))
        for change in ["bundle = '\(Digest(of: "other"))'", "metrics = '{\"auc\":0.99}'", "materials = NULL"] {
            let id = try await desk.version()
            let request = try await registry.request(id, to: .production, reason: "", by: "user:ann")
            try await desk.database.write {
                _ = try $0.execute(
                    "UPDATE model_versions SET \(change) WHERE model = 'm' AND version = ?", [.integer(id.version)])
            }
            do {
                _ = try await registry.approve(request.number, of: "m", by: "user:bob")
                Issue.record("approved after \(change)")
            } catch RegistryFailure.versionChanged(_) {}
            #expect(try await desk.stage(id) == .none)
        }
        await desk.database.close()
    }

    /// A consent that comes late moves nothing back.
    @Test(arguments: SQLEngine.allCases)
    func aRequestEndsWhenItsVersionMoves(_ engine: SQLEngine) async throws {
        let desk = try await RegistryDesk(engine)
        let registry = desk.registry
        registry.use(RegistryPolicy(required: [], approvals: [.staging: 1, .archived: 1]))
        let (one, two) = (try await desk.version(), try await desk.version())
        let late = try await registry.request(one, to: .staging, reason: "", by: "user:ann")
        let other = try await registry.request(two, to: .staging, reason: "", by: "user:ann")
        try await registry.move(one, to: .production, reason: "", by: "user:bob")
        func state(_ request: TransitionRequest) async throws -> TransitionRequest? {
            try await registry.requests(of: "m").first { $0.number == request.number }
        }
        let ended = try #require(try await state(late))
        #expect(ended.state == .superseded && ended.closedBy == "user:bob" && ended.closed == desk.time.now)
        #expect(ended.closeReason == "it went from None to Production")
        let entry = try #require(try await registry.history(of: one).last)
        #expect(entry.type == "model.superseded" && entry.body["request"] == .integer(late.number))
        do {
            _ = try await registry.approve(late.number, of: "m", by: "user:carol")
            Issue.record("agreed to what is over")
        } catch RegistryFailure.requestClosed(let found) { #expect(found.number == late.number) }
        #expect(try await desk.stage(one) == .production)
        // Of another version nothing ended, and what is carried out is done.
        #expect(try await state(other)?.state == .open)
        let archive = try await registry.request(one, to: .archived, reason: "", by: "user:ann")
        #expect(try await registry.approve(other.number, of: "m", by: "user:bob").state == .done)
        // Whoever is replaced has moved too.
        try await registry.move(two, to: .production, reason: "", by: "user:bob")
        #expect(try await state(archive)?.state == .superseded)
        #expect(try await desk.stage(one) == .archived)
        await desk.database.close()
    }

    @Test func requestsOfBeforeAreEndedByAMigration() async throws {
        let folder = try TemporaryFolder()
        let database = try await SQLEngine.sqlite.database(in: folder)
        let all = Journal.migrations + ExperimentStore.migrations + ModelRegistry.migrations
        try await database.migrate(all.filter { $0.room != "registry" || $0.version < 6 })
        try await database.write { transaction in
            try transaction.execute("INSERT INTO models (name, created, last_version) VALUES ('m', 1, 2)")
            for (version, staged) in [(1, 5), (2, 20)] {
                _ = try transaction.execute(
                    """
                    INSERT INTO model_versions (model, version, stage, bundle, metrics, description, created, staged)
                    VALUES ('m', ?, 'Production\(version)', 'x', '{}', '', 1, ?)
                    """, [.integer(Int64(version)), .integer(Int64(staged))])
                _ = try transaction.execute(
                    """
                    INSERT INTO model_requests (model, number, version, stage, replacing, digest, requester, reason,
                      created, expires, state) VALUES ('m', ?, ?, 'Staging', 0, 'x', 'user:ann', '', 10, 99, 'open')
                    """, [.integer(Int64(version)), .integer(Int64(version))])
            }
        }
        try await database.migrate(all)
        let states = try await database.read { transaction in
            try transaction.query("SELECT state, closed FROM model_requests ORDER BY number").map {
                "\(try $0.string("state")) \(try $0.optionalInteger("closed") ?? 0)"
            }
        }
        #expect(states == ["open 0", "superseded 20"])
        await database.close()
    }

    @Test func aRequestEndsWithItsTimeOrByAWord() async throws {
        let desk = try await RegistryDesk()
        let registry = desk.registry
        registry.use(RegistryPolicy(required: [], approvals: [.production: 1], requestSeconds: 60))
        let id = try await desk.version()
        let late = try await registry.request(id, to: .production, reason: "", by: "user:ann")
        desk.time.advance(to: late.expires)
        await #expect(throws: RegistryFailure.self) { try await registry.approve(late.number, of: "m", by: "user:bob") }
        #expect(try await registry.requests(of: "m").map(\.state) == [.expired])
        let back = try await registry.request(id, to: .production, reason: "", by: "user:ann")
        #expect(try await registry.reject(back.number, of: "m", reason: "no", by: "user:ann").state == .withdrawn)
        let bad = try await registry.request(id, to: .production, reason: "", by: "user:ann")
        #expect(try await registry.reject(bad.number, of: "m", reason: "no", by: "user:bob").state == .rejected)
        #expect(try await registry.requests(of: "m").map(\.number) == [1, 2, 3])
        #expect(try await desk.stage(id) == .none)
        // What runs by itself asks once, and takes no for an answer.
        let other = try await desk.version()
        guard
            case .waiting(let asked) = try await registry.moveOrAsk(
                other, to: .production, reason: "", by: "system:rollout")
        else {
            Issue.record("moved alone")
            return
        }
        #expect(
            try await registry.moveOrAsk(other, to: .production, reason: "", by: "system:rollout") == .waiting(asked))
        let no = try await registry.reject(asked.number, of: "m", reason: "no", by: "user:bob")
        #expect(
            try await registry.moveOrAsk(other, to: .production, reason: "", by: "system:rollout") == .refused(no))
        await desk.database.close()
    }

    @Test func whoSetsItGoingIsNotAmongThoseWhoAgree() async throws {
        let desk = try await RegistryDesk()
        let registry = desk.registry
        registry.use(RegistryPolicy(required: [], approvals: [.production: 1]))
        func ask(_ id: ModelVersionID, _ reason: String = "better") async throws -> MoveOutcome {
            try await registry.moveOrAsk(
                id, to: .production, reason: reason, by: "system:rollout", for: "user:ann")
        }
        let id = try await desk.version()
        guard case .waiting(let asked) = try await ask(id) else {
            Issue.record("moved alone")
            return
        }
        #expect(asked.requester == "user:ann")
        await #expect(throws: RegistryFailure.self) {
            try await registry.approve(asked.number, of: "m", by: "user:ann")
        }
        #expect(try await registry.approve(asked.number, of: "m", by: "user:bob").state == .done)
        #expect(try await ask(id) == .moved)
        // Taking the request back ends what it was made for, and nothing else.
        let other = try await desk.version()
        guard case .waiting(let second) = try await ask(other) else {
            Issue.record("moved alone")
            return
        }
        let back = try await registry.reject(second.number, of: "m", reason: "no", by: "user:ann")
        #expect(try await ask(other) == .refused(back))
        guard case .waiting = try await ask(other, "another rollout") else {
            Issue.record("a request of before stands in the way")
            return
        }
        await desk.database.close()
    }

    @Test(arguments: SQLEngine.allCases)
    func ofApprovalsAtOnceOneMovesTheVersion(_ engine: SQLEngine) async throws {
        let desk = try await RegistryDesk(engine)
        let registry = desk.registry
        registry.use(RegistryPolicy(required: [], approvals: [.production: 3]))
        let id = try await desk.version()
        let request = try await registry.request(id, to: .production, reason: "", by: "user:ann")
        let good = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<8 {
                group.addTask {
                    (try? await registry.approve(request.number, of: "m", by: "user:p\(index)")) != nil
                }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(good == 3)
        #expect(try await registry.history(of: id).count { $0.type == "model.stage" } == 1)
        await desk.database.close()
    }

    @Test func theOneBeforeIsKeptAsLongAsItMayBeNeeded() async throws {
        let desk = try await RegistryDesk()
        let registry = desk.registry
        let (one, two, three) = (
            try await desk.version(), try await desk.version(), try await desk.version()
        )
        for id in [one, two] {
            desk.time.advance(to: desk.time.now.advanced(bySeconds: 1))
            try await registry.move(id, to: .production, reason: "", by: "user:ann")
        }
        #expect(try await registry.previousProduction(of: "m")?.id == one)
        do {
            try await registry.deleteVersion(one, by: "user:ann")
            Issue.record("deleted")
        } catch RegistryFailure.retained(one, behind: two) {}
        try await registry.deleteVersion(three, by: "user:ann")
        // Put back, it is the other's turn to be kept.
        desk.time.advance(to: desk.time.now.advanced(bySeconds: 1))
        try await registry.move(one, to: .production, reason: "the new one is worse", by: "user:ann")
        #expect(try await registry.previousProduction(of: "m")?.id == two)
        await #expect(throws: RegistryFailure.self) { try await registry.deleteVersion(two, by: "user:ann") }
        // Where nothing is in Production there is nothing to fall back from.
        try await registry.move(one, to: .archived, reason: "", by: "user:ann")
        try await registry.deleteVersion(two, by: "user:ann")
        await desk.database.close()
    }

    @Test func whatAVersionIsMadeOfStaysAsItIs() async throws {
        let desk = try await RegistryDesk()
        let run = try await desk.run()
        let id = try await desk.version("m", of: run)
        let root = try #require(try ArtifactPath(location: run.location))
        func refused(_ what: String, _ change: () async throws -> Void) async {
            do {
                try await change()
                Issue.record("\(what) was let through")
            } catch ExperimentsFailure.artifactPinned(_, let holder) {
                #expect(holder == "model/\(id)")
            } catch {
                Issue.record("\(what): \(error)")
            }
        }
        await refused("a change") {
            try await desk.experiments.attach(Array("x".utf8), as: "model/model.pkl", to: run.id)
        }
        await refused("an addition") {
            try await desk.experiments.attach(Array("x".utf8), as: "model/sub/more.pkl", to: run.id)
        }
        await refused("removing a file") {
            try await desk.experiments.deleteArtifacts(at: root.appending("model/model.pkl"))
        }
        await refused("removing all") { try await desk.experiments.deleteArtifacts(at: root) }
        // The same bytes again change nothing, and what lies beside it is free.
        try await desk.experiments.attach(Array("{}".utf8), as: "model/input_example.json", to: run.id)
        try await desk.experiments.attach(Array("x".utf8), as: "plots/roc.txt", to: run.id)
        _ = try await desk.registry.renameModel("m", to: "n", by: "user:ann")
        let renamed = ModelVersionID(model: "n", version: id.version)
        let history = try await desk.registry.history(of: renamed)
        #expect(history.map(\.type) == ["model.registered"])
        try await desk.registry.deleteVersion(renamed, by: "user:ann")
        try await desk.experiments.deleteArtifacts(at: root)
        await desk.database.close()
    }

    @Test func nothingComesIntoAnEmptyFolderAfterwards() async throws {
        let desk = try await RegistryDesk()
        let run = try await desk.run()
        _ = try await desk.registry.createModel(named: "m", description: "", tags: [], by: "user:test")
        let id = try await desk.register("m", from: "model", of: run)
        do {
            try await desk.experiments.attach(Array("x".utf8), as: "model/model.pkl", to: run.id)
            Issue.record("added")
        } catch ExperimentsFailure.artifactPinned(_, let holder) {
            #expect(holder == "model/\(id)")
        }
        try await desk.experiments.attach(Array("x".utf8), as: "files/a", to: run.id)
        try await desk.registry.deleteVersion(id, by: "user:test")
        try await desk.experiments.attach(Array("x".utf8), as: "model/model.pkl", to: run.id)
        await desk.database.close()
    }

    @Test func aDescriptionThatIsTooLongSaysNothing() async throws {
        let desk = try await RegistryDesk()
        let run = try await desk.run()
        _ = try await desk.registry.createModel(named: "m", description: "", tags: [], by: "user:test")
        let text = Array("signature: {inputs: x}\n".utf8)
        let padding = [UInt8](repeating: UInt8(ascii: "\n"), count: 4_194_305 - text.count)
        for (folder, bytes, isRead) in [("short", text, true), ("long", text + padding, false)] {
            try await desk.experiments.attach(bytes, as: "\(folder)/MLmodel", to: run.id)
            let id = try await desk.register("m", from: folder, of: run)
            let bill = try await VersionPapers(registry: desk.registry, objects: desk.objects).bill(of: id)
            #expect((bill.materials?.signature != nil) == isRead, "\(folder)")
        }
        await desk.database.close()
    }

    @Test func whatIsSaidOfAVersionIsKept() async throws {
        let desk = try await RegistryDesk()
        let id = try await desk.version()
        for text in ["looks odd", "fixed"] { _ = try await desk.registry.comment(text, on: id, by: "user:ann") }
        #expect(try await desk.registry.comments(on: id).map(\.text) == ["looks odd", "fixed"])
        for text in [" ", String(repeating: "x", count: 10_001)] {
            await #expect(throws: RegistryFailure.self) {
                try await desk.registry.comment(text, on: id, by: "user:ann")
            }
        }
        await desk.database.close()
    }
}
