import Basics
import Datasets
import Features
import Foundation
import HTTP
import Security

extension WorksAPI {
    /// Features of the past. Entity rows come in the body, as Parquet, CSV or JSON lines by its content type, and what is
    /// asked by the query: no path of the server's own is ever read or written.
    func installHistory(on router: Router) {
        router.post("\(Self.prefix)/features/history", needs: .right(to: .experiment)) { request in
            let wanted = try historyRequest(request)
            let format = try entityFormat(request)
            let answer = try request.query("format").map { try fileFormat($0, in: "format") } ?? format
            let (file, summary) = try await services.features.historicalFeatures(
                wanted, of: request.body, as: format, answer: answer)
            var response = HTTPResponse.stream(contentType: Self.contentTypes[answer] ?? "") { writer in
                try await Self.send(file, to: writer)
            }
            response.headers["X-Modelworks-Rows"] = "\(summary.rows)"
            return response
        }
        router.post("\(Self.prefix)/features/history/explain", needs: .right(to: .experiment)) { request in
            let row = try request.integer("row", default: 1, in: 1...Int.max)
            let shown = try request.integer("shown", default: 3, in: 0...100)
            return try .json(
                try await services.features.explainHistory(
                    try historyRequest(request), of: request.body, as: try entityFormat(request), row: Int64(row),
                    shown: shown))
        }
    }

    private static let contentTypes: [TableDefinition.FileFormat: String] = [
        .parquet: "application/vnd.apache.parquet", .csv: "text/csv; charset=utf-8", .json: "application/x-ndjson",
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

    private func entityFormat(_ request: HTTPRequest) throws -> TableDefinition.FileFormat {
        let type = (request.header("Content-Type") ?? "").prefix { $0 != ";" }.lowercased()
        if type.contains("csv") { return .csv }
        if type.contains("json") { return .json }
        if type.contains("parquet") || type.hasSuffix("octet-stream") { return .parquet }
        throw WorksAPIFailure.badParameter(
            "Content-Type", "must be application/vnd.apache.parquet, text/csv or application/x-ndjson")
    }

    private func fileFormat(_ text: String, in name: String) throws -> TableDefinition.FileFormat {
        guard let format = TableDefinition.FileFormat(rawValue: text) else {
            throw WorksAPIFailure.badParameter(name, "must be parquet, csv or json")
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
