import Basics
import Engines
import Foundation
import TestSupport
import Testing

/// Jobs outlive the server that began them, and are done once.
@Suite struct JobFaults {
    private static func submit(_ api: API, _ script: String) throws -> String {
        let job = try api.post("/jobs", ["command": "sh", "arguments": ["-c", .string(script)], "retries": 0])
        return job["id"]?.string ?? ""
    }

    private static func wait(_ api: API, _ id: String, for states: Set<String>, seconds: Double = 60) throws
        -> JSONValue
    {
        var found = JSONValue.null
        try eventually("job \(id) to be one of \(states.sorted())", within: seconds) {
            found = try api.get("/jobs/\(id)")
            return states.contains(found["job"]?["state"]?.string ?? "")
        }
        return found
    }

    @Test("a job goes on while its server is killed, and the next server takes its end", .timeLimit(.minutes(3)))
    func killedServer() async throws {
        try await onThread("job-kill") {
            let folder = try TemporaryFolder()
            let (root, trace) = ("\(folder.path)/root", "\(folder.path)/trace")
            let first = try Server(root: root, logs: folder.path)
            let id = try Self.submit(
                try API(url: first.url),
                "echo begun; echo x >>\(trace); until test -e \(folder.path)/go; do sleep 0.05; done; echo done")
            try eventually("the job to begin") { Modelworks.text(trace) == "x\n" }
            try first.kill()
            let second = try Server(root: root, logs: folder.path)
            let api = try API(url: second.url)
            _ = try folder.write("", to: "go")
            let end = try Self.wait(api, id, for: ["succeeded", "failed", "cancelled"])
            #expect(end["job"]?["state"] == "succeeded")
            #expect(end["attempts"]?.array?.count == 1)
            #expect(Modelworks.text(trace) == "x\n")
            #expect(try api.get("/jobs/\(id)/logs")["text"] == "begun\ndone\n")
            #expect(try second.stop() == 0)
        }
    }

    @Test("what a server killed and given up left running is ended when it returns", .timeLimit(.minutes(4)))
    func twoServers() async throws {
        let folder = try TemporaryFolder()
        try await Self.share(["a", "b"], in: folder)
        try await onThread("job-two") { try Self.judgeTwoServers(folder) }
    }

    /// Lets roots of these names have one database.
    private static func share(_ names: [String], in folder: TemporaryFolder) async throws {
        let postgres = try await SharedPostgres.only.server()
        let file = try folder.write(postgres.password, to: "password")
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
        let schema = "t\(Digest(of: folder.path).hex.prefix(24))"
        let address =
            "postgresql://works@127.0.0.1:\(postgres.port)/works?schema=\(schema)&sslmode=disable&pool=2"
            + "&password_file=\(file)"
        for name in names {
            let stores: JSONValue = ["sql": .string(address)]
            _ = try folder.write(try JSON.string(stores), to: "\(name)/stores.json")
        }
    }

    /// Two roots stand for two machines: neither sees the other's processes.
    private static func judgeTwoServers(_ folder: TemporaryFolder) throws {
        let trace = "\(folder.path)/trace"
        let a = try Server(root: "\(folder.path)/a", logs: folder.path)
        // The first run waits for ever, the second writes what counts.
        let id = try submit(
            try API(url: a.url),
            "echo $$ >>\(trace); if test $(wc -l <\(trace)) = 1; then sleep 600; echo stale; else echo counts; fi")
        try eventually("the job to begin on the first") { Modelworks.text(trace).hasSuffix("\n") }
        let left = Int32(Modelworks.text(trace).dropLast()) ?? 0
        let b = try Server(root: "\(folder.path)/b", logs: folder.path)
        let api = try API(url: b.url)
        let before = try api.get("/jobs/\(id)")
        #expect(before["job"]?["state"] == "running")
        try a.kill()
        let killed = SystemTime.monotonicNanoseconds
        let end = try wait(api, id, for: ["succeeded", "failed", "cancelled"], seconds: 90)
        let seconds = Double(SystemTime.monotonicNanoseconds - killed) / 1e9
        // Not before the lease of 30 s was over, counted from a heartbeat that may have been 5 s before the kill.
        #expect(seconds > 20 && seconds < 60, "taken after \(seconds) s")
        #expect(end["job"]?["state"] == "succeeded")
        #expect(end["attempts"]?.array?.compactMap { $0["state"]?.string } == ["lost", "succeeded"])
        #expect(try api.get("/jobs/\(id)/logs")["text"] == "counts\n")
        // The first machine's process runs on as long as nobody is there to end it; what it comes to can not count.
        #expect(kill(left, 0) == 0)
        let again = try Server(root: "\(folder.path)/a", logs: folder.path)
        try eventually("the process that was left to be ended", within: 30) { kill(left, 0) != 0 }
        #expect(try API(url: again.url).get("/jobs/\(id)")["job"]?["attempts"] == 2)
        #expect(try again.stop() == 0)
        #expect(try b.stop() == 0)
    }

    @Test("two servers fire a schedule once", .timeLimit(.minutes(3)))
    func schedulesFireOnce() async throws {
        let folder = try TemporaryFolder()
        try await Self.share(["a", "b"], in: folder)
        try await onThread("job-schedule") {
            let a = try Server(root: "\(folder.path)/a", logs: folder.path)
            let b = try Server(root: "\(folder.path)/b", logs: folder.path)
            let api = try API(url: a.url)
            try api.post(
                "/apply",
                [
                    "root": .string(folder.path),
                    "files": [
                        "works.yaml": "{name: tick, owner: test}\n",
                        "pipelines/tick.yaml":
                            "{kind: job, name: tick, owner: test, command: 'true', every: 1s, tags: [tick]}\n",
                    ],
                ])
            try eventually("twenty seconds' worth of ticks", within: 60) {
                try api.get("/jobs?tag=tick&state=succeeded").array?.count ?? 0 >= 4
            }
            let keys =
                try API(url: b.url).get("/jobs?tag=tick").array?.compactMap { $0["idempotencyKey"]?.string } ?? []
            #expect(keys.count >= 4 && Set(keys).count == keys.count)
            #expect(try a.stop() == 0)
            #expect(try b.stop() == 0)
        }
    }
}
