import Basics
import Configuration
import Foundation
import Serving
import Streams
import Telemetry
import Works

/// `stream`: scores events of a topic into another, and looks at topics.
struct StreamCommand: Command {
    let usage = Usage(
        name: "stream", summary: "Score the events of a topic into another, each once, and look at topics",
        positionals: ["score|status|publish|read", "[DEFINITION or TOPIC]"],
        options: [
            .init(
                name: "streams", value: "ADDRESS",
                help: "the topics' store, log:FOLDER or kafka://HOST:PORT (or MODELWORKS_STREAMS)"),
            .init(name: "model", value: "PATH", help: "score: a model file or folder, in place of the definition's"),
            .init(name: "from", value: "TOPIC", help: "score: events, one JSON object each"),
            .init(name: "to", value: "TOPIC", help: "score: answers, one for each event"),
            .init(
                name: "rejected", value: "TOPIC", help: "score: events without an answer (default FROM.rejected)"),
            .init(name: "group", value: "NAME", help: "score: scorers of one name share the partitions"),
            .init(
                name: "instance", value: "NAME",
                help: "score: this process among those of a group on Kafka (default: the host's name)"),
            .init(name: "start", value: "oldest|newest", help: "score: where a new group begins (default oldest)"),
            .init(name: "rows", value: "N", help: "score: events of a batch at most (default 1024)"),
            .init(name: "id", value: "MEMBER", help: "score: what names an event (default id)"),
            .init(name: "until-idle", value: "SECONDS", help: "score: end when no event has come for so long"),
            .init(name: "metrics-port", value: "PORT", help: "score: show metrics for Prometheus at /metrics"),
            .init(name: "file", value: "FILE", help: "publish: events as JSON lines"),
            .init(name: "key", value: "MEMBER", help: "publish: what decides the partition and keeps its order"),
            .init(name: "partitions", value: "N", help: "publish: of a topic that is not there yet (default 4)"),
            .init(name: "limit", value: "N", help: "read: the newest records of each partition (default 10)"),
        ],
        example: "modelworks stream score --streams kafka://kafka:9092 --model fraud.onnx --from payments --to scores"
    )

    func run(_ arguments: Arguments, _ context: Context) async throws -> Output {
        switch arguments.required(0) {
        case "score": try await score(arguments, context)
        case "status": try await status(arguments, context)
        case "publish": try await publish(arguments, context)
        case "read": try await read(arguments, context)
        default:
            throw UsageError(
                "'modelworks stream' knows no '\(arguments.required(0))'",
                remedy: "Use score, status, publish or read.")
        }
    }

    private func score(_ arguments: Arguments, _ context: Context) async throws -> Output {
        let scoring = try scoring(arguments, context)
        var options = StreamScorerOptions(
            scoring, streams: try address(arguments, context), model: modelPath(scoring, arguments, context),
            environment: context.environment)
        if let instance = arguments.option("instance"), options.streams.hasPrefix("kafka:") {
            options.streams += "\(options.streams.contains("?") ? "&" : "?")client_id=\(instance)"
        }
        if arguments.option("until-idle") != nil {
            options.idle = .seconds(try arguments.integer("until-idle", default: 1, in: 0...86_400))
        }
        if arguments.option("metrics-port") != nil {
            options.metricsPort = try arguments.integer("metrics-port", default: 0, in: 0...65_535)
        }
        let json = arguments.flag("json")
        let stop = StopSignal()
        try await StreamScorerProcess.run(options, every: json ? 1 : 10) { status in
            say(json ? (try? JSON.string(status)) ?? "" : Self.line(status))
        } until: {
            await stop.wait()
        }
        // How far it came has been told already.
        return Output(document: ["stopped": true], text: "Stopped.")
    }

    static func line(_ status: StreamScorerStatus) -> String {
        func milliseconds(_ seconds: Double?) -> String {
            seconds.map { String(format: "%.1f ms", $0 * 1000) } ?? "none"
        }
        let lag = status.partitions.reduce(0) { $0 + $1.lag }
        return "\(status.scorer): \(status.scored) scored, \(status.rejected) rejected, \(status.skipped) skipped, "
            + "\(Int(status.eventsPerSecond)) events/s, \(Int(status.batchRows)) a batch, lag \(lag), "
            + "p50 \(milliseconds(status.latencyP50)), p99 \(milliseconds(status.latencyP99))"
    }

