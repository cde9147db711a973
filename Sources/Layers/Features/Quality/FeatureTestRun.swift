import Basics
import Columnar
import Datasets
import Expressions
import Foundation

/// One feature test over a store that is there for tests.
struct FeatureTestRun {
    private let test: FeatureTest
    private let catalogue: Catalogue
    private let store: FeatureStore
    private let folder: String
    private static let moment = "event_timestamp"

    /// - Parameter folder: for the rows given.
    init(_ test: FeatureTest, _ catalogue: Catalogue, _ store: FeatureStore, folder: String) {
        self.test = test
        self.catalogue = catalogue
        self.store = store
        self.folder = folder
    }

    func outcome() async -> FeatureTestReport.Outcome {
        var outcome = FeatureTestReport.Outcome(name: test.name, target: target, values: 0, problems: [])
        do {
            let found = try await values()
            guard found.count == test.expect.count else {
                outcome.problems = ["\(test.expect.count) rows are expected, and \(found.count) are asked for"]
                return outcome
            }
            for (row, expected) in test.expect.enumerated() {
                for (name, wanted) in expected.sorted(by: { $0.key < $1.key }) {
                    guard let value = found[row][name] else {
                        outcome.problems.append("row \(row + 1): there is no '\(name)'")
                        continue
                    }
                    outcome.values += 1
                    if !Self.agree(value, wanted, tolerance: test.tolerance) {
                        outcome.problems.append(
                            "row \(row + 1): \(name) is \(value.map { "\($0)" } ?? "null"), expected \(wanted ?? "null")"
                        )
                    }
                }
            }
        } catch let failure as any Failure {
            outcome.problems = [failure.message + (failure.remedy.map { ". \($0)" } ?? "")]
        } catch {
            outcome.problems = ["\(error)"]
        }
        return outcome
    }

    private var target: String {
        switch test.target {
        case .view(let name): "view \(name)"
        case .transform(let name): "transform \(name)"
        case .service(let name): "service \(name)"
        }
    }

    /// The features that the test expects a value of.
    func asserted() -> Set<FeatureReference> {
        let names = Set(test.expect.flatMap(\.keys))
        switch test.target {
        case .view(let name), .transform(let name):
            return Set(names.map { FeatureReference(view: name, feature: $0) })
        case .service(let name):
            let selections = catalogue.services[name]?.selections ?? []
            return Set(
                selections.flatMap { selection in
                    selection.features.filter { names.contains("\(selection.name)__\($0)") }
                        .map { FeatureReference(view: selection.source, feature: $0) }
                })
        }
    }

    private static func agree(_ found: String?, _ wanted: String?, tolerance: Double) -> Bool {
        guard let found, let wanted else { return found == nil && wanted == nil }
        if let number = Double(found), let other = Double(wanted) {
            return number == other || abs(number - other) <= tolerance * max(1, abs(other))
        }
        if let moment = Timestamp(found.replacing(" ", with: "T") + "Z"), let other = Timestamp(wanted) {
            return moment == other
        }
        return found == wanted
    }

    /// The values of each row asked for as texts, by name.
    private func values() async throws -> [[String: String?]] {
        if case .transform(let name) = test.target, test.given.isEmpty { return try evaluate(name) }
        let (given, types) = try await publish()
        store.use(given, dataFolder: folder)
        _ = try await store.ingest(by: "system:feature-tests")
        let asked = GivenRows(rows(), declared: Self.known(types, in: rows()))
        let entities = "\(folder)/entities.parquet"
        let moment = (Self.moment, "make_timestamp(CAST(\(test.at.microseconds) AS BIGINT))")
        try await store.engine.writeParquet(query: asked.query(adding: [moment]), to: entities, context: test.name)
        let request: HistoryRequest =
            switch test.target {
            case .service(let name): HistoryRequest(.service(name), time: Self.moment)
            case .view(let name), .transform(let name): HistoryRequest(.features([name]), time: Self.moment)
            }
        let answer = "\(folder)/answer.parquet"
        let summary = try await store.historicalFeatures(
            request, of: EntityFile(path: entities), to: answer, engine: .local)
        let columns = (asked.columns.map(\.name) + summary.features).map {
            "CAST(\(SQLText.identifier($0)) AS VARCHAR) AS \(SQLText.identifier($0))"
        }
        let table = try await store.engine.query(
            "SELECT \(columns.joined(separator: ", ")) FROM \(FeatureStore.reading(answer))", context: test.name)
        var found = [[String: String?]](repeating: [:], count: table.rowCount)
        for name in table.names {
            for (row, value) in try table.strings(name).enumerated() { found[row][name] = .some(value) }
        }
        return found
    }

