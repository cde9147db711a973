import Basics
import SQL

extension ExperimentStore {
    /// Adds metrics, parameters and tags to a run, all or none.
    ///
    /// A point that is there already changes nothing, nor does a parameter with the value that it has. Of several tags
    /// with one key the last counts. Values that are too long are cut (see ``RecordRules``).
    /// - Throws: ``ExperimentsFailure/changedParameters(_:run:)``, `.runDeleted(_:)`, `.unknownRun(_:)`, or
    ///   `.invalid(_:remedy:)` for a key that may not be.
    public func log(_ batch: RunBatch, to run: String) async throws {
        let batch = try RecordRules.checked(batch)
        // Asking costs a look-up, so that not every point asks.
        let packs = random.next() % UInt64(MetricBlock.length / 16) < UInt64(batch.metrics.count)
        try await database.write { transaction in
            let place = try Self.requireActive(run, in: transaction)
            try Self.insert(batch, to: place, in: transaction, named: run)
            if packs { try Self.pack(place.number, in: transaction) }
        }
    }

    /// Removes a tag of a run.
    /// - Throws: ``ExperimentsFailure/unknownTag(_:)``, `.runDeleted(_:)`, `.unknownRun(_:)`.
    public func deleteTag(_ key: String, of run: String) async throws {
        try await database.write { transaction in
            let place = try Self.requireActive(run, in: transaction)
            let count = try transaction.execute(
                "DELETE FROM run_tags WHERE run = ? AND key = ?", [.integer(place.number), .text(key)])
            guard count > 0 else { throw ExperimentsFailure.unknownTag(key) }
        }
    }

    /// Notes the datasets and logged models that a run used. A dataset is known by name and digest within the experiment;
    /// the first description of it stays.
    /// - Throws: ``ExperimentsFailure/runDeleted(_:)``, `.unknownRun(_:)`.
    public func logInputs(_ datasets: [DatasetInput], models: [ModelLink], to run: String) async throws {
        for (index, input) in datasets.enumerated() {
            let field = "datasets[\(index)].dataset"
            try RecordRules.checkLength(input.name, 500, "\(field).name")
            try RecordRules.checkLength(input.digest, 36, "\(field).digest")
            try RecordRules.checkLength(input.source, 65_535, "\(field).source")
            try RecordRules.checkLength(input.schema ?? "", 1_048_575, "\(field).schema")
            try RecordRules.checkLength(input.profile ?? "", 16_777_215, "\(field).profile")
            for tag in input.tags {
                try RecordRules.checkLength(tag.key, 255, "datasets[\(index)].tags.key")
                try RecordRules.checkLength(tag.value, 500, "datasets[\(index)].tags.value")
            }
        }
        try await database.write { transaction in
            let place = try Self.requireActive(run, in: transaction)
            for input in datasets { try Self.insert(input, to: place, in: transaction) }
            for model in models { try Self.insert(model, "input", to: place, in: transaction) }
        }
    }

    /// Notes the logged models that a run made.
    /// - Throws: ``ExperimentsFailure/runDeleted(_:)``, `.unknownRun(_:)`.
    public func logOutputs(_ models: [ModelLink], to run: String) async throws {
        try await database.write { transaction in
            let place = try Self.requireActive(run, in: transaction)
            for model in models { try Self.insert(model, "output", to: place, in: transaction) }
        }
    }

    /// Inserts what was checked.
    /// - Parameter run: the id, for messages.
    static func insert(
        _ batch: RunBatch, to place: RunPlace, in transaction: Transaction, named run: String = ""
    ) throws {
        try insert(batch.parameters, to: place, in: transaction, named: run)
        try insert(batch.metrics.map(\.point), to: place, in: transaction)
        for entry in batch.metrics {
            if let model = entry.model { try insert(entry, about: model, run: run, in: transaction) }
        }
        try insert(tags: batch.tags, to: place, in: transaction)
    }

    private static func insert(
        _ parameters: [Pair], to place: RunPlace, in transaction: Transaction, named run: String
    ) throws {
        let inserted = try transaction.insertMany(
            parameters, "INSERT INTO run_parameters (run, key, value, experiment)", columns: 4,
            "ON CONFLICT (run, key) DO NOTHING", isCounted: true
        ) { [.integer(place.number), .text($0.key), .text($0.value), .integer(place.experiment)] }
        guard inserted < parameters.count else { return }
        var changes: [ExperimentsFailure.ChangedParameter] = []
        for pair in parameters {
            let old = try transaction.first(
                "SELECT value FROM run_parameters WHERE run = ? AND key = ?",
                [.integer(place.number), .text(pair.key)]
            )?.string("value")
            if let old, old != pair.value { changes.append(.init(key: pair.key, old: old, new: pair.value)) }
        }
        guard changes.isEmpty else { throw ExperimentsFailure.changedParameters(changes, run: run) }
    }

    private static func insert(tags: [Pair], to place: RunPlace, in transaction: Transaction) throws {
        // No statement may write a row twice, and of several tags with one key the last counts.
        let members = Dictionary(tags.map { ($0.key, $0.value) }) { _, last in last }
        try transaction.insertMany(
            pairs(members), "INSERT INTO run_tags (run, key, value, experiment)", columns: 4,
            "ON CONFLICT (run, key) DO UPDATE SET value = excluded.value"
        ) { [.integer(place.number), .text($0.key), .text($0.value), .integer(place.experiment)] }
        if let name = members[nameTag], !place.isNew {
            try transaction.executeLater(
                "UPDATE runs SET name = ? WHERE number = ?", [.text(name), .integer(place.number)])
        }
    }

    static func insert(_ input: DatasetInput, to place: RunPlace, in transaction: Transaction) throws {
        let key: [SQLValue] = [.integer(place.experiment), .text(input.name), .text(input.digest)]
        func find() throws -> Int64? {
            try transaction.first(
                "SELECT id FROM datasets WHERE experiment = ? AND name = ? AND digest = ?", key)?.integer("id")
        }
        if try find() == nil {
            try transaction.execute(
                """
                INSERT INTO datasets (id, experiment, name, digest, source_type, source, schema_text, profile)
                VALUES ((SELECT coalesce(max(id), 0) + 1 FROM datasets), ?, ?, ?, ?, ?, ?, ?)
                """,
                key + [.text(input.sourceType), .text(input.source), .init(input.schema), .init(input.profile)])
        }
        guard let dataset = try find() else { return }
        let isNew = try transaction.execute(
            "INSERT INTO run_datasets (run, dataset) VALUES (?, ?) ON CONFLICT (run, dataset) DO NOTHING",
            [.integer(place.number), .integer(dataset)])
        guard isNew > 0 else { return }
        for tag in input.tags {
            try transaction.execute(
                """
                INSERT INTO run_dataset_tags (run, dataset, key, value) VALUES (?, ?, ?, ?)
                ON CONFLICT (run, dataset, key) DO UPDATE SET value = excluded.value
                """, [.integer(place.number), .integer(dataset), .text(tag.key), .text(tag.value)])
        }
    }

    static func insert(
        _ link: ModelLink, _ direction: String, to place: RunPlace, in transaction: Transaction
    ) throws {
        try transaction.execute(
            """
            INSERT INTO run_models (run, direction, model, step) VALUES (?, ?, ?, ?)
            ON CONFLICT (run, direction, model) DO NOTHING
            """, [.integer(place.number), .text(direction), .text(link.model), .integer(link.step)])
    }
}
