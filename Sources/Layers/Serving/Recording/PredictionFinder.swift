import Basics
import Features
import ObjectStorage
import Records

/// Finds answers that were given, of endpoints and of models alike.
public struct PredictionFinder: Sendable {
    private let channels: RecordChannels
    private let endpoints: EndpointTable
    private let worker = BlockingThread(name: "predictions")

    /// - Parameter endpoints: tells the names of features.
    public init(_ channels: RecordChannels, endpoints: EndpointTable) {
        self.channels = channels
        self.endpoints = endpoints
    }

    /// Which of the newest answers are wanted.
    public struct Query: Sendable {
        /// An endpoint or a model; nil for all.
        public var model: String?
        public var since: Timestamp?
        public var limit: Int

        public init(model: String? = nil, since: Timestamp? = nil, limit: Int = 20) {
            self.model = model
            self.since = since
            self.limit = limit
        }
    }

    /// Everything that is called so, oldest first: callers may give one id twice. The rows of a request of several are
    /// called `ID/0`, `ID/1` and so on, and are found by `ID` too.
    ///
    /// - Throws: ``ServingFailure/unknownPrediction(_:)`` where there is nothing; what reading throws.
    public func find(_ id: String) async throws -> [KeptPrediction] {
        let name = Array(id.utf8)
        var found: [KeptPrediction] = []
        for (kind, channel) in try await sources(nil) {
            let reader = try await channels.channel(kind.channel, channel).reader(from: .start)
            let features = endpoints[channel]?.service.inputNames
            found += try await worker.run {
                var found: [KeptPrediction] = []
                try reader.read(.named(id)) { record in
                    guard kind.isNamed(name, record.bytes),
                        let prediction = kind.prediction(record.bytes, channel: channel, features: features)
                    else { return }
                    found.append(prediction)
                }
                return found
            }
        }
        guard !found.isEmpty else { throw ServingFailure.unknownPrediction(id) }
        return found.sorted { $0.recorded < $1.recorded }
    }

    /// The newest answers, newest first.
    ///
    /// - Throws: ``ServingFailure/unknownModel(_:known:)`` where nothing was ever kept of the one that is named.
    public func list(_ query: Query) async throws -> [KeptPrediction] {
        let limit = max(0, query.limit)
        let sources = try await sources(query.model)
        if let model = query.model, sources.isEmpty {
            throw ServingFailure.unknownModel(model, known: try await self.sources(nil).map(\.1))
        }
        var found: [KeptPrediction] = []
        for (kind, channel) in sources {
            let reader = try await channels.channel(kind.channel, channel).reader(from: .start)
            let features = endpoints[channel]?.service.inputNames
            let since = query.since?.microseconds ?? .min
            found += try await worker.run {
                // The last ones, in twice their room, so that dropping what is too old is seldom.
                var newest: [[UInt8]] = []
                try reader.read(query.since.map { .since($0) } ?? .all) { record in
                    guard let moment = kind.moment(record.bytes), moment >= since else { return }
                    newest.append([UInt8](record.bytes))
                    if newest.count > 2 * limit { newest.removeFirst(newest.count - limit) }
                }
                return newest.suffix(limit).compactMap { bytes in
                    bytes.withUnsafeBytes { kind.prediction($0, channel: channel, features: features) }
                }
            }
        }
        return Array(found.sorted { $0.recorded > $1.recorded }.prefix(limit))
    }

    /// The channels that have records of an endpoint or a model; nil for all.
    private func sources(_ name: String?) async throws -> [(KeptPrediction.Kind, String)] {
        var sources: [(KeptPrediction.Kind, String)] = []
        for kind in KeptPrediction.Kind.allCases {
            for channel in try await channels.names(of: kind.channel) where name == nil || channel == name {
                sources.append((kind, channel))
            }
        }
        return sources
    }
}

/// How the records of each kind are read.
extension KeptPrediction.Kind {
    /// Whether a record is called so, or is a row of a request that is.
    func isNamed(_ id: [UInt8], _ bytes: UnsafeRawBufferPointer) -> Bool {
        let name = self == .endpoint ? PredictionRecord.id(in: bytes) : TensorRecord.id(in: bytes)
        guard let name, name.starts(with: id) else { return false }
        let rest = name.dropFirst(id.count)
        guard let slash = rest.first else { return true }
        return slash == UInt8(ascii: "/") && rest.dropFirst().allSatisfy { (48...57).contains($0) } && rest.count > 1
    }

    /// When a record was kept, in microseconds since 1970; nil where the bytes are no record.
    func moment(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        let offset = self == .endpoint ? 12 : 4
        guard bytes.count >= offset + 8, bytes[0] == 1 else { return nil }
        return Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int64.self))
    }

    /// What a record tells; nil where the bytes are none.
    func prediction(_ bytes: UnsafeRawBufferPointer, channel: String, features: [String]?) -> KeptPrediction? {
        switch self {
        case .endpoint:
            PredictionRecord(bytes).map { KeptPrediction($0, endpoint: channel, features: features) }
        case .model: TensorRecord(bytes).map { KeptPrediction($0) }
        }
    }
}

extension PredictionRecord {
    /// The bytes of the id of a record; nil where the bytes are none.
    static func id(in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard bytes.count >= headerBytes, bytes[0] == 1, bytes.count >= headerBytes + Int(bytes[3]) else { return nil }
        return UnsafeRawBufferPointer(rebasing: bytes[headerBytes..<headerBytes + Int(bytes[3])])
    }
}

extension TensorRecord {
    /// What stands before the id.
    private static let headerBytes = 44

    /// The bytes of the id of a record; nil where the bytes are none.
    static func id(in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard bytes.count >= headerBytes + 2, bytes[0] == 1 else { return nil }
        let count = Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: headerBytes, as: UInt16.self)))
        guard bytes.count >= headerBytes + 2 + count else { return nil }
        return UnsafeRawBufferPointer(rebasing: bytes[headerBytes + 2..<headerBytes + 2 + count])
    }
}
