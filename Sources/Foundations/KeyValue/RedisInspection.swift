import Basics
import Telemetry

/// What a server tells of itself.
struct RedisInfo {
    private var values: [String: String] = [:]

    /// Asks for a section of `INFO`.
    init(_ node: RedisNode, _ section: String, servers: RedisServers) throws {
        try self.init(node, ["INFO", section], servers: servers)
    }

    /// Asks by a command whose answer has lines of `name:value`.
    init(_ node: RedisNode, _ command: [String], servers: RedisServers) throws {
        let deadline = RedisServers.deadline(servers.settings.readMilliseconds)
        let text = try node.use(deadline) { connection in
            try connection.add(command)
            try connection.send(deadline)
            servers.metrics.roundTrips.increment()
            let reply = try connection.next(deadline)
            if let error = reply.error {
                throw RedisErrorReply(error, store: servers.settings.name, from: node.address.host)
                    .failure(servers.settings.name)
            }
            return reply.text ?? ""
        }
        for line in text.split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            values[String(line[..<colon])] = String(line[line.index(after: colon)...])
        }
    }

    subscript(name: String) -> String? { values[name] }

    func integer(_ name: String) -> Int? { values[name].flatMap { Int($0) } }

    /// The first part of the version.
    var major: Int? { values["redis_version"]?.split(separator: ".").first.flatMap { Int($0) } }
}

/// The doctor's look at the servers.
struct RedisInspection {
    let servers: RedisServers

    private struct Finds {
        var list: [KeyValueCheck.Finding] = []

        mutating func add(_ severity: KeyValueCheck.Severity, _ message: String, _ remedy: String) {
            list.append(.init(severity: severity, message: message, remedy: remedy))
        }
    }

    func check() throws -> KeyValueCheck {
        let masters = try servers.masters(RedisServers.deadline(servers.settings.connectMilliseconds))
        var finds = Finds()
        var versions: Set<String> = []
        var latencies: [UInt64] = []
        for node in masters {
            let info = try RedisInfo(node, "server", servers: servers)
            versions.insert(info["redis_version"] ?? "unknown")
            if info.major ?? 0 < RedisStore.oldestVersion {
                throw KeyValueFailure.tooOld(
                    store: servers.settings.name, version: info["redis_version"] ?? "of unknown version",
                    minimum: "\(RedisStore.oldestVersion)")
            }
            for _ in 0..<5 { latencies.append(try ping(node)) }
            memory(try RedisInfo(node, "memory", servers: servers), node, &finds)
            persistence(try RedisInfo(node, "persistence", servers: servers), node, &finds)
            let role = try RedisInfo(node, "replication", servers: servers)["role"] ?? "master"
            if role != "master" {
                finds.add(
                    .problem, "\(node.address) is a \(role) and takes no changes", "Name the master in the address")
            }
        }
        if servers.single == nil, let first = masters.first { try cluster(first, &finds) }
        latencies.sort()
        return KeyValueCheck(
            engine: servers.single == nil ? "redis-cluster" : "redis",
            version: versions.sorted().joined(separator: ", "),
            latencySeconds: latencies.isEmpty ? 0 : Double(latencies[latencies.count / 2]) * 1e-9,
            servers: masters.count, findings: finds.list)
    }

    private func ping(_ node: RedisNode) throws -> UInt64 {
        let start = SystemTime.monotonicNanoseconds
        let deadline = RedisServers.deadline(servers.settings.readMilliseconds)
        try node.use(deadline) { connection in
            try connection.add(["PING"])
            try connection.send(deadline)
            _ = try connection.next(deadline)
        }
        return SystemTime.monotonicNanoseconds - start
    }

    private func memory(_ info: RedisInfo, _ node: RedisNode, _ finds: inout Finds) {
        let policy = info["maxmemory_policy"] ?? "noeviction"
        if policy != "noeviction", !policy.hasPrefix("volatile-") {
            finds.add(
                .warning, "\(node.address) throws any key away when its memory is full (maxmemory-policy \(policy))",
                "Set maxmemory-policy to noeviction or to one that begins with volatile-")
        }
        if let limit = info.integer("maxmemory"), limit > 0, let used = info.integer("used_memory"),
            Double(used) > 0.9 * Double(limit)
        {
            finds.add(
                .warning, "\(node.address) uses \(used) of the \(limit) bytes it may",
                "Raise maxmemory, or delete entries that have expired")
        }
    }

    private func persistence(_ info: RedisInfo, _ node: RedisNode, _ finds: inout Finds) {
        if info["aof_enabled"] == "0" {
            finds.add(
                .warning, "\(node.address) keeps no log of changes: the newest are lost when it dies",
                "Set appendonly yes, or fill the store again from the offline store after a loss")
        }
        for (name, what) in [("rdb_last_bgsave_status", "snapshot"), ("aof_last_write_status", "write of its log")]
        where info[name] ?? "ok" != "ok" {
            finds.add(.problem, "the last \(what) of \(node.address) failed", "Look at the server's log and its disk")
        }
        if info["loading"] == "1" {
            finds.add(.problem, "\(node.address) still loads its data", "Wait until it has")
        }
    }

    private func cluster(_ node: RedisNode, _ finds: inout Finds) throws {
        let info = try RedisInfo(node, ["CLUSTER", "INFO"], servers: servers)
        if info["cluster_state"] != "ok" {
            finds.add(
                .problem, "the cluster's state is \(info["cluster_state"] ?? "unknown")",
                "Look at `redis-cli --cluster check`")
        }
        if let served = info.integer("cluster_slots_assigned"), served < RedisSlots.count {
            finds.add(
                .problem, "\(RedisSlots.count - served) slots of the cluster have no master",
                "Run `redis-cli --cluster fix`")
        }
    }
}