    private func rows() -> [[String: String?]] {
        guard test.entities.isEmpty else { return test.entities }
        let keys = Set(catalogue.entities.values.flatMap(\.joinKeys))
        return test.expect.map { row in row.filter { keys.contains($0.key) } }
    }

    /// The types of the columns that rows have, each as it is first told.
    private static func known(
        _ types: [TableDefinition.ColumnDefinition], in rows: [[String: String?]]
    ) -> [TableDefinition.ColumnDefinition] {
        var names: Set<String> = []
        return types.filter { type in
            rows.contains { $0.keys.contains(type.name) } && names.insert(type.name).inserted
        }
    }

    /// A transform tested by itself: what it reads stands in the rows asked for.
    private func evaluate(_ name: String) throws -> [[String: String?]] {
        let program = try catalogue.program(ofTransform: name)
        return try rows().map { row in
            let inputs = try program.inputs.map { field in
                try Self.value(row[field.name].flatMap { $0 }, of: field)
            }
            var found = row
            for (field, value) in zip(program.outputs, try program.evaluate(inputs)) {
                found[field.name] = .some(Self.text(value))
            }
            return found
        }
    }

    private static func value(_ text: String?, of field: ScalarField) throws -> ScalarValue {
        guard let text else { return .null }
        let value: ScalarValue? =
            switch field.type {
            case .integer: Int64(text).map { .integer($0) }
            case .double, .float: Double(text).map { .double($0) }
            case .string: .string(text)
            case .boolean: Bool(text).map { .boolean($0) }
            case .timestamp: Timestamp(text).map { .timestamp($0) }
            }
        guard let value else {
            throw FeaturesFailure.request(
                "'\(text)' is no \(field.type.rawValue), which '\(field.name)' is", remedy: nil)
        }
        return value
    }

    private static func text(_ value: ScalarValue) -> String? {
        switch value {
        case .null: nil
        case .integer(let number): "\(number)"
        case .double(let number): "\(number)"
        case .string(let text): text
        case .boolean(let flag): "\(flag)"
        case .timestamp(let moment): String(moment.description.dropLast())
        }
    }

    /// Writes every table and the event sources given; tables that are not given have no rows.
    private func publish() async throws -> (catalogue: Catalogue, types: [TableDefinition.ColumnDefinition]) {
        var tables: [TableDefinition] = []
        var events: [EventsDefinition] = []
        var types: [TableDefinition.ColumnDefinition] = []
        for table in catalogue.tables.values {
            let rows = GivenRows(test.given[table.name] ?? [], declared: table.columns)
            tables.append(try await write(rows, as: table.name, query: rows.query()))
            types += rows.columns
        }
        for source in catalogue.events.values {
            guard let given = test.given[source.name] ?? (source.stream == nil ? nil : []) else {
                events.append(source)
                continue
            }
            guard given.allSatisfy({ $0[source.eventTime].flatMap { $0 } != nil }) else {
                throw FeaturesFailure.request(
                    "a row given for '\(source.name)' has no '\(source.eventTime)', its event time",
                    remedy: "Give '\(source.eventTime)' in each row, as a moment such as 2013-03-01T09:30:00Z.")
            }
            let declared = source.stream?.columns ?? [.init(name: source.eventTime, type: .timestamp)]
            let rows = GivenRows(given, declared: declared)
            types += rows.columns
            var extra: [(name: String, sql: String)] = []
            if rows.type(of: source.availableAt) == nil {
                extra.append((source.availableAt, SQLText.identifier(source.eventTime)))
            }
            let name = "given__\(source.name)"
            tables.append(try await write(rows, as: name, query: rows.query(adding: extra), extra: extra.map(\.name)))
            events.append(Self.reading(name, as: source))
        }
        return (try catalogue.over(tables: tables, events: events), types)
    }

    private static func reading(_ table: String, as source: EventsDefinition) -> EventsDefinition {
        var source = source
        var sql = "SELECT * FROM \(SQLText.identifier(table))"
        if let lateness = source.stream?.latenessSeconds {
            let (late, happened) = (SQLText.identifier(source.availableAt), SQLText.identifier(source.eventTime))
            sql += " WHERE epoch_us(\(late)) - epoch_us(\(happened)) <= \(lateness) * 1000000::HUGEINT"
        }
        source.origin = .sql(sql)
        return source
    }

    private func write(
        _ rows: GivenRows, as name: String, query: String, extra: [String] = []
    ) async throws -> TableDefinition {
        let path = "\(folder)/\(name).parquet"
        try await store.engine.writeParquet(query: query, to: path, context: test.name)
        return TableDefinition(
            name: name, owner: "test", description: "", origin: .files(FileOrigin(path: path, format: .parquet)),
            nulls: [],
            columns: rows.columns + extra.map { .init(name: $0, type: .timestamp) }, key: [], mayBeEmpty: true,
            expectations: [])
    }
}
