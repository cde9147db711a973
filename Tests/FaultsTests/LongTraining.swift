import Basics
import Foundation

/// A training on one server, watched on another.
final class LongTraining: @unchecked Sendable {
    /// The id of its run.
    private(set) var run = ""
    private let done = DispatchSemaphore(value: 0)
    // Written before `done` is signalled, read after.
    private var problem: String?

    /// Begins it, and returns when its run is recorded.
    init(on index: Int, of servers: LiveServers) throws {
        let watcher = try servers.api(1 - index)
        let before = try Self.runs(watcher)
        let url = servers.place(index).url
        Thread { [self] in
            do { try API(url: url).post("/train/long", [:]) } catch { problem = "\(error)" }
            done.signal()
        }.start()
        try eventually("the training has a run", within: 20) {
            let begun = try Self.runs(watcher).first { before[$0.key] == nil }
            run = begun?.key ?? ""
            return begun?.value == "RUNNING"
        }
    }

    /// Waits for its end.
    /// - Returns: why it failed, or nil.
    func end() throws -> String? {
        guard done.wait(timeout: .now() + 60) == .success else { throw Unmet("the training does not end") }
        return problem
    }

    /// The status of each run of the long training.
    static func runs(_ api: API) throws -> [String: String] {
        let runs = try api.get("/runs?experiment=long&limit=1000").array ?? []
        return Dictionary(
            runs.compactMap { run in run["id"]?.string.map { ($0, run["status"]?.string ?? "") } },
            uniquingKeysWith: { first, _ in first })
    }
}
