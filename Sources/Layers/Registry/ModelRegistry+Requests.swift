import Basics
import Journal
import SQL

extension ModelRegistry {
    /// Asks others to agree to a move, and journals it. What is asked for is the version as it is now.
    /// - Throws: ``RegistryFailure/forbiddenTransition(_:from:to:)``, ``RegistryFailure/incomplete(_:missing:)``,
    ///   ``RegistryFailure/requestOpen(_:)`` where the same was asked for already, ``RegistryFailure/unknownVersion(_:)``.
    public func request(
        _ id: ModelVersionID, to stage: Stage, reason: String, replacing: Bool = false, by principal: String
    ) async throws -> TransitionRequest {
        let (now, policy) = (time.now, policy)
        return try await database.write { transaction in
            try Self.lock(id.model, in: transaction)
            return try Self.ask(
                for: id, StageMove(stage: stage, reason: reason, replacing: replacing, principal: principal),
                under: policy, at: now, in: transaction)
        }
    }

    /// Agrees to a request, and journals it; with the last consent that is needed the version moves, all in one transaction.
    /// - Throws: ``RegistryFailure/ownRequest(_:)`` for who asked, ``RegistryFailure/approvedBefore(_:by:)``,
    ///   ``RegistryFailure/requestClosed(_:)``, ``RegistryFailure/versionChanged(_:)`` where the version is not what it was
    ///   when it was asked for, or what keeps the version from moving.
    public func approve(
        _ number: Int64, of model: String, comment: String = "", by principal: String
    ) async throws -> TransitionRequest {
        let (now, policy) = (time.now, policy)
        return try await database.write { transaction in
            try Self.lock(model, in: transaction)
            let request = try Self.openRequest(number, of: model, under: policy, at: now, in: transaction)
            guard request.requester != principal else { throw RegistryFailure.ownRequest(request) }
            guard !request.approvals.contains(where: { $0.principal == principal }) else {
                throw RegistryFailure.approvedBefore(request, by: principal)
            }
            let version = try Self.version(request.version, in: transaction)
            guard try version.digest() == request.digest else { throw RegistryFailure.versionChanged(request) }
            try transaction.execute(
                "INSERT INTO model_approvals (model, number, principal, comment, time) VALUES (?, ?, ?, ?, ?)",
                [.text(model), .integer(number), .text(principal), .text(comment), .init(now)])
            try Self.journal(
                "model.approved", "model/\(version.id)", ["request": .integer(number), "comment": .string(comment)],
                by: principal, at: now, in: transaction)
            if request.approvals.count + 1 >= request.needed {
                _ = try Self.carryOut(
                    StageMove(
                        stage: request.stage, reason: request.reason, replacing: request.replacing,
                        principal: principal, request: number), of: version, under: policy, at: now,
                    in: transaction)
                try Self.close(number, of: model, as: .done, comment, by: principal, at: now, in: transaction)
            }
            return try Self.storedRequest(number, of: model, under: policy, at: now, in: transaction)
        }
    }

    /// Ends a request, and journals it: who asked takes it back, others reject it.
    /// - Throws: ``RegistryFailure/requestClosed(_:)``, ``RegistryFailure/unknownRequest(_:model:)``.
    public func reject(
        _ number: Int64, of model: String, reason: String, by principal: String
    ) async throws -> TransitionRequest {
        let (now, policy) = (time.now, policy)
        return try await database.write { transaction in
            try Self.lock(model, in: transaction)
            let request = try Self.openRequest(number, of: model, under: policy, at: now, in: transaction)
            let state: TransitionRequest.State = request.requester == principal ? .withdrawn : .rejected
            try Self.journal(
                "model.\(state.rawValue)", "model/\(request.version)",
                ["request": .integer(number), "reason": .string(reason)], by: principal, at: now, in: transaction)
            try Self.close(number, of: model, as: state, reason, by: principal, at: now, in: transaction)
            return try Self.storedRequest(number, of: model, under: policy, at: now, in: transaction)
        }
    }

    /// Ends what was asked for a version that is no longer what people would agree to: it was moved, or rolled back. For the
    /// transaction in which that happens. What has run out stays so.
    /// - Parameters:
    ///   - stage: of the requests to go there; nil for all.
    ///   - number: the request that is being carried out, which stays.
    ///   - reason: what became of the version.
    public static func endRequests(
        for id: ModelVersionID, to stage: Stage? = nil, besides number: Int64? = nil, because reason: String,
        by principal: String, at now: Timestamp, in transaction: Transaction
    ) throws {
        for row in try transaction.query(
            """
            SELECT number, stage FROM model_requests
            WHERE model = ? AND version = ? AND state = 'open' AND expires > ? ORDER BY number
            """, [.text(id.model), .integer(id.version), .init(now)])
        {
            let (other, wanted) = (try row.integer("number"), try row.string("stage"))
            guard other != number, stage == nil || stage?.rawValue == wanted else { continue }
            try close(other, of: id.model, as: .superseded, reason, by: principal, at: now, in: transaction)
            try journal(
                "model.superseded", "model/\(id)",
                ["request": .integer(other), "to": .string(wanted), "reason": .string(reason)], by: principal, at: now,
                in: transaction)
        }
    }