    private func status(_ arguments: Arguments, _ context: Context) async throws -> Output {
        if arguments.positional(1) == nil, arguments.option("from") == nil {
            return try await factoryStatus(arguments, context)
        }
        let scoring = try scoring(arguments, context)
        let positions = try await opened(arguments, context) { streams in
            try await StreamPositions.of(scoring, on: streams)
        }
        var table = TextTable(["partition", "end", "position", "lag"])
        for item in positions.partitions {
            table.add(["\(item.partition)", "\(item.end)", "\(item.position)", "\(item.lag)"])
        }
        return Output(
            document: try JSON.value(positions),
            text: table.rendered() + "\nRejected: \(positions.rejected)")
    }

    /// How far the scorers of a factory have come.
    private func factoryStatus(_ arguments: Arguments, _ context: Context) async throws -> Output {
        let client = try await Client.open(arguments, context)
        let statuses: [StreamScorerStatus]
        do { statuses = try await client.get("/scorers", as: [StreamScorerStatus].self) } catch {
            await client.close()
            throw error
        }
        await client.close()
        return Output(
            document: try JSON.value(statuses),
            text: statuses.isEmpty
                ? "No scorer runs in the server." : statuses.map(Self.line).joined(separator: "\n"))
    }

    private func publish(_ arguments: Arguments, _ context: Context) async throws -> Output {
        let topic = try topic(arguments)
        guard let file = arguments.option("file").map(context.absolute) else {
            throw UsageError("'modelworks stream publish' needs --file FILE")
        }
        guard let bytes = FileManager.default.contents(atPath: file) else {
            throw CommandFailure(.notFound, "the file \(file) can not be read", remedy: "Check --file.")
        }
        let partitions = try arguments.integer("partitions", default: 4, in: 1...1024)
        let key = arguments.option("key")
        let records = try bytes.split(separator: UInt8(ascii: "\n")).enumerated().map { number, line in
            guard let key else { return StreamRecord(value: Array(line)) }
            guard let value = try? JSON.decode(JSONValue.self, from: Array(line))[key] else {
                throw CommandFailure(
                    .invalidArgument, "line \(number + 1) of \(file) is no JSON object with '\(key)'",
                    remedy: "Nothing was published. Check the line, or leave out --key.")
            }
            return StreamRecord(key: Array(value.cell.utf8), value: Array(line))
        }
        try await opened(arguments, context) { streams in
            if try await !streams.topics().contains(where: { $0.name == topic }) {
                try await streams.createTopic(topic, partitions: partitions)
            }
            for start in stride(from: 0, to: records.count, by: 1000) {
                try await streams.publish(Array(records[start..<min(start + 1000, records.count)]), to: topic)
            }
        }
        return Output(
            document: ["topic": .string(topic.text), "events": .integer(Int64(records.count))],
            text: "Published \(records.count) events to \(topic).")
    }

    private func read(_ arguments: Arguments, _ context: Context) async throws -> Output {
        let topic = try topic(arguments)
        let limit = try arguments.integer("limit", default: 10, in: 1...1_000_000)
        let records = try await opened(arguments, context) { streams in
            let (starts, ends) = (try await streams.starts(topic), try await streams.ends(topic))
            var records: [StreamedRecord] = []
            for (partition, end) in ends.enumerated() {
                let from = max(starts.dropFirst(partition).first ?? 0, end - Int64(limit))
                records += try await streams.held(topic, partition: partition, from: from, limit: limit)
            }
            return records
        }
        let documents = records.map { record -> JSONValue in
            let value = try? JSON.decode(JSONValue.self, from: record.record.value)
            var document: [String: JSONValue] = [
                "partition": .integer(Int64(record.position.partition)), "offset": .integer(record.position.offset),
                "value": value ?? .string(String(decoding: record.record.value, as: UTF8.self)),
            ]
            if let key = record.record.key { document["key"] = .string(String(decoding: key, as: UTF8.self)) }
            if let reason = record.record.headers.first(where: { $0.name == "reason" }) {
                document["reason"] = .string(String(decoding: reason.value, as: UTF8.self))
            }
            return .object(document)
        }
        let lines = records.map { record in
            let reason = record.record.headers.first { $0.name == "reason" }.map {
                "  # \(String(decoding: $0.value, as: UTF8.self))"
            }
            return "\(record.position.partition)/\(record.position.offset)  "
                + String(decoding: record.record.value, as: UTF8.self) + (reason ?? "")
        }
        return Output(document: .array(documents), text: lines.isEmpty ? "No records." : lines.joined(separator: "\n"))
    }
}

