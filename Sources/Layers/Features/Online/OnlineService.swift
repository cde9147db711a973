import Basics
import Expressions
import KeyValue

/// A feature service made ready for reading: which keys to look up, and where each value goes in the model's input.
public final class OnlineService: Sendable {
    public let name: String
    /// The digest of the service with all its views.
    public let digest: Digest
    public let inputNames: [String]
    /// The first inputs come with the request.
    public let requestCount: Int
    public let requestNames: [String]
    /// Join keys the caller gives, in this order.
    public let joinKeys: [String]
    private let parts: [OnlinePart]
    private let transforms: OnlineTransforms
    private let store: any KeyValueStore
    private let table: KeyValueTable

    init(_ service: FeatureService, catalogue: Catalogue, store: any KeyValueStore, table: KeyValueTable) throws {
        name = service.name
        digest = try catalogue.digest(ofService: service.name)
        inputNames = service.inputNames
        requestNames = service.request.map(\.name)
        requestCount = service.request.count
        var joinKeys: [String] = []
        var parts: [OnlinePart] = []
        var transforms = OnlineTransforms()
        var firstInput = requestCount
        for selection in service.selections {
            defer { firstInput += selection.features.count }
            guard !selection.isTransform else {
                try Self.checkNumbers(selection, catalogue)
                let feeds = try transforms.add(
                    selection, firstTarget: firstInput, catalogue: catalogue,
                    request: { try service.place(ofRequest: $0, for: selection.source) },
                    part: {
                        let part = OnlinePart(
                            $0, digest: try catalogue.digest(ofView: $0.name), keys: [:], callerKeys: &joinKeys)
                        if let same = parts.firstIndex(where: { $0.isSameLookup(as: part) }) { return same }
                        parts.append(part)
                        return parts.count - 1
                    })
                for (place, feed) in feeds { parts[place].feeds.append(feed) }
                continue
            }
            let view = try catalogue.view(selection.source)
            var part = OnlinePart(
                view, digest: try catalogue.digest(ofView: view.name), keys: selection.keys, callerKeys: &joinKeys)
            part.positions = selection.features.compactMap { view.featureNames.firstIndex(of: $0) }
            part.firstInput = firstInput
            parts.append(part)
        }
        self.joinKeys = joinKeys
        self.parts = parts
        self.transforms = transforms
        self.store = store
        self.table = table
    }

    /// Reads the newest stored values as of a moment into the inputs after the request's own: all views in one look-up,
    /// which is one round trip where the store is remote.
    ///
    /// A value is null (NaN) when there is none, when it is older than the view's ttl, or when it was not to be used yet at
    /// the moment asked for. Numbers of any type become doubles, true is 1.
    ///
    /// - Parameters:
    ///   - keys: a value for each of ``joinKeys``, as texts.
    ///   - moment: microseconds since 1970.
    ///   - inputs: those of the model, the request's own already there.
    ///   - scratch: of ``scratch()``, used by one thread at a time.
    public func read(
        keys: UnsafeBufferPointer<UnsafeRawBufferPointer>, at moment: Int64,
        into inputs: UnsafeMutableBufferPointer<Double>, with scratch: OnlineScratch
    ) throws {
        transforms.begin(scratch.frames) { frame, input, type, request in
            frame.set(input, type, number: inputs[request])
        }
        try look(keys: keys, at: moment, into: inputs, with: scratch)
        transforms.finish(scratch.frames) { frame, output, type, target in
            inputs[target] = frame.number(output, type)
        }
    }

    private static func checkNumbers(_ selection: FeatureService.Selection, _ catalogue: Catalogue) throws {
        let outputs = try catalogue.program(ofTransform: selection.source).outputs
        for feature in selection.features where outputs.contains(where: { $0.name == feature && $0.type == .string }) {
            throw FeaturesFailure.definition(
                "the feature '\(selection.source):\(feature)' is a text, and a model's inputs are numbers",
                remedy: "Turn it into a number in the transform.")
        }
    }

    /// Memory for reads by one thread.
    public func scratch() -> OnlineScratch { OnlineScratch(transforms) }

