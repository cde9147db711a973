import Basics
import CLMDB

/// The doctor's look at an environment.
struct LMDBInspection {
    let environment: LMDBEnvironment
    let slots: ReaderSlots
    let maximumBytes: Int
    let durable: Bool

    func check() throws -> KeyValueCheck {
        var findings: [KeyValueCheck.Finding] = []
        var dead: Int32 = 0
        try environment.check(mdb_reader_check(environment.pointer, &dead), "looking for dead readers")
        let used = environment.usedBytes
        if Double(used) > 0.9 * Double(maximumBytes) {
            findings.append(
                .init(
                    severity: .warning, message: "\(used) of at most \(maximumBytes) bytes are in use",
                    remedy: "Delete entries that have expired, or set a larger max_map_mb"))
        }
        if !durable {
            findings.append(
                .init(
                    severity: .warning, message: "the newest changes are lost in a power cut",
                    remedy: "Set durable=true, or fill the store again from the offline store after one"))
        }
        var times: [UInt64] = []
        for _ in 0..<5 {
            let start = SystemTime.monotonicNanoseconds
            try slots.read { _ in }
            times.append(SystemTime.monotonicNanoseconds - start)
        }
        times.sort()
        return KeyValueCheck(
            engine: "lmdb", version: "\(MDB_VERSION_MAJOR).\(MDB_VERSION_MINOR).\(MDB_VERSION_PATCH)",
            latencySeconds: Double(times[times.count / 2]) * 1e-9, servers: 0, findings: findings)
    }
}