extension StreamCommand {
    /// What is to be scored: the definition, and what the options say in its place.
    private func scoring(_ arguments: Arguments, _ context: Context) throws -> StreamScoring {
        func topic(_ name: String) throws -> TopicName? { try arguments.option(name).map { try TopicName($0) } }
        var scoring: StreamScoring
        if let path = arguments.positional(1).map(context.absolute) {
            guard let bytes = FileManager.default.contents(atPath: path) else {
                throw CommandFailure(.notFound, "there is no definition \(path)", remedy: "Check the path.")
            }
            let nodes = try YAMLParser.parse(String(decoding: bytes, as: UTF8.self), file: path)
            guard let node = nodes.first, nodes.count == 1 else {
                throw CommandFailure(
                    .invalidArgument, "\(path) holds \(nodes.count) documents", remedy: "Name a file of one scorer.")
            }
            scoring = try StreamScoring(node)
        } else {
            guard let from = try topic("from"), let to = try topic("to") else {
                throw UsageError(
                    "'modelworks stream \(arguments.required(0))' needs a DEFINITION, or --from and --to",
                    remedy: "See 'modelworks stream --help'.")
            }
            guard let model = arguments.option("model") ?? (arguments.required(0) == "status" ? "" : nil) else {
                throw UsageError("'modelworks stream score' needs --model PATH")
            }
            scoring = try StreamScoring(name: "\(from).\(to)", model: model, from: from, to: to)
        }
        scoring.name = arguments.option("group") ?? scoring.name
        scoring.from = try topic("from") ?? scoring.from
        scoring.to = try topic("to") ?? scoring.to
        scoring.deadLetters = try topic("rejected") ?? scoring.deadLetters
        if let start = arguments.option("start") {
            guard let start = StreamStart(rawValue: start) else {
                throw UsageError("'--start' must be oldest or newest")
            }
            scoring.start = start
        }
        scoring.rows = try arguments.integer("rows", default: scoring.rows, in: 1...StreamScoring.rowsMax)
        scoring.idField = arguments.option("id") ?? scoring.idField
        return scoring
    }

    /// A path in a definition is meant from its folder.
    private func modelPath(_ scoring: StreamScoring, _ arguments: Arguments, _ context: Context) -> String {
        if let model = arguments.option("model") { return context.absolute(model) }
        guard let definition = arguments.positional(1), !scoring.model.hasPrefix("/") else {
            return context.absolute(scoring.model)
        }
        return (context.absolute(definition) as NSString).deletingLastPathComponent + "/" + scoring.model
    }

    private func topic(_ arguments: Arguments) throws -> TopicName {
        guard let name = arguments.positional(1) else {
            throw UsageError("'modelworks stream \(arguments.required(0))' needs TOPIC")
        }
        return try TopicName(name)
    }

    private func address(_ arguments: Arguments, _ context: Context) throws -> String {
        guard let address = arguments.option("streams") ?? context.environment["MODELWORKS_STREAMS"] else {
            throw UsageError(
                "'--streams' is needed", remedy: "Name the topics' store: --streams log:FOLDER or kafka://HOST:9092.")
        }
        return address
    }

    /// Opens the store for one piece of work.
    private func opened<Result: Sendable>(
        _ arguments: Arguments, _ context: Context, _ body: (any EventStreams) async throws -> Result
    ) async throws -> Result {
        let url = try StoreURL(
            try address(arguments, context), secrets: SecretSource(environment: context.environment))
        let streams = try await Streams.open(url, time: SystemTime(), logger: .silent, metrics: MetricsRegistry())
        do {
            let result = try await body(streams)
            await streams.close()
            return result
        } catch {
            await streams.close()
            throw error
        }
    }
}