    private func look(
        keys: UnsafeBufferPointer<UnsafeRawBufferPointer>, at moment: Int64,
        into inputs: UnsafeMutableBufferPointer<Double>, with scratch: OnlineScratch
    ) throws {
        guard !parts.isEmpty else { return }
        let bytes = parts.reduce(0) { $0 + $1.keyLength(keys) }
        try withUnsafeTemporaryAllocation(byteCount: bytes, alignment: 8) { buffer in
            try withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: parts.count) { lookups in
                var start = 0
                for (index, part) in parts.enumerated() {
                    let end = start + part.keyLength(keys)
                    let count = part.writeKey(
                        keys, into: UnsafeMutableRawBufferPointer(rebasing: buffer[start..<end]))
                    lookups.initializeElement(
                        at: index, to: UnsafeRawBufferPointer(rebasing: buffer[start..<start + count]))
                    start = end
                }
                try store.read { transaction in
                    try transaction.withValues(UnsafeBufferPointer(lookups), in: table) { index, value in
                        Self.copy(value, parts[index], moment, inputs, scratch.frames)
                    }
                }
            }
        }
    }

    private static func copy(
        _ value: UnsafeRawBufferPointer?, _ part: OnlinePart, _ moment: Int64,
        _ inputs: UnsafeMutableBufferPointer<Double>, _ frames: [ScalarFrame]
    ) {
        if let value, let row = OnlineRow(value, part.layout), part.status(row, at: moment) == .present {
            for (offset, position) in part.positions.enumerated() {
                inputs[part.firstInput + offset] = row.number(position)
            }
            part.feed(row, to: frames)
        } else {
            for offset in part.positions.indices { inputs[part.firstInput + offset] = .nan }
        }
    }
}

extension FeatureService {
    /// Where a field that a transform needs stands among those that come with the request.
    func place(ofRequest field: Feature, for transform: String) throws -> Int {
        guard let place = request.firstIndex(where: { $0.name == field.name }) else {
            throw FeaturesFailure.definition(
                "the service '\(name)' takes the transform '\(transform)', which needs '\(field.name)' of the request",
                remedy: "Add '\(field.name)' to the service's 'request'.")
        }
        return place
    }
}

/// What became of a value that was asked for.
public enum OnlineStatus: UInt8, Sendable, CaseIterable {
    case present
    /// The row is there, and the value is null in it.
    case nullValue
    /// There is no row that was to be used at the moment asked for.
    case notFound
    /// The row is older than its view's ttl.
    case outsideMaxAge
}

/// One view as it is looked up: its keys and how long its rows hold.
struct OnlinePart: Sendable {
    let prefix: [UInt8]
    /// For each join key of the view, its position among the caller's.
    let keys: [Int]
    let layout: OnlineLayout
    /// `Int64.max` for ever.
    let ttlMicroseconds: Int64
    /// Whether a row may not be used before its created time.
    let hidesLateData: Bool
    /// Positions in the view of the features that go into a model's inputs.
    var positions: [Int] = []
    /// Where the first of them goes.
    var firstInput = 0
    /// What transforms take from its rows.
    var feeds: [OnlineTransforms.Feed] = []

    /// - Parameters:
    ///   - keys: join keys of the view that go by another name among the caller's.
    ///   - callerKeys: the caller's join keys, to which new ones are added.
    init(_ view: FeatureView, digest: Digest, keys: [String: String], callerKeys: inout [String]) {
        prefix = OnlineKey.prefix(digest)
        var positions: [Int] = []
        for key in view.joinKeys {
            let name = keys[key] ?? key
            if let index = callerKeys.firstIndex(of: name) {
                positions.append(index)
            } else {
                positions.append(callerKeys.count)
                callerKeys.append(name)
            }
        }
        self.keys = positions
        layout = OnlineLayout(view.features)
        let (ttl, overflow) = (view.ttlSeconds ?? .max).multipliedReportingOverflow(by: 1_000_000)
        ttlMicroseconds = overflow ? .max : ttl
        hidesLateData = view.createdTime != nil && view.lateData == .hidden
    }

    /// Whether it finds the same rows as another.
    func isSameLookup(as other: OnlinePart) -> Bool { prefix == other.prefix && keys == other.keys }

    func keyLength(_ values: UnsafeBufferPointer<UnsafeRawBufferPointer>) -> Int {
        var length = prefix.count
        for index in keys { length += 2 + values[index].count }
        return length
    }

    /// Writes the key of an entity into a buffer of ``keyLength(_:)`` bytes and gives its length.
    func writeKey(
        _ values: UnsafeBufferPointer<UnsafeRawBufferPointer>, into buffer: UnsafeMutableRawBufferPointer
    ) -> Int {
        OnlineKey.write(prefix: prefix, keys.lazy.map { values[$0] }, into: buffer)
    }

    /// Whether a row may be used at a moment: it happened and was known by then, and is not older than the ttl; both ends
    /// of the window are closed.
    func status(_ row: OnlineRow, at moment: Int64) -> OnlineStatus {
        status(row.eventTime, row.createdTime, at: moment)
    }

    func status(_ eventTime: Int64, _ createdTime: Int64, at moment: Int64) -> OnlineStatus {
        guard eventTime <= moment, !hidesLateData || createdTime <= moment else { return .notFound }
        let (oldest, underflow) = moment.subtractingReportingOverflow(ttlMicroseconds)
        return underflow || eventTime >= oldest ? .present : .outsideMaxAge
    }
}
