import Basics
import Inference
import Records
import Synchronization
import Telemetry

/// Where the requests to the models of a process are kept, and by which rules where a model says none of its own.
public final class RequestRecords: Sendable {
    /// The kind of the channels, as ``RecordChannels`` knows it; the name is that of the model.
    public static let kind = "requests"

    let time: any TimeSource
    let random: any RandomSource
    private let channels: RecordChannels
    private let key: Secret
    private let metrics: MetricsRegistry
    private let rules: Mutex<RecordPolicy>
    private let lines = Mutex<[String: RecordLine]>([:])
    /// Of models that say it themselves.
    private let days = Mutex<[String: Int]>([:])

    /// - Parameters:
    ///   - key: hashes what is redacted.
    ///   - standard: what is kept where a model says nothing.
    public init(
        _ channels: RecordChannels, key: Secret, standard: RecordPolicy = RecordPolicy(), time: any TimeSource,
        random: any RandomSource, metrics: MetricsRegistry
    ) {
        self.channels = channels
        self.key = key
        self.time = time
        self.random = random
        self.metrics = metrics
        rules = Mutex(standard)
    }

    /// What is kept of models that are loaded from now on, where they say nothing.
    public var standard: RecordPolicy {
        get { rules.withLock { $0 } }
        set { rules.withLock { $0 = newValue } }
    }

    /// What keeps the requests to one version of a model; nil where nothing is to be kept.
    ///
    /// - Throws: ``ServingFailure/badRedaction(_:model:known:)``, or `StorageFailure` where its channel can not be opened.
    func recorder(
        of name: String, version: String, _ model: any TensorModel, _ policy: RecordPolicy
    ) throws -> ModelRecorder? {
        days.withLock { $0[name] = policy.keepDays }
        guard policy.sample > 0 else { return nil }
        let redactor = try Redactor(policy.redactions, of: model, named: name, key: key)
        let channel = try channels.channel(Self.kind, name)
        let line = lines.withLock { lines in
            if let line = lines[name] { return line }
            let line = RecordLine(channel, model: name, in: metrics)
            lines[name] = line
            return line
        }
        return ModelRecorder(
            model: name, version: version, inputs: model.inputs.map(\.name), outputs: model.outputs.map(\.name),
            policy: policy, redactor: redactor, line: line, time: time, random: random)
    }

    /// How many days the records of a channel are kept; nil for as long as nobody deletes them.
    func keepDays(_ kind: String, _ name: String) -> Int? {
        (kind == Self.kind ? days.withLock { $0[name] } : nil) ?? standard.keepDays
    }

    /// Returns when everything that waits has been kept; channels stay open.
    public func drain() async {
        for line in lines.withLock({ Array($0.values) }) { await line.drain() }
    }
}

/// The way of one model's records into their channel: straight, or by a line that is bounded.
final class RecordLine: Sendable {
    private struct State {
        var waiting: [[UInt8]] = []
        var bytes = 0
        var isWorking = false
    }

    private static let waitingMax = 4096
    private static let bytesMax = 64 << 20

    private let channel: any RecordChannel
    private let state = Mutex(State())
    private let thread: BlockingThread
    private let kept: Counter
    private let dropped: Counter

    init(_ channel: any RecordChannel, model: String, in metrics: MetricsRegistry) {
        self.channel = channel
        thread = BlockingThread(name: "records.\(model)")
        kept = metrics.counter(
            "modelworks_request_records_total", help: "Requests to models that were kept.", labels: ["model": model])
        dropped = metrics.counter(
            "modelworks_request_records_dropped_total",
            help: "Requests to models that were not kept: their line was full, or the disk refused.",
            labels: ["model": model])
    }

    /// Keeps a record before it returns.
    /// - Throws: `StorageFailure`; it is then not kept.
    func append(_ record: [UInt8]) throws {
        do { try record.withUnsafeBytes { try channel.append($0) } } catch {
            dropped.increment()
            throw error
        }
        kept.increment()
    }

    /// Keeps a record soon, unless too many wait.
    func offer(_ record: [UInt8]) {
        enum Entry { case waits, starts, refused }
        let entry = state.withLock { state -> Entry in
            guard state.waiting.count < Self.waitingMax, state.bytes + record.count <= Self.bytesMax else {
                return .refused
            }
            state.waiting.append(record)
            state.bytes += record.count
            guard !state.isWorking else { return .waits }
            state.isWorking = true
            return .starts
        }
        switch entry {
        case .waits: break
        case .refused: dropped.increment()
        case .starts: thread.start { self.work() }
        }
    }

    private func work() {
        while true {
            let records = state.withLock { state -> [[UInt8]] in
                let records = state.waiting
                if records.isEmpty { state.isWorking = false }
                (state.waiting, state.bytes) = ([], 0)
                return records
            }
            guard !records.isEmpty else { return }
            // One that the disk refuses is counted; nobody waits for it.
            for record in records { try? append(record) }
        }
    }

    /// Returns when what waits has been kept.
    func drain() async { try? await thread.run {} }
}
