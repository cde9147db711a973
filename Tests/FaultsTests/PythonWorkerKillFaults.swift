import Basics
import Foundation
import TestSupport
import Testing

/// Kills the Python processes of a model at random moments, while callers ask it and another model: the server stays up, the
/// other model answers everybody, and who asks the killed one has the right answer or is told that it is not available now.
struct PythonWorkerTrial {
    let seed: UInt64
    let kills: Int
    private static let workers = 2
    private static let callers = 3

    func run() throws {
        let folder = try TemporaryFolder()
        let models = try AskedModels([.mlp, .python], in: folder)
        let random = SeededRandom(seed: SplitMix.mix(seed))
        let server = try Server(
            [
                "--models", models.path, "--record", folder("kept"), "--grpc-port", "0", "--python-workers",
                "\(Self.workers):\(Self.workers)",
            ], logs: folder.path, environment: ["MODELWORKS_PYTHON": AskedModels.python])
        let workers = Workers(of: server.child.pid)
        let begun = SystemTime.monotonicNanoseconds
        let load = ModelLoad(
            ServerLink(url: server.url), models, callers: Self.callers, mayRefuse: [.python], mayEnd: false, seed: seed)
        try eventually("both workers are there", within: 180) { workers.running.count == Self.workers }
        let channels = workers.channels
        var killed = 0
        var atOnce = 0
        while killed < kills {
            let wanted = load.answers(of: .python) + 1 + Int(random.next() % 60)
            try eventually("a worker is back", within: 180) {
                load.answers(of: .python) >= wanted || !load.now.problems.isEmpty
            }
            usleep(UInt32(random.next() % 20_000))
            // One, all, or one and then its successor while that starts.
            let there = workers.running
            guard let one = there.isEmpty ? nil : there[Int(random.next() % UInt64(there.count))] else { continue }
            switch random.next() % 4 {
            case 0:
                for worker in there where killed < kills {
                    kill(worker, SIGKILL)
                    killed += 1
                }
                if there.count > 1 { atOnce += 1 }
            case 1:
                kill(one, SIGKILL)
                killed += 1
                try eventually("a successor starts", within: 180) {
                    !Set(workers.running).subtracting(there).isEmpty || !load.now.problems.isEmpty
                }
                usleep(UInt32(random.next() % 500_000))
                guard let young = Set(workers.running).subtracting(there).first, killed < kills else { continue }
                kill(young, SIGKILL)
                killed += 1
            default:
                kill(one, SIGKILL)
                killed += 1
            }
        }
        let last = load.answers(of: .python) + 20
        try eventually("the model answers after the last kill", within: 180) {
            load.answers(of: .python) >= last || !load.now.problems.isEmpty
        }
        let outcome = load.end()
        #expect(server.child.exitCode == nil)
        try eventually("all workers are back", within: 180) { workers.running.count == Self.workers }
        // One that starts has more open than one that has started.
        try eventually("what belonged to those that are gone is closed", within: 180) {
            workers.zombies == 0 && workers.channels <= channels
        }
        let faults = try outcome.ledger.faultsInParquet(server, kept: folder("kept"), folder)
        let seconds = Double(SystemTime.monotonicNanoseconds - begun) / 1e9
        print(
            "kill storm: python worker, seed \(seed), kills \(killed), all at once \(atOnce), answers "
                + "\(outcome.answered[.python] ?? 0), told to come again \(outcome.refused), answers of the other model "
                + "\(outcome.answered[.mlp] ?? 0), the longest "
                + String(format: "%.0f ms, ", outcome.longest * 1000)
                + "faults \(faults.count + outcome.problems.count), seconds \(Int(seconds.rounded()))")
        #expect(outcome.problems.isEmpty, "seed \(seed): \(outcome.problems.prefix(10))")
        #expect(faults.isEmpty, "seed \(seed): \(faults.prefix(10).joined(separator: "; "))")
        #expect(outcome.refused > 0, "kills should fall among requests")
        #expect(try server.stop() == 0)
        #expect(workers.running.isEmpty)
    }
}

/// The child processes of a server.
private struct Workers {
    let server: pid_t

    init(of server: pid_t) { self.server = server }

    /// Those that are no zombies.
    var running: [pid_t] { children.filter { state(of: $0) != "Z" } }
    var zombies: Int { children.count { state(of: $0) == "Z" } }

    /// How many pipes and sockets the server has open.
    var channels: Int {
        let folder = "/proc/\(server)/fd"
        return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).count { name in
            let target = (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(name)")) ?? ""
            return target.hasPrefix("pipe:") || target.hasPrefix("socket:")
        }
    }

    private var children: [pid_t] {
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(server)/task")) ?? []
        return tasks.flatMap { task in
            Modelworks.text("/proc/\(server)/task/\(task)/children").split(separator: " ").compactMap { pid_t($0) }
        }
    }

    private func state(of process: pid_t) -> String {
        let fields = Modelworks.text("/proc/\(process)/stat").split(separator: ")").last?.split(separator: " ")
        return fields?.first.map { String($0) } ?? "Z"
    }
}

/// Who asks a model of Python is not left without an answer because its process dies.
@Suite struct PythonWorkerKillFaults {
    @Test("six kills while callers ask", .timeLimit(.minutes(10)))
    func sixKills() async throws {
        try await onThread("python-kill") { try PythonWorkerTrial(seed: KillTrial.seed, kills: 6).run() }
    }
}

/// The same at length.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["MODELWORKS_SOAK"] != nil, "make soak runs it"))
struct PythonWorkerKillSoak {
    @Test("a hundred kills while callers ask", .timeLimit(.minutes(60)))
    func aHundredKills() async throws {
        try await onThread("python-soak") { try PythonWorkerTrial(seed: KillTrial.seed, kills: 100).run() }
    }
}
