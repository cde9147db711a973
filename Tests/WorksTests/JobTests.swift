import Basics
import Foundation
import HTTP
import Jobs
import Security
import TestSupport
import Testing
import Works
import Workshop

/// Jobs of a whole factory: through the API, by the process that serves.
@Suite(.serialized) struct JobTests {
    private static let quick = JobLeases(heartbeatSeconds: 0.1, missedMax: 100)

    private func ended(_ shop: Workshop, _ id: String) async throws -> JSONValue {
        try await Deadline(seconds: 30).wait("the end of job \(id)") {
            try await Task.sleep(for: .milliseconds(20))
            let state = try await shop.get("/jobs/\(id)").json.at("job", "state")?.string ?? ""
            return JobState(rawValue: state)?.isFinal ?? false
        }
        return try await shop.get("/jobs/\(id)").json
    }

    private func submit(_ shop: Workshop, _ script: String, _ more: [String: JSONValue] = [:]) async throws -> String {
        let body: [String: JSONValue] = ["command": "sh", "arguments": ["-c", .string(script)]]
        return try await shop.post("/jobs", .object(body.merging(more) { $1 }))["id"]?.string ?? ""
    }

    @Test func aCommandRunsAndItsOutputIsKept() async throws {
        let shop = try await Workshop {
            $0.environment["SHOP_KEY"] = "hidden-4711"
            $0.environment["SHOP_OTHER"] = "not-for-jobs"
            $0.environment["MODELWORKS_JOB_SECRETS"] = "SHOP_KEY"
            $0.jobLeases = Self.quick
        }
        try await shop.serving { _ in
            let id = try await submit(
                shop, "echo début; echo $SIZE; test ${#SHOP_KEY} = 11; test -z \"$SHOP_OTHER\"",
                ["environment": ["SIZE": "12"], "secrets": ["SHOP_KEY"], "tags": ["nightly"], "retries": 0])
            let end = try await ended(shop, id)
            #expect(end.at("job", "state") == "succeeded", "\(end)")
            #expect(end.at("job", "owner") == "user:test")
            #expect(end["attempts"]?.array?.count == 1)
            #expect(end.at("explanation", "summary") == "it succeeded")
            let log = try await shop.get("/jobs/\(id)/logs").json
            #expect(log == ["text": "début\n12\n", "next": 10, "more": true])
            #expect(try await shop.get("/jobs/\(id)/logs?offset=7").json["text"] == "12\n")
            // Two bytes into the text stands the first half of a character.
            #expect(try await shop.get("/jobs/\(id)/logs?limit=2").json == ["text": "d", "next": 1, "more": true])
            #expect(try await shop.get("/jobs/\(id)/logs?offset=10").json == ["text": "", "next": 10, "more": false])
            #expect(!(try await shop.get("/jobs/\(id)").text.contains("hidden-4711")))
            #expect(try await shop.get("/jobs?tag=nightly&state=succeeded").json.array?.count == 1)
            #expect(try await shop.get("/jobs?tag=weekly").json == [])
            #expect(try await shop.get("/jobs?state=queued,running").json == [])

            let other = try await submit(shop, "true", ["secrets": ["SHOP_OTHER"]])
            let refused = try await ended(shop, other)
            #expect(refused.at("job", "state") == "failed")
            #expect(refused.at("job", "error")?.string?.contains("may not have the variable 'SHOP_OTHER'") == true)
            #expect(try await shop.send(.get, "/jobs/\(other)/logs").status == 404)
            let types = Set(try await shop.journal().compactMap { $0["type"]?.string })
            #expect(types.isSuperset(of: ["job.submitted", "job.failed"]))
        }
    }

