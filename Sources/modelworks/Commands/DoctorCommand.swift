import Basics
import Columnar
import Foundation
import Inference
import Works

struct DoctorCommand: Command {
    let usage = Usage(
        name: "doctor", summary: "Check that this machine, the root and every store are fit to work",
        positionals: ["[DIRECTORY]"],
        example: "modelworks doctor Examples/flights --root /var/lib/modelworks")

    private struct Check {
        var name: String
        var problem: String?
        var detail = ""
        var store: StoreVerdict?

        var lines: [String] {
            let body = store?.line ?? "\(name): \(problem ?? detail)"
            return ["\(problem == nil ? "ok  " : "BAD ") \(body)"]
                + (store?.warnings.map { "warn \(name): \($0)" } ?? [])
        }
    }

    func run(_ arguments: Arguments, _ context: Context) async throws -> Output {
        let root = context.root(arguments)
        let options = try context.works(arguments, definedIn: arguments.positional(0))
        var checks: [Check] = []
        func check(_ name: String, _ body: () async throws -> String) async {
            do { checks.append(Check(name: name, detail: try await body())) } catch {
                checks.append(Check(name: name, problem: (error as? any Failure)?.description ?? "\(error)"))
            }
        }
        var claim: RootClaim?
        await check("root") {
            let found = try RootClaim(root: root)
            claim = found
            return found.description
        }
        for verdict in await StoreDoctor(options, isInUse: claim?.isTaken ?? false).look() {
            checks.append(Check(name: verdict.store, problem: verdict.problem, store: verdict))
        }
        // Held until here, so that no server starts on the root meanwhile.
        withExtendedLifetime(claim) {}
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
        for runtime in NativeRuntimes.all {
            await check("models of \(runtime.name)") { "\(runtime.name) \(try runtime.release.get())" }
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
        return Output(
            document: .array(try checks.map { try document($0) }),
            text: checks.flatMap(\.lines).joined(separator: "\n"), good: checks.allSatisfy { $0.problem == nil })
    }

    private func document(_ check: Check) throws -> JSONValue {
        var members: [String: JSONValue] = [
            "check": .string(check.name), "ok": .bool(check.problem == nil),
            "detail": .string(check.problem ?? check.store?.line ?? check.detail),
        ]
        if let store = check.store { members["store"] = try JSON.value(store) }
        return .object(members)
    }
}
