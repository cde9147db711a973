import Basics
import Foundation

/// A factory's features. Made by ``ModelworksClient/features``.
public struct FeatureClient: Sendable {
    let connection: FactoryConnection

    // MARK: Online

    /// The newest values of entities, column by column.
    ///
    /// - Parameters:
    ///   - selection: which features.
    ///   - entities: a list of values for each join key, and for each field of the request that a transform takes.
    ///   - moment: as of when; now where it is left out.
    public func get(
        _ selection: FeatureSelection, for entities: [String: [JSONValue]], at moment: Timestamp? = nil
    ) async throws -> OnlineValues {
        struct Body: Encodable {
            var service: String?
            var features: [String]?
            var entities: [String: [JSONValue]]
            var at: Timestamp?
        }
        return try await connection.post(
            "/features/online",
            Body(service: selection.service, features: selection.references, entities: entities, at: moment),
            as: OnlineValues.self)
    }

    /// The newest values of entities, each as a value of a type whose properties are called `view__feature`.
    ///
    /// ```swift
    /// struct Shop: Decodable { var last_click__price: Double? }
    /// let shops = try await factory.features.get(Shop.self, from: .service("clicked"), for: ["shop": ["north", "south"]])
    /// ```
    ///
    /// - Throws: ``RemoteFailure``; ``ClientFailure`` where a property that is not optional has no value.
    public func get<Row: Decodable>(
        _ type: Row.Type, from selection: FeatureSelection, for entities: [String: [JSONValue]],
        at moment: Timestamp? = nil
    ) async throws -> [Row] {
        try await get(selection, for: entities, at: moment).rows(of: type)
    }

    /// A bulk read: any number of entities up to a million as an Arrow stream, answered by one.
    ///
    /// - Parameters:
    ///   - entities: a stream with a column for each join key, and for each field of the request that a transform takes.
    ///   - details: whether status and event time of each value are wanted, too.
    public func getArrow(
        _ selection: FeatureSelection, for entities: [UInt8], at moment: Timestamp? = nil, details: Bool = false
    ) async throws -> [UInt8] {
        try await connection.send(
            "/features/online",
            [
                ("service", selection.service), ("features", selection.references?.joined(separator: ",")),
                ("at", moment?.description), ("details", details ? "true" : nil),
            ], entities, contentType: RowFormat.arrow.contentType, accepts: RowFormat.arrow.contentType)
    }

    // MARK: History

    /// Features joined to entity rows, each as of its own time.
    ///
    /// - Parameters:
    ///   - rows: a file or stream with join keys, times, and any columns besides.
    ///   - format: what `rows` are in.
    ///   - answer: what the result is in; as the rows where it is left out.
    ///   - time: the rows' column of times; `event_timestamp`, or the only one of times, where it is left out.
    ///   - usesFullNames: whether features asked for by reference are called `view__feature`.
    /// - Returns: all columns of the rows and then the features, in the order of the rows.
    public func history(
        _ selection: FeatureSelection, of rows: [UInt8], in format: RowFormat, as answer: RowFormat? = nil,
        time: String? = nil, usesFullNames: Bool = false
    ) async throws -> [UInt8] {
        try await connection.send(
            "/features/history",
            [
                ("service", selection.service), ("features", selection.references?.joined(separator: ",")),
                ("time", time), ("full_names", usesFullNames ? "true" : nil), ("format", (answer ?? format).rawValue),
            ], rows, contentType: format.contentType)
    }

    /// Features joined to entity rows, each as a value of a type with members of the rows and features, called
    /// `view__feature`.
    ///
    /// For some thousands of rows; more travel better as Arrow or Parquet.
    public func history<Row: Decodable>(
        _ type: Row.Type, from selection: FeatureSelection, for entities: [some Encodable], time: String? = nil
    ) async throws -> [Row] {
        var lines: [UInt8] = []
        for entity in entities {
            lines += try JSON.canonical(entity)
            lines.append(UInt8(ascii: "\n"))
        }
        let answer = try await history(selection, of: lines, in: .json, time: time, usesFullNames: true)
        return try answer.split(separator: UInt8(ascii: "\n")).map { try JSON.decode(type, from: Array($0)) }
    }

    // MARK: Writing

    /// Pushes events to a stream, each a value whose properties are called as the stream's columns.
    /// - Parameter target: where values computed from them go.
    public func push(
        _ events: [some Encodable], to stream: String, target: PushTarget = .both
    ) async throws -> PushedEvents {
        return try await connection.post(
            "/features/streams/\(FactoryConnection.escape(stream))/push",
            PushBody(rows: try Self.objects(events), to: target), as: PushedEvents.self)
    }

    /// Writes rows of one view online, each where nothing newer is stored: its join keys, event time and features.
    public func write(_ rows: [some Encodable], to view: String) async throws -> [WrittenRows] {
        let objects = try Self.objects(rows)
        var columns: [String: [JSONValue]] = [:]
        for name in Set(objects.flatMap { $0.object?.keys.map(\.self) ?? [] }) {
            columns[name] = objects.map { $0[name] ?? .null }
        }
        return try await connection.post("/features/push", WriteBody(to: view, rows: columns), as: [WrittenRows].self)
    }

    /// Brings values of history online, and waits until they are there.
    ///
    /// - Parameters:
    ///   - views: all that are kept online where none is named.
    ///   - from: event times from here; from the beginning where it is left out.
    ///   - to: up to here; now where it is left out.
    ///   - progress: told now and then how far it is.
    public func materialize(
        _ views: [String]? = nil, from: Timestamp? = nil, to: Timestamp? = nil,
        progress: @Sendable (Materialisation.Progress) -> Void = { _ in }
    ) async throws -> Materialisation {
        try await materialize(views, from: from, to: to, path: "materialize", progress)
    }

    /// Brings values of history online that are newer than those brought the last time, and waits until they are there.
    public func materializeIncremental(
        _ views: [String]? = nil, to: Timestamp? = nil,
        progress: @Sendable (Materialisation.Progress) -> Void = { _ in }
    ) async throws -> Materialisation {
        try await materialize(views, from: nil, to: to, path: "materialize-incremental", progress)
    }

    private func materialize(
        _ views: [String]?, from: Timestamp?, to: Timestamp?, path: String,
        _ progress: @Sendable (Materialisation.Progress) -> Void
    ) async throws -> Materialisation {
        struct Body: Encodable {
            var views: [String]?
            var from: Timestamp?
            var to: Timestamp?
            var async = true
        }
        struct Run: Decodable {
            var id: String
            var state: String
            var progress: Materialisation.Progress?
            var report: Materialisation?
            var error: String?
        }
        var run = try await connection.post("/features/\(path)", Body(views: views, from: from, to: to), as: Run.self)
        while run.state == "running" {
            try await Task.sleep(for: .milliseconds(100))
            run = try await connection.get(
                "/features/materialize/\(FactoryConnection.escape(run.id))", as: Run.self)
            if let made = run.progress { progress(made) }
        }
        guard let report = run.report else {
            throw ClientFailure(.internal, run.error ?? "the materialisation did not end")
        }
        return report
    }

    private static func objects(_ rows: [some Encodable]) throws -> [JSONValue] {
        try rows.map { try JSON.decode(JSONValue.self, from: JSON.canonical($0)) }
    }
}

private struct PushBody: Encodable {
    var rows: [JSONValue]
    var to: PushTarget
}

private struct WriteBody: Encodable {
    var to: String
    var rows: [String: [JSONValue]]
}