    /// The same where nothing else happens with it.
    public func endRequests(
        for id: ModelVersionID, to stage: Stage, because reason: String, by principal: String
    ) async throws {
        let now = time.now
        try await database.write { transaction in
            try Self.lock(id.model, in: transaction)
            try Self.endRequests(for: id, to: stage, because: reason, by: principal, at: now, in: transaction)
        }
    }

    /// Moves a version where one may do that alone; else asks others to agree, once.
    ///
    /// For what runs without people: called again it tells what has become of it.
    /// - Parameter person: who set it going, and so asks the others; nil where nobody did.
    public func moveOrAsk(
        _ id: ModelVersionID, to stage: Stage, reason: String, by principal: String, for person: String? = nil
    ) async throws -> MoveOutcome {
        let (now, policy) = (time.now, policy)
        let asker = person ?? principal
        return try await database.write { transaction in
            try Self.lock(id.model, in: transaction)
            let version = try Self.version(id, in: transaction)
            if version.stage == stage { return .moved }
            var move = StageMove(stage: stage, reason: reason, principal: principal)
            guard policy.approvals(to: stage) > 0 else {
                _ = try Self.carryOut(move, of: version, under: policy, at: now, in: transaction)
                return .moved
            }
            let last = try Self.requests(
                "model = ? AND version = ? AND stage = ?",
                [.text(id.model), .integer(id.version), .text(stage.rawValue)],
                under: policy, at: now, in: transaction
            ).last
            switch last?.state {
            case .open?: if let last { return .waiting(last) }
            case .rejected?: if let last { return .refused(last) }
            // Taken back is refused too, but only what this very call asked for.
            case .withdrawn?:
                if let last, last.requester == asker, last.reason == reason { return .refused(last) }
            default: break
            }
            move.principal = asker
            return .waiting(try Self.ask(for: id, move, under: policy, at: now, in: transaction))
        }
    }

    /// Requests in the order they were made.
    /// - Parameters:
    ///   - model: of this one; nil for all.
    ///   - state: in this state; nil for any.
    public func requests(
        of model: String? = nil, in state: TransitionRequest.State? = nil
    ) async throws -> [TransitionRequest] {
        let (now, policy) = (time.now, policy)
        return try await database.read { transaction in
            if let model { _ = try Self.model(model, in: transaction) }
            return try Self.requests(
                model == nil ? "1 = 1" : "model = ?", model.map { [.text($0)] } ?? [], under: policy, at: now,
                in: transaction
            ).filter { state == nil || $0.state == state }
        }
    }

    /// Says something of a version, and journals it.
    /// - Parameter text: 1 to 10,000 characters.
    /// - Throws: ``RegistryFailure/invalid(_:)``, ``RegistryFailure/unknownVersion(_:)``.
    public func comment(
        _ text: String, on id: ModelVersionID, by principal: String
    ) async throws -> VersionComment {
        guard !text.allSatisfy(\.isWhitespace), text.unicodeScalars.count <= Self.commentMax else {
            throw RegistryFailure.invalid("a comment has 1 to \(Self.commentMax) characters")
        }
        let now = time.now
        return try await database.write { transaction in
            try Self.lock(id.model, in: transaction)
            _ = try Self.version(id, in: transaction)
            let number = try Self.nextNote(of: id.model, in: transaction)
            try transaction.execute(
                """
                INSERT INTO model_comments (model, number, version, principal, text, created)
                VALUES (?, ?, ?, ?, ?, ?)
                """,
                [
                    .text(id.model), .integer(number), .integer(id.version), .text(principal), .text(text), .init(now),
                ])
            try Self.journal(
                "model.comment", "model/\(id)", ["number": .integer(number), "text": .string(text)], by: principal,
                at: now, in: transaction)
            return VersionComment(number: number, version: id, principal: principal, text: text, created: now)
        }
    }

    private static let commentMax = 10_000

    /// What was said of a version, oldest first.
    /// - Throws: ``RegistryFailure/unknownVersion(_:)``.
    public func comments(on id: ModelVersionID) async throws -> [VersionComment] {
        try await database.read { transaction in
            _ = try Self.version(id, in: transaction)
            return try transaction.query(
                "SELECT * FROM model_comments WHERE model = ? AND version = ? ORDER BY number",
                [.text(id.model), .integer(id.version)]
            ).map { row in
                VersionComment(
                    number: try row.integer("number"), version: id, principal: try row.string("principal"),
                    text: try row.string("text"), created: try row.timestamp("created"))
            }
        }
    }