    @Test func requestsAreDoneOnceLimitedAndCancelled() async throws {
        let shop = try await Workshop { $0.jobLeases = Self.quick }
        try await shop.post("/limits", ["scope": "tag", "name": "one", "runningMax": 1])
        #expect(
            try await shop.get("/limits").json.array?.first?["runningMax"] == 1)
        try await shop.serving { _ in
            let long = try await submit(shop, "sleep 100", ["tags": ["one"], "idempotencyKey": "k"])
            #expect(try await submit(shop, "sleep 100", ["tags": ["one"], "idempotencyKey": "k"]) == long)
            try await Deadline(seconds: 20).wait("the first to run") {
                try await shop.get("/jobs/\(long)").json.at("job", "state") == "running"
            }
            let second = try await submit(shop, "echo second", ["tags": ["one"]])
            let waiting = try await shop.get("/jobs/\(second)").json["explanation"]
            #expect(waiting?["state"] == "queued")
            let reason = waiting?["reasons"]?.array?.first
            #expect(reason?["message"] == "the tag 'one' allows 1 at once, 1 in use, 1 wanted")
            #expect(reason?["holders"]?.array?.first?["job"]?.string == long)
            try await shop.post("/jobs/\(long)/cancel", ["reason": "enough"])
            #expect(try await ended(shop, long).at("job", "state") == "cancelled")
            #expect(try await ended(shop, second).at("job", "state") == "succeeded")
            try await shop.post("/limits", ["scope": "tag", "name": "one"])
            #expect(try await shop.get("/limits").json == [])
        }
    }

    @Test func badRequestsAreToldApart() async throws {
        let shop = try await Workshop()
        for (body, word) in [
            (["command": ""] as JSONValue, "empty"), (["command": "x", "retries": -1], "retries"),
            (["command": "x", "timeLimitSeconds": 0], "time limit"), (["arguments": []], "command"),
            (["command": "x", "environment": ["A=B": "1"]], "variable"),
        ] {
            let answer = try await shop.send(.post, "/jobs", body)
            #expect(answer.status == 400, "\(body): \(answer.text)")
            #expect(answer.text.contains(word), "\(answer.text)")
        }
        #expect(try await shop.get("/jobs/0123").status == 404)
        #expect(try await shop.get("/jobs?state=done").status == 400)
        #expect(try await shop.send(.post, "/schedules/none/run", [:]).status == 404)
        #expect(try await shop.send(.post, "/limits", ["scope": "tag", "name": "", "runningMax": 1]).status == 400)
        await shop.works.close()
    }

    private static let job = """
        kind: job
        name: tidy
        owner: shop-team
        description: Tidies up.
        command: sh
        arguments: [-c, echo tidy >> "$OUT"]
        environment: {OUT: OUTFILE}
        every: 1h
        tags: [chores]
        retries: 1
        time_limit: 5m
        resources: {slots: 1, memory: 512MiB}

        """

    private func files(_ text: String?, _ shop: Workshop) -> [String: String] {
        Blueprint.files(with: [
            "pipelines/tidy.yaml": text?.replacing("OUTFILE", with: "\(shop.folder.path)/out")
        ])
    }

    @Test func definitionsMakeAndWithdrawSchedules() async throws {
        let shop = try await Workshop { $0.jobLeases = Self.quick }
        let out = "\(shop.folder.path)/out"
        @Sendable func lines() -> Int {
            String(decoding: FileManager.default.contents(atPath: out) ?? Data(), as: UTF8.self).split(separator: "\n")
                .count
        }
        let plan = try await shop.post("/plan", shop.directory(files(Self.job, shop)))
        #expect(plan["changes"]?.array?.contains(["action": "create", "kind": "job", "name": "tidy"]) == true)
        #expect(try await shop.get("/schedules").json == [])
        try await shop.post("/apply", shop.directory(files(Self.job, shop)))
        let shown = try await shop.get("/schedules").json.array?.first
        #expect(shown?["name"] == "tidy" && shown?["everySeconds"] == 3600)
        try await shop.serving { _ in
            try await Deadline(seconds: 30).wait("the first run") { lines() == 1 }
            // The interval has had its run, whatever else is changed.
            try await shop.post(
                "/apply", shop.directory(files(Self.job.replacing("retries: 1", with: "retries: 0"), shop)))
            let asked = try await shop.post("/schedules/tidy/run")["id"]?.string ?? ""
            #expect(try await ended(shop, asked).at("job", "state") == "succeeded")
            #expect(lines() == 2)
            #expect(try await shop.get("/jobs?tag=chores").json.array?.count == 2)
        }
    }

    @Test func aScoringOfATableIsAJob() async throws {
        let shop = try await Workshop { $0.jobLeases = Self.quick }
        let out = "\(shop.folder.path)/words"
        try Data(
            "#!/bin/sh\nfor word in \"$@\"; do echo \"$word\" >>'\(out)'; done; echo \"$MODELWORKS_ROOT\" >>'\(out)'\n"
                .utf8
        )
        .write(to: URL(fileURLWithPath: "\(shop.folder.path)/program"))
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755], ofItemAtPath: "\(shop.folder.path)/program")
        let score = """
            kind: score
            name: tidy
            owner: shop-team
            program: \(shop.folder.path)/program
            model: models:/churn@champion
            input: /data/customers.parquet
            output: /data/scores/{date}
            keep: [id, region]
            columns: {age: years, income: euros}
            rows_per_partition: 1000
            on_error: dead-letter
            overwrite: true
            every: 1d

            """
        try await shop.post("/apply", shop.directory(files(score, shop)))
        try await shop.serving { _ in
            try await Deadline(seconds: 30).wait("the run") {
                String(decoding: FileManager.default.contents(atPath: out) ?? Data(), as: UTF8.self).split(
                    separator: "\n"
                ).count == 11
            }
        }
        let words = String(decoding: FileManager.default.contents(atPath: out) ?? Data(), as: UTF8.self)
        #expect(
            words.split(separator: "\n").dropLast() == [
                "score", "models:/churn@champion", "--json", "--input=/data/customers.parquet",
                "--on-error=dead-letter", "--output=/data/scores/{date}", "--rows-per-partition=1000",
                "--keep=id,region", "--columns=age=years,income=euros", "--overwrite",
            ])
        for (old, new, expected) in [
            ("model: models:/churn@champion\n", "", "model"), ("keep:", "keeps:", "did you mean 'keep'?"),
            ("program:", "command:", "command"),
        ] {
            let answer = try await shop.send(
                .post, "/plan", shop.directory(files(score.replacing(old, with: new), shop)))
            #expect(answer.status == 400 && answer.text.contains(expected), "\(answer.text)")
        }
    }

    @Test func schedulesOutliveTheProcess() async throws {
        let folder = try TemporaryFolder()
        try await define(in: folder)
        let again = try await Workshop(in: folder)
        #expect(try await again.get("/schedules").json.array?.count == 1)
        try await again.post("/apply", again.directory(files(nil, again)))
        #expect(try await again.get("/schedules").json == [])
        await again.works.close()
    }

    private func define(in folder: TemporaryFolder) async throws {
        let shop = try await Workshop(in: folder)
        try await shop.post("/apply", shop.directory(files(Self.job, shop)))
        await shop.works.close()
    }

    @Test(arguments: [
        ("every: 1h", "evry: 1h", "pipelines/tidy.yaml:8:1: unknown key 'evry' (did you mean 'every'?)"),
        ("kind: job", "kind: jb", "pipelines/tidy.yaml:1:7: there is no kind 'jb' here (did you mean 'job'?)"),
        ("every: 1h", "anchor: 2024-01-01", "pipelines/tidy.yaml:8:9: 'anchor' means nothing without 'every'"),
        ("every: 1h", "every: 0s", "the schedule 'job/tidy'"),
        ("512MiB", "lots", "'memory' must be a size such as 64KiB, 512MiB or 2GiB, and is 'lots'"),
        ("retries: 1", "retries: 9999", "attempts must be from 1 to 1000"),
    ])
    func aBrokenJobIsRefused(old: String, new: String, expected: String) async throws {
        let shop = try await Workshop()
        let answer = try await shop.send(
            .post, "/apply", shop.directory(files(Self.job.replacing(old, with: new), shop)))
        #expect(answer.status == 400)
        #expect(answer.text.contains(expected), "\(answer.text)")
        await shop.works.close()
    }

    /// A command runs as the server, so an engineer may define everything but that.
    @Test func jobsNeedTheRightToOperate() async throws {
        let shop = try await Workshop()
        let works = shop.works
        works.router.protect(with: Authenticator(store: works.access, time: SystemTime()))
        func status(_ role: Role, _ path: String, _ body: JSONValue) async throws -> Int {
            let token = try await works.access.createToken(
                TokenRequest(principal: try PrincipalID("\(role.rawValue)"), roleOfNewPrincipal: role), by: "user:root"
            ).secret
            return try await works.dispatch(
                .post, "/api/works/v1\(path)", headers: ["Authorization": "Bearer \(token.revealed)"],
                body: try JSON.canonical(body)
            ).status
        }
        #expect(try await status(.engineer, "/jobs", ["command": "true"]) == 403)
        #expect(try await status(.operator, "/jobs", ["command": "true"]) == 200)
        #expect(try await status(.engineer, "/apply", shop.directory(Blueprint.files)) == 200)
        let jobs = shop.directory(files(Self.job, shop))
        #expect(try await status(.engineer, "/plan", jobs) == 200)
        #expect(try await status(.engineer, "/apply", jobs) == 403)
        #expect(try await status(.operator, "/apply", jobs) == 200)
        #expect(try await status(.scientist, "/schedules/tidy/run", [:]) == 200)
        #expect(try await status(.viewer, "/schedules/tidy/run", [:]) == 403)
        // Files that leave the jobs as they are need no more than before.
        #expect(try await status(.engineer, "/apply", jobs) == 200)
        await works.close()
    }
}

extension JSONValue {
    /// The member of a member.
    fileprivate func at(_ outer: String, _ inner: String) -> JSONValue? { self[outer]?[inner] }
}
