import Basics
import Engines
import SQL
import TestSupport
import Testing

@testable import Experiments

/// Random and mutated filters and orders: each is refused as the caller's fault, or the database has an answer to it.
@Suite(.serialized) struct SearchFuzz {
    private static let pieces = [
        " AND ", " OR ", "NOT ", " IN (", "'", "''", "\"", "`", ".", "metrics.", "params.", "tags.", "dataset.", "run.",
        "loss", " = ", "!=", "<=", "LIKE ", "ILIKE ", " IS NULL", "IS NOT NULL", ",", ")", "(", "1", "-", "1e308",
        "'x'",
        "9223372036854775807", "0x1p4", "nan", "inf", "%", "_", "\\", "?", ";", "--", "/*", "é", "🙂", "\u{0}",
        "\u{FFFD}", "\u{2028}", " DESC", " NULLS FIRST", "status", "start_time", "end_time", "name", "$1", "@a", "#",
    ]

    private enum Target: CaseIterable {
        case runs, experiments, loggedModels, traces

        var vocabulary: SearchVocabulary {
            switch self {
            case .runs: .runs
            case .experiments: .experiments
            case .loggedModels: .loggedModels
            case .traces: .traces
            }
        }

        var filters: [String] {
            switch self {
            case .runs:
                [
                    "metrics.loss < 0.5 AND params.\"a b\" = 'x' and tags.`t` LIKE '%y%'",
                    "attributes.status != 'FINISHED' AND start_time >= 1700000000000.5 AND run_id IN ('a', 'b')",
                    "dataset.name = 'd' AND datasets.digest NOT IN ('x') AND dataset.context ILIKE 'train_'",
                    "tags.t IS NULL AND params.p IS NOT NULL AND run_name = \"n\" AND metric.loss = -1e308",
                ]
            case .experiments: ["name ILIKE 'a%' AND creation_time > 5 AND tag.x = ''", "tags.t IS NULL"]
            case .loggedModels:
                ["model_type = 'm' AND metrics.`m` > 1 AND creation_timestamp <= 9223372036854775807", "name = 'm'"]
            case .traces:
                [
                    "trace.status = 'OK' AND timestamp_ms > 1 AND metadata.a = 'b' AND execution_time_ms < 2.5",
                    "name LIKE 'a%' AND run_id = 'r' AND tags.t IS NOT NULL",
                ]
            }
        }

        var orders: [String] {
            switch self {
            case .runs: ["metrics.loss DESC", "start_time", "params.`a b` ASC", "attributes.run_name desc", "tag.t"]
            case .experiments: ["creation_time ASC", "name", "last_update_time DESC", "experiment_id"]
            case .loggedModels: ["creation_timestamp", "name ASC", "metrics.loss DESC", "\"metrics\".\"x\""]
            case .traces: ["timestamp_ms", "end_time_ms DESC", "execution_time", "status ASC"]
            }
        }

        func search(_ store: ExperimentStore, _ filter: SearchFilter, _ order: [SearchOrder], _ limit: Int) async throws
        {
            switch self {
            case .runs:
                var query = ExperimentStore.RunQuery(
                    experiments: [0, 7], filter: filter, order: order, view: .all, limit: 2, offset: 1)
                query.narrowLimit = Int64(limit)
                _ = try await store.search(query)
            case .experiments:
                _ = try await store.searchExperiments(filter, order: order, view: .all, limit: 2, offset: 0)
            case .loggedModels:
                _ = try await store.searchLoggedModels(
                    ExperimentStore.LoggedModelQuery(
                        experiments: [0], filter: filter, datasets: [DatasetName(name: "d", digest: nil)],
                        order: order.map { ($0, nil) }, limit: 2, offset: 0))
            case .traces: _ = try await store.searchTraces(of: [0], filter, order: order, limit: 2, offset: 0)
            }
        }
    }

    /// A store in which every kind of thing is found by something.
    private func laboratory(_ engine: SQLEngine) async throws -> Laboratory {
        let lab = try await Laboratory(engine)
        for index in 0..<4 {
            let run = try await lab.run(started: Int64(index))
            try await lab.store.log(
                RunBatch(
                    metrics: [
                        MetricEntry(
                            MetricPoint(
                                key: "loss", value: index == 0 ? .nan : Double(index), step: 1,
                                time: Timestamp(seconds: 1)))
                    ], parameters: [Pair(key: "p", value: "x")], tags: [Pair(key: "t", value: "y")]), to: run)
            _ = try await lab.store.createLoggedModel(
                in: 0, name: "m", type: "m", sourceRun: run, parameters: [Pair(key: "p", value: "x")],
                tags: [Pair(key: "t", value: "y")])
        }
        return lab
    }

    @Test(arguments: SQLEngine.allCases)
    func whatParsesTheDatabaseTakes(_ engine: SQLEngine) async throws {
        let lab = try await laboratory(engine)
        let fuzzer = Fuzzer(pieces: Self.pieces)
        var (taken, refused) = (0, 0)
        for _ in fuzzer.rounds(atLeast: 1500) {
            let target = fuzzer.one(of: Target.allCases)
            let text =
                fuzzer.isOne(in: 3) ? fuzzer.one(of: target.filters + [""]) : fuzzer.text(from: target.filters)
            let keys = (0..<fuzzer.below(4)).map { _ in
                fuzzer.isOne(in: 4) ? fuzzer.text(from: target.orders) : fuzzer.one(of: target.orders)
            }
            do {
                let filter = try SearchFilter(text, target.vocabulary)
                let order = try SearchOrder.keys(keys, target.vocabulary)
                try await target.search(lab.store, filter, order, fuzzer.below(3))
                taken += 1
            } catch let failure as ExperimentsFailure {
                refused += 1
                #expect(failure.code == .invalidArgument && !failure.message.isEmpty)
            } catch {
                Issue.record("seed \(fuzzer.seed): \(error) for \(target) \(text.debugDescription) \(keys)")
            }
        }
        #expect(taken > 200 && refused > 200, "\(taken) taken, \(refused) refused")
        await lab.database.close()
    }

    /// What is as long as a filter may be is answered or refused too, whatever limits an engine has.
    @Test(arguments: SQLEngine.allCases)
    func theLongestFiltersAreAnswered(_ engine: SQLEngine) async throws {
        let lab = try await laboratory(engine)
        func fill(_ piece: String, _ count: Int, _ separator: String) -> String {
            [String](repeating: piece, count: count).joined(separator: separator)
        }
        let filters = [
            "params.p LIKE '\(fill("a%", 32_000, ""))'", "params.p ILIKE '\(fill("\\", 65_000, ""))'",
            "run_id IN (\(fill("''", 21_000, ",")))", "dataset.name NOT IN (\(fill("''", 21_000, ",")))",
            fill("metrics.a > 1", 200, " AND "), fill("params.a = 'x'", 200, " AND "),
            fill("tags.a IS NULL", 200, " AND "), fill("dataset.name = 'x'", 200, " AND "),
        ]
        for text in filters {
            for count in [1, 200, 40_000] as [Int64] {
                do {
                    _ = try await lab.store.search(
                        ExperimentStore.RunQuery(
                            experiments: Array(0..<count), filter: try SearchFilter(text, .runs), order: [], view: .all,
                            limit: 2, offset: 0))
                } catch let failure as ExperimentsFailure {
                    #expect(failure.code == .invalidArgument)
                } catch {
                    Issue.record("\(error) for \(count) experiments and \(text.prefix(40))")
                }
            }
        }
        await lab.database.close()
    }
}
