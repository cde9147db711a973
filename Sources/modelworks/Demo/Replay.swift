import Automation
import Basics
import Features
import Foundation
import HTTP
import ModelworksClient

/// Plays the world to a factory in event time: moves its clock, asks for predictions when decisions fall due, and tells
/// labels when they become known.
///
/// The clock moves on a grid. At each point come first the labels known by then, then the turn of the factory's loop,
/// then the requests that fall before the next point. One connection asks one question at a time, so that a replay
/// gives the same answers each time.
final class Replay {
    let endpoint: String
    private let connection: HTTPConnection
    private let gridSeconds: Int64
    private var escaped: [String: String] = [:]
    private(set) var totals = Totals()
    /// Wall-clock nanoseconds of every answered request.
    private(set) var latencies: [UInt32] = []
    /// Called with each turn in which something happened.
    var onTurn: (ControlLoop.Turn) throws -> Void = { _ in }

    struct Totals: Codable, Equatable {
        var requests = 0
        var failed = 0
        var labels = 0
        var turns = 0
        var answersByArm: [String: Int] = [:]
    }

    init(connection: HTTPConnection, endpoint: String, gridSeconds: Int64) {
        self.connection = connection
        self.endpoint = endpoint
        self.gridSeconds = gridSeconds
        latencies.reserveCapacity(1 << 18)
    }

    /// Labels of requests already made that are not yet known, by the moment they become known.
    private var pending: [(time: Int64, id: String, value: Double)] = []

    /// Plays the rows of a page, which must be in time order, up to `end`.
    func play(_ page: PopulationPage, from start: Timestamp, to end: Timestamp, progress: (Int) -> Void) throws {
        var row = 0
        var moment = start
        for index in page.ids.indices {
            if let label = page.labels[index], let time = page.labelTimes[index] {
                pending.append((time, page.ids[index], label))
            }
        }
        pending.sort { ($0.time, $0.id) < ($1.time, $1.id) }
        while moment < end {
            try tellLabels(knownBy: moment)
            try advance(to: moment)
            let next = moment.advanced(bySeconds: gridSeconds)
            let first = row
            while row < page.ids.count, page.times[row] < next.microseconds {
                try ask(page, row)
                row += 1
            }
            progress(row - first)
            moment = next
        }
    }

    /// Moves the clock on to `moment` without requests, telling the labels that become known on the way.
    func settle(until moment: Timestamp) throws {
        try tellLabels(knownBy: moment)
        try advance(to: moment)
    }

    private func advance(to moment: Timestamp) throws {
        let response = try post("/api/works/v1/clock", Array("{\"now\":\"\(moment)\"}".utf8))
        totals.turns += 1
        // A quiet turn is told by its length alone: reading each would cost more than making it.
        guard response.count > 160 else { return }
        let turn = try JSON.decode(ControlLoop.Turn.self, from: response)
        if !turn.windows.isEmpty || !turn.pipelines.isEmpty || !turn.rollouts.isEmpty { try onTurn(turn) }
    }

    private func tellLabels(knownBy moment: Timestamp) throws {
        let known = pending.prefix { $0.time <= moment.microseconds }
        guard !known.isEmpty else { return }
        let items = known.map {
            "{\"id\":\(quoted($0.id)),\"value\":\($0.value),\"time\":\"\(Timestamp(microseconds: $0.time))\"}"
        }
        _ = try post(
            "/api/works/v1/endpoints/\(endpoint)/labels", Array("{\"labels\":[\(items.joined(separator: ","))]}".utf8))
        totals.labels += known.count
        pending.removeFirst(known.count)
    }

    private func post(_ path: String, _ body: [UInt8]) throws -> [UInt8] {
        let response = try connection.send(.post, path, headers: ["Content-Type": "application/json"], body: body)
        guard response.status == .ok else { throw RemoteFailure(status: response.status.code, body: response.bytes) }
        return response.bytes
    }

    private func ask(_ page: PopulationPage, _ row: Int) throws {
        let body = infer(page, row)
        let started = SystemTime.monotonicNanoseconds
        let response = try connection.send(
            .post, "/v2/models/\(endpoint)/infer", headers: ["Content-Type": "application/json"], body: body)
        totals.requests += 1
        guard response.status == .ok else {
            totals.failed += 1
            return
        }
        latencies.append(UInt32(clamping: SystemTime.monotonicNanoseconds &- started))
        let canary = response.bytes.suffix(10).elementsEqual("\"canary\"}}".utf8)
        totals.answersByArm[canary ? "canary" : "stable", default: 0] += 1
    }

    /// The Open Inference request of one row.
    private func infer(_ page: PopulationPage, _ row: Int) -> [UInt8] {
        var text = "{\"id\":\(quoted(page.ids[row])),\"inputs\":["
        text += "{\"name\":\"event_time\",\"datatype\":\"INT64\",\"shape\":[1],\"data\":[\(page.times[row])]}"
        for (name, values) in keyColumns(page) {
            text += ",{\"name\":\(name),\"datatype\":\"BYTES\",\"shape\":[1],\"data\":[\(quoted(values[row] ?? ""))]}"
        }
        for (name, values) in requestColumns(page) {
            let value = values[row].map { "\($0)" } ?? "null"
            text += ",{\"name\":\(name),\"datatype\":\"FP64\",\"shape\":[1],\"data\":[\(value)]}"
        }
        return Array((text + "]}").utf8)
    }

    private func keyColumns(_ page: PopulationPage) -> [(String, [String?])] {
        page.keys.sorted { $0.key < $1.key }.map { (quoted($0.key), $0.value) }
    }

    private func requestColumns(_ page: PopulationPage) -> [(String, [Double?])] {
        page.request.sorted { $0.key < $1.key }.map { (quoted($0.key), $0.value) }
    }

    private func quoted(_ text: String) -> String {
        if let known = escaped[text] { return known }
        let made = (try? JSON.string(text)) ?? "\"\""
        if escaped.count < 10_000 { escaped[text] = made }
        return made
    }
}

extension HTTPResponse {
    /// The body of an answer that came over a connection, which is never a stream.
    fileprivate var bytes: [UInt8] {
        guard case .bytes(let bytes) = body else { return [] }
        return bytes
    }
}
