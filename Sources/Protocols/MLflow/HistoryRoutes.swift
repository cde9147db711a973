import Basics
import Documents
import Experiments
import HTTP
import Security

extension MLflow {
    private static let historyLimit: Int64 = 25_000
    private static let sampleLimit: Int64 = 2500
    private static let runLimit = 100
    /// How many points of a long history are read and sent at a time.
    private static let pieceSize = 8192
    /// About how many bytes a point takes in an answer.
    private static let pointSize = 96

    func installHistories(on router: Router) {
        call(.get, "/metrics/get-history", needs: .read, on: router) { fields, _ in
            let run = try Self.runID(fields)
            let key = try fields.text("metric_key")
            let limit =
                try fields.optionalInteger("max_results") == nil
                ? nil : try fields.limit(standard: nil, most: Int64(Int32.max))
            return try await history(of: key, run: run, from: try PageToken.offset(fields), limit: limit)
        }
        call(.get, "/metrics/get-history-bulk", needs: .read, on: router) { fields, _ in
            let runs = try Self.runIDs(fields, "run_id").sorted()
            let asked = try fields.limit(standard: Self.historyLimit, most: Int64(Int32.max))
            let histories = try await experiments.histories(
                of: try fields.text("metric_key"), runs: runs, limit: min(asked, Int(Self.historyLimit)))
            return Self.answer(histories, evenEmpty: true)
        }
        call(.get, "/metrics/get-history-bulk-interval", needs: .read, on: router) { fields, _ in
            try await sampleHistories(fields)
        }
    }

    /// A page of a history: at once where it is short, else piece by piece.
    private func history(of key: String, run: String, from offset: Int, limit: Int?) async throws -> Answer {
        let most = limit ?? .max
        let size = min(most, Self.pieceSize)
        var first = try await experiments.history(of: key, run: run, limit: size + 1, offset: offset)
        let isMore = first.count > size
        if isMore { first.removeLast() }
        guard isMore, size < most else {
            return Answer(capacity: 64 + first.count * Self.pointSize) { writer in
                writer.objects("metrics", first) { $0.members(of: $1) }
                if isMore { writer.member("next_page_token", PageToken.text(offset + size)) }
            }
        }
        let start = first
        return Answer(pieces: { writer in
            var points = start
            var left = most
            var lead = "{\"metrics\":["
            while let last = points.last {
                var text = JSONWriter(capacity: points.count * Self.pointSize)
                for point in points { text.object { $0.members(of: point) } }
                try await writer.write(Array(lead.utf8) + text.bytes)
                lead = ","
                left -= points.count
                // What comes after the page tells whether there are more.
                points = try await experiments.history(
                    of: key, run: run, after: last, limit: min(max(left, 1), Self.pieceSize))
                if left == 0 { break }
            }
            try await writer.write("]")
            if !points.isEmpty {
                try await writer.write(",\"next_page_token\":\"\(PageToken.text(offset + most))\"")
            }
            try await writer.write("}")
        })
    }

    /// The histories of a metric of several runs, each of at most so many points.
    func sampleHistories(_ fields: Fields) async throws -> Answer {
        let runs = try Self.runIDs(fields, "run_ids")
        let key = try fields.text("metric_key")
        let steps = try Self.steps(fields)
        let limit = try fields.limit(standard: Self.sampleLimit, most: Self.sampleLimit)
        return Self.answer(try await experiments.sampledHistories(of: key, runs: runs, steps: steps, limit: limit))
    }

    /// - Parameter evenEmpty: whether the list is there where no points are.
    private static func answer(_ histories: [RunHistory], evenEmpty: Bool = false) -> Answer {
        let points = histories.flatMap { history in history.points.map { (history.run, $0) } }
        guard evenEmpty || !points.isEmpty else { return .empty }
        return Answer(capacity: 64 + points.count * 144) { writer in
            writer.array("metrics") { writer in
                for (run, point) in points {
                    writer.object {
                        $0.members(of: point)
                        $0.member("run_id", run)
                    }
                }
            }
        }
    }

    private static func runIDs(_ fields: Fields, _ name: String) throws -> [String] {
        let runs = try fields.texts(name)
        guard !runs.isEmpty else { throw MLflowFailure.missing(name) }
        guard runs.count <= runLimit else {
            throw MLflowFailure.invalid("GetMetricHistoryBulk request cannot specify more than \(runLimit) \(name)s.")
        }
        return runs
    }

    private static func steps(_ fields: Fields) throws -> ClosedRange<Int64>? {
        let (start, end) = (try fields.optionalInteger("start_step"), try fields.optionalInteger("end_step"))
        guard let start, let end else {
            guard start == nil, end == nil else {
                throw MLflowFailure.invalid("If either start step or end step are specified, both must be specified.")
            }
            return nil
        }
        guard start <= end else {
            throw MLflowFailure.invalid(
                "end_step must be greater than start_step. Found start_step=\(start) and end_step=\(end).")
        }
        return start...end
    }
}
