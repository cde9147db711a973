import Basics
import Columnar
import Foundation
import Works

struct DoctorCommand: Command {
    let usage = Usage(
        name: "doctor", summary: "Check that this machine and root are fit to work",
        example: "modelworks doctor --root /var/lib/modelworks")

    func run(_ arguments: Arguments, _ context: Context) async throws -> Output {
        let root = context.root(arguments)
        var checks: [(name: String, problem: String?, detail: String)] = []
        func check(_ name: String, _ body: () async throws -> String) async {
            do { checks.append((name, nil, try await body())) } catch {
                checks.append((name, (error as? any Failure)?.description ?? "\(error)", ""))
            }
        }
        await check("root") {
            if let url = RootLock.serverURL(root: root) { return "\(root), in use by the server at \(url)" }
            let works = try await Works.open(context.works(arguments))
            await works.close()
            return "\(root) can be opened and written"
        }
        await check("analytic engine") {
            let engine = ColumnarEngine(
                ColumnarOptions(memoryLimitBytes: 64 << 20, threads: 1, temporaryDirectory: NSTemporaryDirectory()))
            let table = try await engine.query(
                "SELECT timezone('UTC', timezone('America/New_York', TIMESTAMP '2013-07-01 08:00:00')) AS t")
            guard try table.timestamps("t").first == Timestamp("2013-07-01T12:00:00Z") else {
                throw CommandFailure(.internal, "it does not know time zones")
            }
            return "DuckDB answers, with time zones"
        }
        await check("disk") {
            let facts = try FileManager.default.attributesOfFileSystem(
                forPath: FileManager.default.fileExists(atPath: root) ? root : "/")
            let free = (facts[.systemFreeSize] as? NSNumber)?.int64Value ?? 0
            guard free > 1 << 30 else {
                throw CommandFailure(.resourceExhausted, "only \(free >> 20) MiB are free", remedy: "Free some space.")
            }
            return "\(free >> 30) GiB free"
        }
        let good = checks.allSatisfy { $0.problem == nil }
        let lines = checks.map { "\($0.problem == nil ? "ok  " : "BAD ") \($0.name): \($0.problem ?? $0.detail)" }
        return Output(
            document: .array(
                checks.map {
                    [
                        "check": .string($0.name), "ok": .bool($0.problem == nil),
                        "detail": .string($0.problem ?? $0.detail),
                    ]
                }),
            text: lines.joined(separator: "\n"), good: good)
    }
}