    private static func ask(
        for id: ModelVersionID, _ move: StageMove, under policy: RegistryPolicy, at now: Timestamp,
        in transaction: Transaction
    ) throws -> TransitionRequest {
        let version = try version(id, in: transaction)
        guard version.stage.allows(move.stage) else {
            throw RegistryFailure.forbiddenTransition(id, from: version.stage, to: move.stage)
        }
        // Nobody should be asked to agree to what can not be done.
        let missing = move.stage == .production ? policy.missing(in: version) : []
        guard missing.isEmpty else { throw RegistryFailure.incomplete(id, missing: missing) }
        for request in try requests(
            "model = ? AND version = ? AND stage = ? AND state = 'open'",
            [.text(id.model), .integer(id.version), .text(move.stage.rawValue)], under: policy, at: now,
            in: transaction)
        {
            guard request.state == .expired else { throw RegistryFailure.requestOpen(request) }
            try close(
                request.number, of: id.model, as: .expired, "", by: move.principal, at: request.expires,
                in: transaction)
        }
        let number = try nextNote(of: id.model, in: transaction)
        let expires = now.advanced(bySeconds: policy.requestSeconds)
        let digest = try version.digest()
        try transaction.execute(
            """
            INSERT INTO model_requests
              (model, number, version, stage, replacing, digest, requester, reason, created, expires, state)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open')
            """,
            [
                .text(id.model), .integer(number), .integer(id.version), .text(move.stage.rawValue),
                .init(move.replacing), .init(digest), .text(move.principal), .text(move.reason), .init(now),
                .init(expires),
            ])
        try journal(
            "model.requested", "model/\(id)",
            [
                "request": .integer(number), "to": .string(move.stage.rawValue), "reason": .string(move.reason),
                "digest": .string(digest.description), "expires": .string(expires.description),
            ], by: move.principal, at: now, in: transaction)
        return try storedRequest(number, of: id.model, under: policy, at: now, in: transaction)
    }

    private static func close(
        _ number: Int64, of model: String, as state: TransitionRequest.State, _ reason: String, by principal: String,
        at now: Timestamp, in transaction: Transaction
    ) throws {
        try transaction.execute(
            """
            UPDATE model_requests SET state = ?, closed = ?, closed_by = ?, close_reason = ?
            WHERE model = ? AND number = ?
            """,
            [
                .text(state.rawValue), .init(now), .text(principal), .text(reason), .text(model), .integer(number),
            ])
    }

    /// The next number of a model's requests and comments.
    private static func nextNote(of model: String, in transaction: Transaction) throws -> Int64 {
        try transaction.execute("UPDATE models SET last_note = last_note + 1 WHERE name = ?", [.text(model)])
        guard let row = try transaction.first("SELECT last_note FROM models WHERE name = ?", [.text(model)]) else {
            throw RegistryFailure.unknownModel(model)
        }
        return try row.integer("last_note")
    }

    private static func openRequest(
        _ number: Int64, of model: String, under policy: RegistryPolicy, at now: Timestamp, in transaction: Transaction
    ) throws -> TransitionRequest {
        let request = try storedRequest(number, of: model, under: policy, at: now, in: transaction)
        guard request.state == .open else { throw RegistryFailure.requestClosed(request) }
        return request
    }

    private static func storedRequest(
        _ number: Int64, of model: String, under policy: RegistryPolicy, at now: Timestamp, in transaction: Transaction
    ) throws -> TransitionRequest {
        let found = try requests(
            "model = ? AND number = ?", [.text(model), .integer(number)], under: policy, at: now, in: transaction)
        guard let request = found.first else { throw RegistryFailure.unknownRequest(number, model: model) }
        return request
    }

    private static func requests(
        _ condition: String, _ values: [SQLValue], under policy: RegistryPolicy, at now: Timestamp,
        in transaction: Transaction
    ) throws -> [TransitionRequest] {
        try transaction.query(
            "SELECT * FROM model_requests WHERE \(condition) ORDER BY created, model, number", values
        ).map { row in
            let (model, number) = (try row.string("model"), try row.integer("number"))
            let stage = Stage(rawValue: try row.string("stage")) ?? .none
            let expires = try row.timestamp("expires")
            let stored = TransitionRequest.State(rawValue: try row.string("state")) ?? .expired
            let approvals = try transaction.query(
                "SELECT * FROM model_approvals WHERE model = ? AND number = ? ORDER BY time, principal",
                [.text(model), .integer(number)]
            ).map { row in
                TransitionRequest.Approval(
                    principal: try row.string("principal"), comment: try row.string("comment"),
                    time: try row.timestamp("time"))
            }
            return TransitionRequest(
                number: number, version: ModelVersionID(model: model, version: try row.integer("version")),
                stage: stage, replacing: try row.bool("replacing"), digest: try row.digest("digest"),
                requester: try row.string("requester"), reason: try row.string("reason"),
                created: try row.timestamp("created"), expires: expires,
                state: stored == .open && expires <= now ? .expired : stored, approvals: approvals,
                // Even where nobody has to agree, whoever asks wants that somebody does.
                needed: max(1, policy.approvals(to: stage)), closed: try row.optionalTimestamp("closed"),
                closedBy: try row.optionalString("closed_by"), closeReason: try row.optionalString("close_reason"))
        }
    }
}
