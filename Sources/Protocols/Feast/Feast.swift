import Basics
import Features
import HTTP
import Security

/// The HTTP protocol of Feast's feature server, so that its SDK with `online_store: {type: remote}` reads, writes and
/// materializes here.
///
/// It differs where Feast's own server misleads or refuses its service: values that are null or older than their ttl are told by the statuses
/// `NULL_VALUE` and `OUTSIDE_MAX_AGE` (with `?as_feast=true` as Feast does it: the value and `PRESENT`), outputs come in the order asked
/// for, and what is the caller's fault is answered by 400, or 404 for what is unknown, instead of 500.
public struct Feast: Sendable {
    let features: FeatureStore
    let streams: FeatureStreams
    private let loops: [OnlineSession]
    private let workers: OnlineWorkers
    private let answersOnLoops: Bool

    /// - Parameters:
    ///   - time: as of when features are read.
    ///   - loops: the number of network threads; each has a session of its own.
    ///   - workers: the number of threads that answer what a loop does not.
    ///   - answersOnLoops: false where reading features waits for a network.
    public init(
        features: FeatureStore, streams: FeatureStreams, time: any TimeSource, loops: Int, workers: Int,
        answersOnLoops: Bool
    ) {
        self.features = features
        self.streams = streams
        self.answersOnLoops = answersOnLoops
        func sessions(_ count: Int) -> [OnlineSession] {
            (0..<max(1, count)).map { _ in OnlineSession(features: features, time: time) }
        }
        self.loops = sessions(loops)
        self.workers = OnlineWorkers(sessions(workers))
    }

    /// Puts the protocol's routes on a router, with its own shape of errors.
    public func install(on router: Router) {
        let paths = [Self.online, "/push", "/write-to-online-store", "/materialize", "/materialize-incremental"]
        for path in paths { router.errorShape(prefix: path) { FeastProblem($0).response } }
        router.inline(.post, Self.online, needs: .right(to: .read)) { answerInline($0) }
        post(Self.online, needs: .right(to: .read), on: router) { request in
            .bytes(
                try await answer(request.body, asFeast: request.query("as_feast") == "true"),
                contentType: "application/json")
        }
        installWrites(on: router)
        installMaterialize(on: router)
    }

    private static let online = "/get-online-features"

    /// Registers a handler whose errors get the protocol's shape.
    func post(
        _ path: String, needs need: RouteNeed, on router: Router,
        _ handler: @escaping @Sendable (HTTPRequest) async throws -> HTTPResponse
    ) {
        router.post(path, needs: need) { request in
            do { return try await handler(request) } catch {
                return FeastProblem(error, requestID: request.requestID, request: request.body).response
            }
        }
    }

    private func answerInline(_ exchange: borrowing InlineExchange) -> Bool {
        guard answersOnLoops, loops.indices.contains(exchange.loopIndex) else { return false }
        do {
            let asFeast = exchange.rawQuery.elementsEqual("as_feast=true".utf8)
            let session = loops[exchange.loopIndex]
            guard case .answered(let bytes) = try session.answer(exchange.body, asFeast: asFeast, onLoop: true) else {
                return false
            }
            exchange.reply(.ok, contentType: "application/json", bytes)
        } catch {
            let problem = FeastProblem(error, requestID: exchange.requestID ?? "", request: [UInt8](exchange.body))
            problem.body.withUnsafeBytes {
                exchange.reply(problem.status, contentType: "application/json", $0)
            }
        }
        return true
    }

    private func answer(_ body: [UInt8], asFeast: Bool) async throws -> [UInt8] {
        var outcome = try await workers.answer(body, asFeast: asFeast, reader: nil)
        if case .needsReader(let selection) = outcome {
            let reader = try await features.onlineReader(selection)
            outcome = try await workers.answer(body, asFeast: asFeast, reader: reader)
        }
        guard case .answered(let bytes) = outcome else {
            throw FeastFailure.value("the features asked for could not be found", remedy: "Try again.")
        }
        return bytes
    }
}
