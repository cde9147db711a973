import Basics
import Foundation
import TestSupport

/// A Slurm cluster of one node of the tests' own on loopback: munged, slurmctld and slurmd in a folder.
public actor SlurmCluster {
    private var started: Task<Running, any Error>?

    /// How to reach the cluster.
    public struct Running: Sendable {
        /// For the programs of Slurm.
        public let environment: [String: String]
        let processes: [EngineProcess]
        let folder: TemporaryFolder
    }

    public init() {}

    /// The cluster, started at the first call.
    /// - Throws: `EngineUnavailable` saying why this machine can not run one.
    public func running() async throws -> Running {
        if let started { return try await started.value }
        let task = Task.detached { try SlurmCluster.start() }
        started = task
        return try await task.value
    }

    private static func start() throws -> Running {
        for program in ["/usr/sbin/munged", "/usr/sbin/slurmctld", "/usr/sbin/slurmd", "/usr/bin/sbatch"]
        where !FileManager.default.isExecutableFile(atPath: program) {
            throw EngineUnavailable("there is no '\(program)': install slurm-wlm and munge")
        }
        guard getuid() == 0 else { throw EngineUnavailable("slurmd needs root") }
        let folder = try TemporaryFolder()
        chmod(folder.path, 0o755)
        let host = ProcessInfo.processInfo.hostName.split(separator: ".").first.map(String.init) ?? "localhost"
        for name in ["state", "spool", "munge"] {
            try FileManager.default.createDirectory(
                atPath: folder(name), withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        }
        let key = Data((0..<1024).map { _ in UInt8.random(in: 0...255) })
        guard
            FileManager.default.createFile(
                atPath: folder("munge/key"), contents: key, attributes: [.posixPermissions: 0o600])
        else { throw EngineUnavailable("the key of munge can not be written") }
        try folder.write(try configuration(host: host, folder: folder), to: "slurm.conf")
        let environment = [
            "SLURM_CONF": folder("slurm.conf"), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp",
        ]
        let munge = try EngineProcess(
            "munged",
            [
                "/usr/sbin/munged", "-F", "-f", "--key-file=\(folder("munge/key"))",
                "--socket=\(folder("munge/socket"))", "--pid-file=\(folder("munge/pid"))",
                "--log-file=\(folder("munge/log"))", "--seed-file=\(folder("munge/seed"))",
            ], folder: folder.path, endSignal: "TERM")
        try waitUntil("the socket of munged", within: 10) {
            FileManager.default.fileExists(atPath: folder("munge/socket"))
        }
        let controller = try EngineProcess(
            "slurmctld", ["/usr/sbin/slurmctld", "-D", "-f", folder("slurm.conf")], environment: environment,
            folder: folder.path)
        let node = try EngineProcess(
            "slurmd", ["/usr/sbin/slurmd", "-D", "-f", folder("slurm.conf"), "-N", host], environment: environment,
            folder: folder.path)
        do {
            try waitUntil("an idle node of Slurm", within: 30) {
                guard controller.isRunning, node.isRunning else { throw EngineUnavailable("a daemon ended") }
                return idle(environment)
            }
        } catch {
            throw EngineUnavailable(
                "\(error): \(controller.output.suffix(700)) \(node.output.suffix(700))")
        }
        return Running(environment: environment, processes: [node, controller, munge], folder: folder)
    }

    private static func idle(_ environment: [String: String]) -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/sinfo")
        process.arguments = ["-h", "-o", "%T"]
        process.environment = environment
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return output.contains("idle")
    }

    private static func configuration(host: String, folder: TemporaryFolder) throws -> String {
        """
        ClusterName=modelworks
        SlurmctldHost=\(host)(127.0.0.1)
        SlurmctldPort=\(try freePort())
        SlurmdPort=\(try freePort())
        SlurmUser=root
        SlurmdUser=root
        AuthType=auth/munge
        AuthInfo=socket=\(folder("munge/socket"))
        StateSaveLocation=\(folder("state"))
        SlurmdSpoolDir=\(folder("spool"))
        SlurmctldPidFile=\(folder("slurmctld.pid"))
        SlurmdPidFile=\(folder("slurmd.pid"))
        ProctrackType=proctrack/linuxproc
        TaskPlugin=task/none
        SelectType=select/cons_tres
        SelectTypeParameters=CR_Core_Memory
        DefMemPerCPU=50
        JobCompType=jobcomp/none
        AccountingStorageType=accounting_storage/none
        MpiDefault=none
        MailProg=/bin/true
        ReturnToService=2
        SlurmdParameters=config_overrides
        KillWait=2
        MinJobAge=30
        SchedulerParameters=sched_min_interval=10000,batch_sched_delay=1
        NodeName=\(host) NodeAddr=127.0.0.1 CPUs=4 RealMemory=1000 State=UNKNOWN
        PartitionName=batch Nodes=\(host) Default=YES MaxTime=INFINITE State=UP

        """
    }
}
