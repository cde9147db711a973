import Basics
import Datasets
import Features
import Foundation
import HTTP
import Security

extension WorksAPI {
    /// Features of the past. Entity rows come in the body, as Parquet, an Arrow stream, CSV or JSON lines by its content type, and what is
    /// asked by the query: no path of the server's own is ever read or written.
    func installHistory(on router: Router) {
        router.post(
            "\(Self.prefix)/features/history", needs: .right(to: .experiment),
            about: .init(
                "Joins features to entity rows, each as of its own time",
                query: Self.historyQuery + [
                    .optional("format", "parquet, arrow, csv or json; what Accept asks for, else what the rows came in")
                ], body: Self.rowForms, answer: Self.rowForms)
        ) { request in
            let wanted = try historyRequest(request)
            let format = try entityFormat(request)
            let answer = try request.query("format").map(rowFormat) ?? acceptedFormat(request) ?? format
            let (file, summary) = try await services.features.historicalFeatures(
                wanted, of: request.body, as: format, answer: answer)
            var response = HTTPResponse.stream(contentType: Self.contentTypes[answer] ?? "") { writer in
                try await Self.send(file, to: writer)
            }
            response.headers["X-Modelworks-Rows"] = "\(summary.rows)"
            return response
        }
        router.post(
            "\(Self.prefix)/features/history/explain", needs: .right(to: .experiment),
            about: .init(
                "Tells which source row gave each value of one entity row, and why no later one",
                query: Self.historyQuery + [
                    .optional("row", "which row, from 1", Int.self),
                    .optional("shown", "how many later rows of a source are told at most", Int.self),
                ], body: Self.rowForms, answer: .json(HistoryExplanation.self))
        ) { request in
            let row = try request.integer("row", default: 1, in: 1...Int.max)
            let shown = try request.integer("shown", default: 3, in: 0...100)
            return try .json(
                try await services.features.explainHistory(
                    try historyRequest(request), of: request.body, as: try entityFormat(request), row: Int64(row),
                    shown: shown))
        }
    }

    private static let contentTypes: [RowFormat: String] = [
        .parquet: "application/vnd.apache.parquet", .arrow: ArrowMessage.contentType, .csv: "text/csv; charset=utf-8",
        .json: "application/x-ndjson",
    ]

    private static let rowForms = RouteDocumentation.Content.bytes(
        "application/vnd.apache.parquet", ArrowMessage.contentType, "text/csv", "application/x-ndjson")

    private static let historyQuery: [RouteDocumentation.Parameter] = [
        .optional("service", "the service whose features are wanted"),
        .optional("features", "features in place of a service: view:feature, or view, with commas"),
        .optional("time", "the rows' column of times; event_timestamp, or the only one of times, where it is left out"),
        .optional("full_names", "true: features asked for by reference are called view__feature", Bool.self),
        .optional("late_data", "hidden or visible: whether rows that became known later may be used"),
    ]

    private func historyRequest(_ request: HTTPRequest) throws -> HistoryRequest {
        let wanted: HistoryRequest.Wanted
        switch (request.query("service"), request.query("features")) {
        case (let service?, nil): wanted = .service(service)
        case (nil, let features?):
            wanted = .features(features.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) })
        default: throw WorksAPIFailure.badParameter("service", "or 'features' is needed, and not both")
        }
        let lateData = try request.query("late_data").map { text in
            guard let choice = FeatureView.LateData(rawValue: text) else {
                throw WorksAPIFailure.badParameter("late_data", "must be hidden or visible")
            }
            return choice
        }
        return HistoryRequest(
            wanted, time: request.query("time"), usesFullNames: request.query("full_names") == "true",
            lateData: lateData)
    }

    private func entityFormat(_ request: HTTPRequest) throws -> RowFormat {
        let type = (request.header("Content-Type") ?? "").prefix { $0 != ";" }.lowercased()
        if let format = Self.format(of: type) { return format }
        if type.hasSuffix("octet-stream") { return .parquet }
        throw WorksAPIFailure.badParameter(
            "Content-Type",
            "must be application/vnd.apache.parquet, \(ArrowMessage.contentType), text/csv or application/x-ndjson")
    }

    /// The first format that the request accepts by name; nil where it names none.
    private func acceptedFormat(_ request: HTTPRequest) -> RowFormat? {
        (request.header("Accept") ?? "").lowercased().split(separator: ",").lazy.compactMap { Self.format(of: $0) }
            .first
    }

    private static func format(of type: some StringProtocol) -> RowFormat? {
        if type.contains("arrow") { return .arrow }
        if type.contains("csv") { return .csv }
        if type.contains("json") { return .json }
        return type.contains("parquet") ? .parquet : nil
    }

    private func rowFormat(_ text: String) throws -> RowFormat {
        guard let format = RowFormat(rawValue: text) else {
            throw WorksAPIFailure.badParameter(
                "format", "must be \(RowFormat.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return format
    }

    private static func send(_ file: PassingFile, to writer: ResponseWriter) async throws {
        let thread = BlockingThread(name: "history-answer")
        var offset: UInt64 = 0
        while true {
            let start = offset
            let piece = try await thread.run { () -> [UInt8] in
                let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: file.path))
                defer { try? handle.close() }
                try handle.seek(toOffset: start)
                return Array(try handle.read(upToCount: 1 << 20) ?? Data())
            }
            guard !piece.isEmpty else { return }
            offset += UInt64(piece.count)
            try await writer.write(piece)
        }
    }
}
